/**
 * The execution monitor at the bottom: which execution, how it stands, its steps or its files.
 */
import { useRef } from 'react';
import type { KeyboardEvent, PointerEvent } from 'react';

import type { MonitorTab } from '../stores/project';
import { LEAST_DRAWER, drawerHeight, fittingDrawer, isListed, isSimulated } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';
import { statusLabel } from '../ui/labels';
import { StateDot } from '../ui/StateDot';

import { Files } from './Files';
import { Meters, useReadings } from './Meters';
import { Tree } from './Tree';

/** One press of an arrow key on the divider. */
const STEP = 32;

function Divider(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const height = useProject(drawerHeight);
  const most = useProject(state => fittingDrawer(state, Infinity));
  const start = useRef<{ y: number; height: number } | null>(null);
  const set = (value: number) => actions.resizeDrawer(Math.max(LEAST_DRAWER, Math.min(most, value)));
  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    start.current = { y: event.clientY, height };
  };
  const onPointerMove = (event: PointerEvent<HTMLDivElement>) => {
    if (start.current) {
      set(start.current.height + start.current.y - event.clientY);
    }
  };
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    const by = event.key === 'ArrowUp' ? STEP : event.key === 'ArrowDown' ? -STEP : 0;
    if (by) {
      event.preventDefault();
      set(height + by);
    }
  };
  return (
    // A separator that takes focus is a widget; the rule does not know that.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      className="ca-Drawer-divider"
      role="separator"
      aria-orientation="horizontal"
      aria-label={trans.__('Height of the execution monitor')}
      aria-valuenow={height}
      aria-valuemin={LEAST_DRAWER}
      aria-valuemax={Number.isFinite(most) ? most : undefined}
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={() => (start.current = null)}
      onKeyDown={onKeyDown}
    />
  );
}

/** Which execution canvas and monitor show. */
function Picker(): JSX.Element | null {
  const { trans } = useUi();
  const actions = useActions();
  const executions = useProject(state => state.executions);
  const shown = useProject(state => state.executionId);
  if (executions.length < 2 || !shown) {
    return null;
  }
  const when = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
  return (
    <select
      className="ca-Picker"
      aria-label={trans.__('Execution shown')}
      value={shown}
      onChange={event => actions.show(event.target.value)}
    >
      {!executions.some(each => each.execution_id === shown) && (
        <option value={shown}>{trans.__('new')}</option>
      )}
      {executions.slice(0, 20).map(each => (
        <option key={each.execution_id} value={each.execution_id}>
          {[when.format(new Date(each.created_at)), statusLabel(trans, each.status)].join(' · ')}
        </option>
      ))}
    </select>
  );
}

function Status(): JSX.Element | null {
  const { trans } = useUi();
  const monitor = useProject(state => state.monitor);
  const readings = useReadings();
  const turn = useProject(state => state.monitor?.cards.agent?.turn ?? 0);
  if (!monitor) {
    return null;
  }
  const words = statusLabel(trans, monitor.status);
  return (
    <span
      className="ca-Badge ca-Status"
      data-state={monitor.status}
      role="status"
      title={readings.map(each => each.line).join('\n')}
    >
      <StateDot state={monitor.status} />
      {words}
      {monitor.status === 'running' && turn > 0 && (
        <span className="ca-Status-turn">{trans.__('· turn %1', turn)}</span>
      )}
    </span>
  );
}

export function Drawer(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const { open, tab } = useProject(state => state.drawer);
  const height = useProject(drawerHeight);
  const shown = useProject(state => state.monitor !== null);
  const simulated = useProject(isSimulated);
  const count = useProject(state => state.files?.filter(file => isListed(file.path)).length ?? 0);
  const tabs: [MonitorTab, string][] = [
    ['steps', trans.__('Steps')],
    ['files', count ? trans.__('Files %1', count) : trans.__('Files')]
  ];
  return (
    <section className="ca-Drawer" data-open={open || undefined} aria-label={trans.__('Execution monitor')}>
      {open && <Divider />}
      <header className="ca-Drawer-head">
        <button
          type="button"
          className="ca-Drawer-fold"
          aria-expanded={open}
          title={open ? trans.__('Fold the monitor') : trans.__('Open the monitor')}
          onClick={() => actions.toggleDrawer()}
        >
          <Icon name={open ? 'down' : 'up'} />
          <strong>{trans.__('Execution')}</strong>
        </button>
        <Status />
        {simulated && (
          <span
            className="ca-Chip"
            data-tone="info"
            title={trans.__(
              'Simulated model, no account used: it decides the steps; the tools really run, so figures are real.'
            )}
          >
            <Icon name="info" />
            <span className="ca-Chip-long">{trans.__('Simulated model: no account used')}</span>
            <span className="ca-Chip-short">{trans.__('simulated')}</span>
          </span>
        )}
        <Meters />
        <Picker />
        {shown && (
          <div className="ca-Tabs" role="tablist" aria-label={trans.__('Views of the execution')}>
            {tabs.map(([id, label]) => (
              <button
                key={id}
                type="button"
                role="tab"
                aria-selected={open && tab === id}
                onClick={() => actions.showTab(id)}
              >
                {label}
              </button>
            ))}
          </div>
        )}
      </header>
      {open && (
        <div className="ca-Drawer-body" style={{ height }}>
          {!shown ? (
            <div className="ca-Hint">
              {trans.__('Press Run: every step, its cost and its files appear here.')}
            </div>
          ) : tab === 'files' ? (
            <Files />
          ) : (
            <Tree />
          )}
        </div>
      )}
    </section>
  );
}
