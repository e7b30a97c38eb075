/**
 * The product's icons as LabIcons, in Lab's own colours.
 */
import { LabIcon } from '@jupyterlab/ui-components';

import type { GlyphName } from '../ui/glyphs';
import { GLYPHS } from '../ui/glyphs';

const known = new Map<GlyphName, LabIcon>();

/** The icon of that name for Lab's menus, tabs and commands. */
export function iconOf(name: GlyphName): LabIcon {
  const icon = known.get(name) ?? labIcon(name);
  known.set(name, icon);
  return icon;
}

function labIcon(name: GlyphName): LabIcon {
  const paths = GLYPHS[name].map(d => `<path d="${d}"/>`).join('');
  const svgstr =
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16" fill="none">' +
    '<g class="jp-icon3" stroke="#616161" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round">' +
    `${paths}</g></svg>`;
  return new LabIcon({ name: `cloutagent:${name}`, svgstr });
}

export const agentIcon = iconOf('agent');
export const chartIcon = iconOf('chart');
export const runIcon = iconOf('run');
export const stopIcon = iconOf('stop');
export const checkIcon = iconOf('check');
export const saveIcon = iconOf('save');
