/**
 * Icons of JupyterLab's own places, there from its start: commands, menus, tabs. All others are in `glyphs.ts`.
 */

/** Path data of each icon, as in `glyphs.ts`. */
export const LAB_GLYPHS = {
  agent: [
    'M8 2.2a5.8 5.8 0 1 0 0 11.6a5.8 5.8 0 1 0 0-11.6',
    'M8 6.4a1.6 1.6 0 1 0 0 3.2a1.6 1.6 0 1 0 0-3.2'
  ],
  chart: ['M3 13.2V9', 'M6.4 13.2V5.2', 'M9.8 13.2V7.4', 'M13.2 13.2V2.8'],
  run: ['M5 3.2v9.6L12.6 8Z'],
  stop: ['M4 4h8v8H4Z'],
  check: ['M3.2 8.4l3.2 3.2l6.4-7'],
  save: ['M3 3h8l2 2v8H3Z', 'M5.4 3v3.4h5V3', 'M5.4 13V9.4h5.2V13'],
  history: ['M3 8a5 5 0 1 0 1.6-3.7', 'M3 2.4v2.8h2.8', 'M8 5.4V8l2 1.4'],
  api: ['M5.4 3.2L2.4 8l3 4.8', 'M10.6 3.2l3 4.8l-3 4.8', 'M9 5.4L7 10.6'],
  upload: ['M8 10.4v-7', 'M5 6.2l3-3l3 3', 'M3 13h10'],
  copy: ['M5.6 5.6h7.2v7.2H5.6Z', 'M10.4 5.4V3.2H3.2v7.2h2.2'],
  download: ['M8 2.6v7', 'M5 7l3 3l3-3', 'M3 13h10'],
  trash: ['M3 4.4h10', 'M6.2 4.2V2.8h3.6v1.4', 'M4.4 4.6l.6 8.8h6l.6-8.8'],
  archive: ['M2.8 3h10.4v3H2.8Z', 'M3.8 6v7h8.4V6', 'M6.4 8.6h3.2'],
  tune: [
    'M2.6 5h5.8',
    'M11.6 5h1.8',
    'M10 3.4a1.6 1.6 0 1 0 0 3.2a1.6 1.6 0 1 0 0-3.2',
    'M2.6 11h1.8',
    'M7.6 11h5.8',
    'M6 9.4a1.6 1.6 0 1 0 0 3.2a1.6 1.6 0 1 0 0-3.2'
  ],
  again: ['M3 8a5 5 0 1 0 1.6-3.7', 'M3 2.4v2.8h2.8', 'M7 6v4l3-2Z'],
  notebook: ['M4 2.4h8.4v11.2H4Z', 'M6.2 2.6v10.8', 'M2.8 5h1.6', 'M2.8 8h1.6', 'M2.8 11h1.6']
} as const;

export type LabGlyphName = keyof typeof LAB_GLYPHS;
