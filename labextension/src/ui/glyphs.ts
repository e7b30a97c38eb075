/**
 * The product's icons as strokes on one 16 px grid: data for views (`Icon.tsx`) and for Lab (`widgets/icons.ts`).
 */

/** Path data of each icon; all are drawn with round strokes and no fill. */
export const GLYPHS = {
  agent: [
    'M8 2.2a5.8 5.8 0 1 0 0 11.6a5.8 5.8 0 1 0 0-11.6',
    'M8 6.4a1.6 1.6 0 1 0 0 3.2a1.6 1.6 0 1 0 0-3.2'
  ],
  subagent: ['M5.4 5.2a2.8 2.8 0 1 0 0 5.6a2.8 2.8 0 1 0 0-5.6', 'M11.4 6a2 2 0 1 0 0 4a2 2 0 1 0 0-4'],
  hook: ['M8 2.4L13.6 8L8 13.6L2.4 8Z'],
  mcp: ['M5 2.8h6L14 8l-3 5.2H5L2 8Z'],
  note: ['M3 2.8h10v6.6l-3.8 3.8H3Z', 'M13 9.4H9.2v3.8'],
  run: ['M5 3.2v9.6L12.6 8Z'],
  stop: ['M4 4h8v8H4Z'],
  check: ['M3.2 8.4l3.2 3.2l6.4-7'],
  save: ['M3 3h8l2 2v8H3Z', 'M5.4 3v3.4h5V3', 'M5.4 13V9.4h5.2V13'],
  undo: ['M6 3.4L3 6.4l3 3', 'M3 6.4h6.4a3.4 3.4 0 0 1 0 6.8H7'],
  redo: ['M10 3.4l3 3l-3 3', 'M13 6.4H6.6a3.4 3.4 0 0 0 0 6.8H9'],
  close: ['M4 4l8 8', 'M12 4l-8 8'],
  down: ['M4 6l4 4l4-4'],
  right: ['M6 4l4 4l-4 4'],
  up: ['M4 10l4-4l4 4'],
  plus: ['M8 3.2v9.6', 'M3.2 8h9.6'],
  minus: ['M3.2 8h9.6'],
  fit: ['M2.8 6V2.8H6', 'M10 2.8h3.2V6', 'M13.2 10v3.2H10', 'M6 13.2H2.8V10'],
  search: ['M7 2.8a4.2 4.2 0 1 0 0 8.4a4.2 4.2 0 1 0 0-8.4', 'M10.2 10.2l3 3'],
  thinking: ['M8 2a4 4 0 0 0-2.2 7.4V11h4.4V9.4A4 4 0 0 0 8 2Z', 'M6.4 13.4h3.2'],
  text: ['M3 4h10', 'M3 8h10', 'M3 12h6'],
  terminal: ['M3 4.4L6.4 8L3 11.6', 'M8 12h5'],
  code: ['M5.8 4.2L2.2 8l3.6 3.8', 'M10.2 4.2L13.8 8l-3.6 3.8'],
  file: ['M4 2.2h5.2L12 5v8.8H4Z', 'M9 2.4V5.4h3'],
  find: ['M7 2.8a4.2 4.2 0 1 0 0 8.4a4.2 4.2 0 1 0 0-8.4', 'M10.2 10.2l3 3'],
  tool: ['M13 4.6a3.2 3.2 0 0 1-4.4 3.6L4.4 12.6L3.2 11.4L7.6 7A3.2 3.2 0 0 1 11.2 2.8L9.4 4.6l1.8 1.6Z'],
  warning: ['M8 2.6L14 13H2Z', 'M8 6.6v3', 'M8 11.2v.2'],
  error: ['M8 2.2a5.8 5.8 0 1 0 0 11.6a5.8 5.8 0 1 0 0-11.6', 'M8 5v3.8', 'M8 10.9v.2'],
  info: ['M8 2.2a5.8 5.8 0 1 0 0 11.6a5.8 5.8 0 1 0 0-11.6', 'M8 7.4v3.6', 'M8 5v.2'],
  download: ['M8 2.6v7', 'M5 7l3 3l3-3', 'M3 13h10'],
  copy: ['M5.6 5.6h7.2v7.2H5.6Z', 'M10.4 5.4V3.2H3.2v7.2h2.2'],
  back: ['M9.6 3.8L5.4 8l4.2 4.2'],
  properties: ['M2.8 3.4h10.4v9.2H2.8Z', 'M9.4 3.6v8.8'],
  refresh: ['M13 8a5 5 0 1 1-1.6-3.7', 'M13 2.4v2.8h-2.8'],
  trash: ['M3 4.4h10', 'M6.2 4.2V2.8h3.6v1.4', 'M4.4 4.6l.6 8.8h6l.6-8.8'],
  result: ['M3 2.8h10v10.4H3Z', 'M5.4 6h5.2', 'M5.4 8.4h5.2', 'M5.4 10.8h2.8'],
  more: ['M3.6 8h.1', 'M8 8h.1', 'M12.4 8h.1']
} as const;

export type GlyphName = keyof typeof GLYPHS;
