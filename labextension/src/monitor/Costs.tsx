/**
 * The Cost tab: money over time, per agent. The chart itself is loaded when somebody looks at it.
 */
import { lazy, Suspense, useMemo } from 'react';

import { costSeries } from '../stores/costs';
import { useProject, useProjectAtLeisure, useUi } from '../ui/context';
import { money } from '../ui/format';

import { TokenKinds } from './TokenKinds';

const CostChart = lazy(() => import('../charts/CostChart').then(module => ({ default: module.CostChart })));

export function Costs(): JSX.Element {
  const { trans } = useUi();
  const events = useProjectAtLeisure('timeline', state => state.runs.events);
  const definition = useProject(state => state.history?.definition ?? null);
  const cap = useProject(state => state.monitor?.limits?.max_cost_usd ?? null);
  const total = useProject(state => state.monitor?.totalCostUsd ?? null);
  const series = useMemo(() => costSeries(events), [events]);
  if (!series.points.length) {
    return (
      <div className="ca-Costs">
        <TokenKinds />
        <div className="ca-Hint">
          {total === null
            ? trans.__('No price is known for this model, so there is no cost to draw.')
            : trans.__('The line begins with the first reply of the model.')}
        </div>
      </div>
    );
  }
  const nameOf = (agent: string) =>
    agent === 'main'
      ? (definition?.agent.name ?? agent)
      : (definition?.subagents.find(each => each.id === agent)?.name ?? agent);
  return (
    <div className="ca-Costs">
      <TokenKinds />
      <Suspense fallback={<div className="ca-Hint">{trans.__('Loading')}</div>}>
        <CostChart
          points={series.points}
          agents={series.agents.map(id => ({ id, name: nameOf(id) }))}
          cap={cap}
          words={{
            total: trans.__('all'),
            cap: trans.__('cap %1', money(cap)),
            warn: trans.__('80 %'),
            label: trans.__('Cost over time, %1 in all', money(total))
          }}
        />
      </Suspense>
    </div>
  );
}
