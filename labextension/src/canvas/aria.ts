/**
 * React Flow's own texts, translated.
 */
import type { AriaLabelConfig } from '@xyflow/react';

import type { Translation } from '../ui/labels';

export function ariaTexts(trans: Translation): Partial<AriaLabelConfig> {
  return {
    'node.a11yDescription.default': trans.__(
      'Press Enter to open its properties, arrow keys to move it once it is selected, Escape to leave.'
    ),
    'node.a11yDescription.keyboardDisabled': trans.__('Press Enter to open its properties.'),
    'node.a11yDescription.ariaLiveMessage': ({ x, y }) => trans.__('Moved the card to %1, %2', x, y),
    'edge.a11yDescription.default': trans.__('A connection; it follows from the definition.'),
    'minimap.ariaLabel': trans.__('Overview of the canvas'),
    'handle.ariaLabel': trans.__('Connection point')
  };
}
