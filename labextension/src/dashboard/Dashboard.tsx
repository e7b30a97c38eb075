/**
 * The dashboard: what agents cost, used and took, over time and by project, model, agent and tool.
 */
import '../../style/theme.css';
import '../../style/shared.css';
import '../../style/dashboard.css';
import '../../style/dashboard-tables.css';
import '../../style/forced.css';

import { useEffect } from 'react';
import { useStore } from 'zustand';

import type { Metrics, MetricsWindow } from '../api/types';
import { total } from '../stores/dashboard';
import type { DashboardActions, DashboardState } from '../stores/dashboard';
import { duration, money, shortModel, tokens } from '../ui/format';
import type { GlyphName } from '../ui/glyphs';
import { Icon } from '../ui/Icon';
import { advice, statusLabel } from '../ui/labels';
import type { Translation } from '../ui/labels';

import { Chart } from './Chart';
import { Executions } from './Executions';
import type { Ranked } from './Ranking';
import { Ranking } from './Ranking';
import { costBins, costPoints, durationPoints, queuePoints, statusPoints, tokenPoints } from './series';
import { Tiles } from './Tiles';

export interface DashboardProps {
  trans: Translation;
  actions: DashboardActions;
  /** Whether somebody sees it: it asks the server only then. */
  visible: boolean;
  onOpen: (projectId: string, executionId?: string) => void;
  onNew: () => void;
  onProjects: () => void;
}

const WINDOWS: readonly MetricsWindow[] = ['1h', '24h', '7d', '30d'];

function windowLabel(trans: Translation, window: MetricsWindow): string {
  switch (window) {
    case '1h':
      return trans.__('1 hour');
    case '24h':
      return trans.__('24 hours');
    case '7d':
      return trans.__('7 days');
    case '30d':
      return trans.__('30 days');
  }
}

function Choices({ trans, actions, state }: Shown): JSX.Element {
  const { window, project, projects, metrics, simulated } = state;
  const apart = simulated ?? metrics?.of_simulated ?? false;
  return (
    <div className="ca-Dashboard-choices" role="toolbar" aria-label={trans.__('What is shown')}>
      <div className="ca-Segments" role="group" aria-label={trans.__('Window')}>
        {WINDOWS.map(each => (
          <button
            key={each}
            type="button"
            aria-pressed={each === window}
            onClick={() => void actions.choose({ window: each })}
          >
            {windowLabel(trans, each)}
          </button>
        ))}
      </div>
      <div className="ca-Segments" role="group" aria-label={trans.__('Which executions')}>
        <button type="button" aria-pressed={!apart} onClick={() => void actions.choose({ simulated: false })}>
          {trans.__('Paid')}
        </button>
        <button type="button" aria-pressed={apart} onClick={() => void actions.choose({ simulated: true })}>
          {trans.__('Simulated')}
        </button>
      </div>
      <label className="ca-Select">
        <span className="ca-Hidden">{trans.__('Project')}</span>
        <select
          value={project ?? ''}
          onChange={event => void actions.choose({ project: event.target.value || null })}
        >
          <option value="">{trans.__('All projects')}</option>
          {projects.map(row => (
            <option key={row.id} value={row.id}>
              {row.name}
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        className="ca-Button"
        aria-label={trans.__('Refresh')}
        title={trans.__('Refresh')}
        onClick={() => void actions.load()}
      >
        <Icon name="refresh" />
      </button>
    </div>
  );
}

interface Shown extends DashboardProps {
  state: DashboardState;
}

function Charts({ trans, metrics }: { trans: Translation; metrics: Metrics }): JSX.Element {
  const nothing = trans.__('Nothing in this window.');
  const count = (value: number) => String(value);
  const each =
    metrics.bucket_s >= 86_400
      ? trans.__('Cost by day')
      : metrics.bucket_s >= 3_600
        ? trans.__('Cost by hour')
        : trans.__('Cost by five minutes');
  return (
    <>
      {!metrics.of_simulated && (
        <Chart
          trans={trans}
          title={each}
          sum={money(metrics.cost_usd)}
          data={costPoints(metrics)}
          series={[{ key: 'cost', label: trans.__('Cost'), colour: 'var(--ca-accent)' }]}
          kind="bars"
          format={money}
          nothing={trans.__('Nothing was paid for in this window.')}
        />
      )}
      {!metrics.of_simulated && (
        <Chart
          trans={trans}
          title={trans.__('Executions by cost')}
          data={costBins(metrics, trans)}
          series={[{ key: 'executions', label: trans.__('Executions'), colour: 'var(--ca-subagent)' }]}
          kind="bars"
          format={count}
          steps="whole"
          everyLabel
          nothing={trans.__('Nothing that was paid for has ended in this window.')}
        />
      )}
      <Chart
        trans={trans}
        title={trans.__('Tokens by kind')}
        data={tokenPoints(metrics)}
        series={[
          { key: 'cached', label: trans.__('Cached input'), colour: 'var(--ca-mcp)' },
          { key: 'written', label: trans.__('Input written to the cache'), colour: 'var(--ca-subagent)' },
          { key: 'fresh', label: trans.__('Fresh input'), colour: 'var(--ca-accent)' },
          { key: 'output', label: trans.__('Output'), colour: 'var(--ca-hook)' }
        ]}
        kind="bars"
        format={tokens}
        steps="whole"
        nothing={nothing}
      />
      <Chart
        trans={trans}
        title={trans.__('Executions by status')}
        sum={String(total(metrics.executions))}
        data={statusPoints(metrics)}
        series={[
          { key: 'completed', label: statusLabel(trans, 'completed'), colour: 'var(--ca-good)' },
          { key: 'failed', label: statusLabel(trans, 'failed'), colour: 'var(--ca-bad)' },
          { key: 'cancelled', label: statusLabel(trans, 'cancelled'), colour: 'var(--ca-muted)' },
          { key: 'open', label: trans.__('not ended'), colour: 'var(--ca-accent)' }
        ]}
        kind="bars"
        format={count}
        steps="whole"
        nothing={nothing}
      />
      <Chart
        trans={trans}
        title={trans.__('Duration of completed executions')}
        data={durationPoints(metrics)}
        series={[
          { key: 'p50', label: trans.__('median (p50)'), colour: 'var(--ca-accent)' },
          { key: 'p95', label: trans.__('95 % within (p95)'), colour: 'var(--ca-hook)', dash: '5 4' }
        ]}
        kind="lines"
        format={duration}
        steps="time"
        nothing={trans.__('Nothing has completed in this window.')}
      />
      <Chart
        trans={trans}
        title={trans.__('Queue length, and running')}
        data={queuePoints(metrics)}
        series={[
          { key: 'running', label: trans.__('running'), colour: 'var(--ca-accent)' },
          { key: 'waiting', label: trans.__('in the queue'), colour: 'var(--ca-hook)', dash: '5 4' }
        ]}
        kind="lines"
        format={count}
        steps="whole"
        nothing={nothing}
      />
    </>
  );
}

function sourceIcon(source: string): GlyphName {
  return source === 'subagent' ? 'subagent' : source.startsWith('mcp:') ? 'mcp' : 'tool';
}

function Rankings({ trans, metrics }: { trans: Translation; metrics: Metrics }): JSX.Element {
  const free = metrics.of_simulated;
  const spent = (figures: {
    cost_usd?: number;
    usage?: Metrics['usage'];
  }): Pick<Ranked, 'size' | 'cells'> => {
    const { usage } = figures;
    const all = Object.values(usage ?? {}).reduce((sum, count) => sum + count, 0);
    const cost = figures.cost_usd ?? 0;
    return { size: free ? all : cost, cells: free ? [tokens(all)] : [tokens(all), money(cost)] };
  };
  const columns = free ? [trans.__('Tokens')] : [trans.__('Tokens'), trans.__('Cost')];
  const nothing = trans.__('Nothing in this window.');
  const title = (cost: string, plain: string) => (free ? plain : cost);
  return (
    <>
      <Ranking
        title={trans.__('Most used tools')}
        what={trans.__('Tool')}
        columns={[trans.__('Calls'), trans.__('Failed'), trans.__('Mean')]}
        rows={metrics.by_tool.map(tool => ({
          key: `${tool.source} ${tool.tool}`,
          label: tool.tool.replace(/^agent__/, '').replace(/^mcp__[^_]+__/, ''),
          detail: tool.source.startsWith('mcp:') ? tool.source.slice(4) : undefined,
          icon: sourceIcon(tool.source),
          size: tool.calls ?? 0,
          cells: [
            String(tool.calls ?? 0),
            String(tool.errors ?? 0),
            tool.mean_ms === null || tool.mean_ms === undefined ? '–' : duration(tool.mean_ms)
          ]
        }))}
        colour="var(--ca-mcp)"
        nothing={trans.__('No tool was called in this window.')}
      />
      <Ranking
        title={title(trans.__('Cost by project'), trans.__('Tokens by project'))}
        what={trans.__('Project')}
        columns={[trans.__('Runs'), ...columns]}
        rows={metrics.by_project.map(project => {
          const { size, cells } = spent(project);
          return {
            key: project.project_id,
            label: project.project_name,
            size,
            cells: [String(project.executions ?? 0), ...cells]
          };
        })}
        colour="var(--ca-accent)"
        nothing={nothing}
      />
      <Ranking
        title={title(trans.__('Cost by model'), trans.__('Tokens by model'))}
        what={trans.__('Model')}
        columns={[trans.__('Turns'), ...columns]}
        rows={metrics.by_model.map(model => {
          const { size, cells } = spent(model);
          return {
            key: model.model,
            label: shortModel(model.model),
            size,
            cells: [String(model.turns ?? 0), ...cells]
          };
        })}
        colour="var(--ca-subagent)"
        nothing={nothing}
      />
      <Ranking
        title={title(trans.__('Cost by agent'), trans.__('Tokens by agent'))}
        what={trans.__('Agent')}
        columns={[trans.__('Turns'), ...columns]}
        rows={metrics.by_agent.map(agent => {
          const { size, cells } = spent(agent);
          return {
            key: `${agent.project_id} ${agent.agent}`,
            label: agent.agent,
            detail: agent.project_name,
            icon: agent.agent === 'main' ? 'agent' : 'subagent',
            size,
            cells: [String(agent.turns ?? 0), ...cells]
          };
        })}
        colour="var(--ca-hook)"
        nothing={nothing}
      />
    </>
  );
}

function Empty({ trans, state, actions, onNew, onProjects }: Shown): JSX.Element {
  const none = state.metrics?.projects === 0;
  return (
    <div className="ca-Empty">
      <Icon name="chart" />
      <h2>
        {none
          ? trans.__('Nothing has run yet')
          : trans.__('Nothing ran in the last %1', windowLabel(trans, state.window))}
      </h2>
      <p>
        {none
          ? trans.__(
              'Make a project from a template and press Run: the simulated model plays it without any account. What it used and took then stands here.'
            )
          : trans.__('Open a project and press Run. What it cost, used and took then stands here.')}
      </p>
      <div className="ca-Empty-buttons">
        <button type="button" className="ca-Primary" onClick={none ? onNew : onProjects}>
          {none ? trans.__('New agent project') : trans.__('Show agent projects')}
        </button>
        {!none && state.window !== '30d' && (
          <button
            type="button"
            className="ca-Secondary"
            onClick={() => void actions.choose({ window: '30d' })}
          >
            {trans.__('Look at 30 days')}
          </button>
        )}
      </div>
    </div>
  );
}

function Figures(props: Shown & { metrics: Metrics }): JSX.Element {
  const { trans, actions, state, metrics, onOpen } = props;
  return (
    <>
      {metrics.of_simulated && (
        <p className="ca-Note-line">
          <Icon name="info" />
          {trans.__('Simulated and replayed executions: no model was asked, nothing was charged.')}
        </p>
      )}
      {!metrics.complete && (
        <p className="ca-Note-line" role="status">
          <Icon name="info" />
          {trans.__('The figures are being added up from the logs again; they grow until that is done.')}
        </p>
      )}
      <Tiles trans={trans} metrics={metrics} />
      <div className="ca-Charts">
        <Charts trans={trans} metrics={metrics} />
        <Rankings trans={trans} metrics={metrics} />
      </div>
      <Executions
        trans={trans}
        rows={state.rows}
        more={state.next !== null}
        status={state.status}
        onStatus={status => void actions.choose({ status })}
        onMore={() => void actions.more()}
        onOpen={onOpen}
        onPin={(id, pinned) => void actions.pin(id, pinned)}
      />
    </>
  );
}

export function Dashboard(props: DashboardProps): JSX.Element {
  const { trans, actions, visible } = props;
  const state = useStore(actions.store);
  useEffect(() => (visible ? actions.look() : undefined), [actions, visible]);
  const { metrics, trouble } = state;
  const empty = metrics && total(metrics.executions) + total(metrics.simulated) === 0 && !metrics.cost_usd;
  return (
    <div className="ca-Dashboard">
      <div className="ca-Dashboard-head">
        <h1>{trans.__('Agent dashboard')}</h1>
        <Choices {...props} state={state} />
      </div>
      {trouble && (
        <div className="ca-Note-line" role="alert" data-bad>
          <Icon name="warning" />
          <span>
            {[trouble.code === 'OFFLINE' ? null : trouble.message, advice(trans, trouble.code)]
              .filter(Boolean)
              .join(' ')}
          </span>
          <button type="button" className="ca-Link" onClick={() => void actions.load()}>
            {trans.__('Try again')}
          </button>
        </div>
      )}
      {metrics &&
        (empty ? <Empty {...props} state={state} /> : <Figures {...props} state={state} metrics={metrics} />)}
    </div>
  );
}
