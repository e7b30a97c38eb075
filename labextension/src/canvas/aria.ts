/**
 * React Flow's own texts, translated.
 */
import type { AriaLabelConfig } from '@xyflow/react';

import type { Translation } from '../ui/labels';

/** Of a canvas that is only looked at, where Enter shows what a card was. */
export function frozenTexts(trans: Translation): Partial<AriaLabelConfig> {
  const look = trans.__('Press Enter to see its fields.');
  return {
    ...ariaTexts(trans),
    'node.a11yDescription.default': look,
    'node.a11yDescription.keyboardDisabled': look,
    'edge.a11yDescription.default': trans.__('A connection.')
  };
}

export function ariaTexts(trans: Translation): Partial<AriaLabelConfig> {
  return {
    'node.a11yDescription.default': trans.__(
      'Arrow keys lead to the next card. Enter opens its properties. Space chooses it: arrow keys move it then, until Escape.'
    ),
    'node.a11yDescription.keyboardDisabled': trans.__('Press Enter to open its properties.'),
    'node.a11yDescription.ariaLiveMessage': ({ x, y }) => trans.__('Moved the card to %1, %2', x, y),
    'edge.a11yDescription.default': trans.__('A connection. Enter chooses it, Delete takes it away then.'),
    'minimap.ariaLabel': trans.__('Overview of the canvas'),
    'handle.ariaLabel': trans.__('Connection point')
  };
}
