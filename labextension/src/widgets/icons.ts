/**
 * The product's icons as LabIcons, in Lab's own colours: of commands and tabs by name, of menus by their
 * strokes.
 */
import { LabIcon } from '@jupyterlab/ui-components';

import { LAB_GLYPHS } from '../ui/labGlyphs';
import type { LabGlyphName } from '../ui/labGlyphs';

const known = new Map<string, LabIcon>();

/** The LabIcon called `name` that consists of `strokes`. */
export function labIcon(name: string, strokes: readonly string[]): LabIcon {
  const icon = known.get(name) ?? drawn(name, strokes);
  known.set(name, icon);
  return icon;
}

function drawn(name: string, strokes: readonly string[]): LabIcon {
  const paths = strokes.map(d => `<path d="${d}"/>`).join('');
  const svgstr =
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16" fill="none">' +
    '<g class="jp-icon3" stroke="#616161" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round">' +
    `${paths}</g></svg>`;
  return new LabIcon({ name: `cloutagent:${name}`, svgstr });
}

/** The icon of that name for Lab's tabs and commands. */
export function iconOf(name: LabGlyphName): LabIcon {
  return labIcon(name, LAB_GLYPHS[name]);
}

export const agentIcon = iconOf('agent');
export const chartIcon = iconOf('chart');
export const runIcon = iconOf('run');
export const stopIcon = iconOf('stop');
export const checkIcon = iconOf('check');
export const saveIcon = iconOf('save');
