/**
 * Zoom out, how far, zoom in, fit: plain buttons in Lab's look.
 */
import { Panel, useReactFlow, useStore } from '@xyflow/react';

import { useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

export function ZoomControls({ fit }: { fit: () => void }): JSX.Element {
  const { trans } = useUi();
  const flow = useReactFlow();
  const percent = useStore(state => Math.round(state.transform[2] * 100));
  return (
    <Panel position="bottom-left" className="ca-Zoom">
      <button
        type="button"
        aria-label={trans.__('Zoom out')}
        title={trans.__('Zoom out')}
        onClick={() => flow.zoomOut()}
      >
        <Icon name="minus" />
      </button>
      <button type="button" title={trans.__('Zoom to 100 %')} onClick={() => flow.zoomTo(1)}>
        {trans.__('%1 %', percent)}
      </button>
      <button
        type="button"
        aria-label={trans.__('Zoom in')}
        title={trans.__('Zoom in')}
        onClick={() => flow.zoomIn()}
      >
        <Icon name="plus" />
      </button>
      <button
        type="button"
        aria-label={trans.__('Fit all cards')}
        title={trans.__('Fit all cards')}
        onClick={fit}
      >
        <Icon name="fit" />
      </button>
    </Panel>
  );
}
