/**
 * The floating "Running · 7 s · $0.01 · Stop", or "Queued · place 2 · Cancel": there from the press of Run
 * until the end, and then, where the end was none, with a Resume.
 */
import { Panel } from '@xyflow/react';

import { isActive, isQueued, ranMs } from '../stores/select';
import { useActions, useProject, useProjectAtLeisure, useUi } from '../ui/context';
import { elapsed, money } from '../ui/format';
import { statusLabel, stopLabel } from '../ui/labels';
import { useNow } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { StateDot } from '../ui/StateDot';

export function RunPill(): JSX.Element | null {
  const { trans } = useUi();
  const actions = useActions();
  const active = useProject(isActive);
  const queued = useProject(isQueued);
  const status = useProject(state => state.monitor?.status);
  // Time and money tick; what can be pressed changes at once.
  const monitor = useProjectAtLeisure('canvas', state => state.monitor);
  const skew = useProject(state => state.skewMs);
  const cancelling = useProject(
    state => state.executions.find(each => each.execution_id === state.executionId)?.cancelling ?? false
  );
  const now = useNow(active, 'canvas') - skew;
  if (monitor && (status === 'interrupted' || status === 'failed')) {
    return (
      <Panel position="bottom-center" className="ca-Pill">
        <StateDot state={status} />
        <strong>{statusLabel(trans, status)}</strong>
        <span className="ca-Pill-facts">{money(monitor.totalCostUsd)}</span>
        <button
          type="button"
          className="ca-Secondary"
          title={trans.__('Go on from where it stands; nothing that was done is done again')}
          onClick={() => void actions.resume()}
        >
          <Icon name="run" solid />
          {trans.__('Resume')}
        </button>
      </Panel>
    );
  }
  if (!active || !monitor || !status) {
    return null;
  }
  const waits = status === 'waiting' && !cancelling;
  const title = cancelling
    ? queued
      ? trans.__('Cancelling')
      : trans.__('Stopping')
    : status === 'queued'
      ? trans.__('Queued')
      : waits
        ? trans.__('Waits for you')
        : trans.__('Running');
  const facts =
    status === 'queued'
      ? monitor.position
        ? trans.__('place %1', monitor.position)
        : trans.__('starting')
      : [elapsed(ranMs(monitor, now)), money(monitor.totalCostUsd)].join(' · ');
  return (
    <Panel position="bottom-center" className="ca-Pill">
      <StateDot state={status} />
      <strong>{title}</strong>
      <span className="ca-Pill-facts">{facts}</span>
      {waits && (
        <button type="button" className="ca-Review" onClick={() => actions.review()}>
          {trans.__('Review')}
        </button>
      )}
      <button
        type="button"
        className={queued ? 'ca-Review' : 'ca-Stop'}
        disabled={cancelling}
        onClick={() => void actions.stop()}
      >
        {!queued && <Icon name="stop" solid />}
        {stopLabel(trans, queued)}
      </button>
    </Panel>
  );
}
