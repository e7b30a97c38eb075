/**
 * The execution monitor at the bottom: which execution, how it stands, its steps or its files.
 */
import { useRef } from 'react';
import type { KeyboardEvent, PointerEvent } from 'react';

import type { MonitorTab } from '../stores/project';
import { LEAST_DRAWER, drawerHeight, fittingDrawer, isListed, isSimulated } from '../stores/select';
import { useActions, useProject, useProjectAtLeisure, useUi } from '../ui/context';
import { Icon } from '../ui/Icon';
import { statusLabel } from '../ui/labels';
import { StateDot } from '../ui/StateDot';

import { Costs } from './Costs';
import { DrawerMenu } from './DrawerMenu';
import { Events } from './Events';
import { Files } from './Files';
import { Meters, useReadings } from './Meters';
import { Pace } from './Pace';
import { Picker } from './Picker';
import { Timeline } from './Timeline';
import { Tree } from './Tree';

/** From this width of the tab on, the timeline stands beside the tree. */
const BESIDE_PX = 1_000;
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

function Status(): JSX.Element | null {
  const { trans } = useUi();
  const status = useProject(state => state.monitor?.status);
  const readings = useReadings();
  const turn = useProjectAtLeisure('figures', state => state.monitor?.cards.agent?.turn ?? 0);
  if (!status) {
    return null;
  }
  const words = statusLabel(trans, status);
  return (
    <span
      className="ca-Badge ca-Status"
      data-state={status}
      role="status"
      title={readings.map(each => each.line).join('\n')}
    >
      <StateDot state={status} />
      {words}
      {status === 'running' && turn > 0 && (
        <span className="ca-Status-turn">{trans.__('· turn %1', turn)}</span>
      )}
    </span>
  );
}

function Views(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const { open, tab } = useProject(state => state.drawer);
  const count = useProject(state => state.files?.filter(file => isListed(file.path)).length ?? 0);
  const tabs: [MonitorTab, string][] = [
    ['steps', trans.__('Steps')],
    ['timeline', trans.__('Timeline')],
    ['events', trans.__('Events')],
    ['files', count ? trans.__('Files %1', count) : trans.__('Files')],
    ['cost', trans.__('Cost')]
  ];
  return (
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
  );
}

function Steps(): JSX.Element {
  const beside = useProject(state => state.width >= BESIDE_PX);
  return beside ? (
    <div className="ca-Steps">
      <Tree />
      <Timeline beside />
    </div>
  ) : (
    <Tree />
  );
}

function Body({ tab }: { tab: MonitorTab }): JSX.Element {
  switch (tab) {
    case 'steps':
      return <Steps />;
    case 'timeline':
      return <Timeline />;
    case 'events':
      return <Events />;
    case 'files':
      return <Files />;
    case 'cost':
      return <Costs />;
  }
}

/** Opens the filter of the views that have one. */
function FilterButton(): JSX.Element | null {
  const { trans } = useUi();
  const actions = useActions();
  const { open, tab } = useProject(state => state.drawer);
  const filtering = useProject(state => state.runs.filtering);
  if (!open || tab === 'files' || tab === 'cost') {
    return null;
  }
  return (
    <button
      type="button"
      className="ca-Button"
      aria-label={trans.__('Filter and search')}
      title={trans.__('Filter and search (/)')}
      aria-pressed={filtering}
      onClick={() => actions.runs.toggleFilter()}
    >
      <Icon name="filter" />
    </button>
  );
}

export function Drawer(): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const { open, tab } = useProject(state => state.drawer);
  const height = useProject(drawerHeight);
  const shown = useProject(state => state.monitor !== null);
  const simulated = useProject(isSimulated);
  const onKeyDown = (event: KeyboardEvent) => {
    const typing = (event.target as HTMLElement).closest('input, textarea, select');
    if (event.key === '/' && !typing && open && tab !== 'files' && tab !== 'cost') {
      event.preventDefault();
      event.stopPropagation();
      actions.runs.toggleFilter();
    }
  };
  return (
    // "/" anywhere in the monitor opens its filter.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <section
      className="ca-Drawer"
      data-open={open || undefined}
      aria-label={trans.__('Execution monitor')}
      onKeyDown={onKeyDown}
    >
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
        <Pace />
        <Meters />
        <Picker />
        {shown && <Views />}
        {shown && (
          <span className="ca-Drawer-tools">
            <FilterButton />
            <DrawerMenu />
          </span>
        )}
      </header>
      {open && (
        <div className="ca-Drawer-body" style={{ height }}>
          {shown ? (
            <Body tab={tab} />
          ) : (
            <div className="ca-Hint">
              {trans.__('Press Run: every step, its cost and its files appear here.')}
            </div>
          )}
        </div>
      )}
    </section>
  );
}
