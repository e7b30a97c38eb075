/**
 * Zoom out, how far, zoom in, fit, tidy up, snap, and other ways to see: plain buttons in Lab's look.
 */
import { Panel, useReactFlow, useStore } from '@xyflow/react';

import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

import type { Room } from './fit';
import { sizesOf } from './nodes';
import { useSnap } from './useSnap';
import { ViewButtons } from './ViewButtons';

interface Props {
  room: Room;
  /** Show all cards, and keep them in view. */
  fit: () => void;
  /** The person has moved the view. */
  moved: () => void;
}

/** `then`, when what has just changed is drawn: a change is drawn in one frame, and measured in the next. */
function drawn(then: () => void): void {
  requestAnimationFrame(() => requestAnimationFrame(then));
}

export function ZoomControls({ room, fit, moved }: Props): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const flow = useReactFlow();
  const snap = useSnap();
  const frozen = useProject(state => state.frozen !== null);
  const percent = useStore(state => Math.round(state.transform[2] * 100));
  return (
    <Panel position="bottom-left" className="ca-Zoom">
      <button
        type="button"
        aria-label={trans.__('Zoom out')}
        title={trans.__('Zoom out')}
        onClick={() => void flow.zoomOut().then(moved)}
      >
        <Icon name="minus" />
      </button>
      <button
        type="button"
        aria-label={trans.__('%1 %: zoom to 100 %', percent)}
        title={trans.__('Zoom to 100 %')}
        onClick={() => void flow.zoomTo(1).then(moved)}
      >
        {trans.__('%1 %', percent)}
      </button>
      <button
        type="button"
        aria-label={trans.__('Zoom in')}
        title={trans.__('Zoom in')}
        onClick={() => void flow.zoomIn().then(moved)}
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
      <button
        type="button"
        aria-label={trans.__('Tidy up')}
        disabled={frozen}
        title={trans.__('Tidy up: lay all cards out anew')}
        onClick={() => void actions.tidy(sizesOf(flow.getNodes())).then(() => drawn(fit))}
      >
        <Icon name="tidy" />
      </button>
      {room !== 'narrow' && (
        <button
          type="button"
          aria-label={trans.__('Snap to the grid')}
          title={trans.__('Snap to the grid')}
          aria-pressed={snap}
          onClick={() => actions.setSnap(!snap)}
        >
          <Icon name="snap" />
        </button>
      )}
      <ViewButtons />
    </Panel>
  );
}
