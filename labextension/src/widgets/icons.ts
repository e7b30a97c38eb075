/**
 * The product's icons as LabIcons, in Lab's own colours.
 */
import { LabIcon } from '@jupyterlab/ui-components';

import type { GlyphName } from '../ui/glyphs';
import { GLYPHS } from '../ui/glyphs';

function labIcon(name: GlyphName): LabIcon {
  const paths = GLYPHS[name].map(d => `<path d="${d}"/>`).join('');
  const svgstr =
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16" fill="none">' +
    '<g class="jp-icon3" stroke="#616161" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round">' +
    `${paths}</g></svg>`;
  return new LabIcon({ name: `cloutagent:${name}`, svgstr });
}

export const agentIcon = labIcon('agent');
export const runIcon = labIcon('run');
export const stopIcon = labIcon('stop');
export const checkIcon = labIcon('check');
export const saveIcon = labIcon('save');
