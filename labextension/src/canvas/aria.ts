/**
 * React Flow's own texts, translated.
 */
import type { AriaLabelConfig } from '@xyflow/react';

import type { Translation } from '../ui/labels';

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
