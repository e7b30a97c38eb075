/**
 * Money over time, per agent, out of an execution's events: pure.
 */
import type { ExecutionEvent } from '../api/types';

import type { Listing } from './log';

export interface CostPoint {
  /** Milliseconds since the start. */
  at: number;
  /** Money of all agents so far. */
  total: number;
  /** Money of each agent so far. */
  agents: Readonly<Record<string, number>>;
}

export interface CostSeries {
  /** Agents in order of appearance: `main`, then subagents, their instances together. */
  agents: string[];
  points: CostPoint[];
}

/** `statistician#2` and its siblings are one line. */
function lineOf(agent: string): string {
  return agent.replace(/#\d+$/, '');
}

/** What each agent had cost after each turn; no points where a price is unknown. */
export function costSeries(events: Listing<ExecutionEvent>): CostSeries {
  const start = events.find(event => event.type === 'start');
  const so: Record<string, number> = {};
  const points: CostPoint[] = [];
  for (const event of events) {
    if (event.type === 'cost_update' && event.turn_cost_usd !== null && event.total_cost_usd !== null) {
      const line = lineOf(event.agent);
      so[line] = (so[line] ?? 0) + event.turn_cost_usd;
      const at = start ? Date.parse(event.ts) - Date.parse(start.ts) : 0;
      points.push({ at, total: event.total_cost_usd, agents: { ...so } });
    }
  }
  const agents = Object.keys(so);
  const zero = Object.fromEntries(agents.map(agent => [agent, 0]));
  return {
    agents,
    points: points.length
      ? [
          { at: 0, total: 0, agents: zero },
          ...points.map(point => ({ ...point, agents: { ...zero, ...point.agents } }))
        ]
      : []
  };
}
