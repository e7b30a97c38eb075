/**
 * The steps of an execution as bars on one line of time, as a trace viewer draws them: pure.
 *
 * A delegation is one bar, as it is one row of the tree; a turn is the bar of its model call. Bars carry
 * the id of their step, so that tree and timeline mark the same thing.
 */
import type { AgentStep, Monitor, Step, StepState } from './monitor';
import { serverOf } from './moments';

export type BarKind = 'agent' | 'model' | 'tool' | 'mcp' | 'subagent' | 'hook';

export interface Bar {
  id: string;
  kind: BarKind;
  /** What it is: a tool, an agent's name, a hook; empty for a model call. */
  name: string;
  depth: number;
  /** Server times in milliseconds; the end is null while it goes on. */
  start: number;
  end: number | null;
  state: StepState;
  costUsd: number | null;
  tokens: number | null;
}

export interface Timeline {
  bars: readonly Bar[];
  start: number;
  /** The last moment that anything is known of. */
  end: number;
}

/** The bar of a turn's model call: from when its agent could ask, to its reply. */
function modelBar(
  step: Extract<Step, { kind: 'turn' }>,
  asked: number,
  depth: number,
  steps: Monitor['steps']
): Bar {
  const inside = step.children.map(id => steps.get(id));
  const firstCall = inside.find(each => each?.kind === 'tool')?.startedAt ?? null;
  const going = step.state === 'running' && step.repliedAt === null && firstCall === null;
  const said = inside.reduce(
    (last, each) =>
      each?.kind === 'text' || each?.kind === 'thinking' ? Math.max(last, each.endedAt ?? 0) : last,
    step.startedAt
  );
  const end = going ? null : (step.repliedAt ?? firstCall ?? step.endedAt ?? said);
  return {
    id: step.id,
    kind: 'model',
    name: '',
    depth,
    start: Math.min(asked, step.startedAt),
    end: end === null ? null : Math.max(end, step.startedAt),
    state: going ? 'running' : step.state === 'running' ? 'done' : step.state,
    costUsd: step.costUsd,
    tokens: step.tokens
  };
}

function delegates(monitor: Monitor, step: Step): AgentStep[] {
  return step.children
    .map(id => monitor.steps.get(id))
    .filter((each): each is AgentStep => each?.kind === 'agent');
}

/** Bars in the order of the tree, and the time they span. */
export function timelineOf(monitor: Monitor): Timeline {
  const bars: Bar[] = [];
  const { steps } = monitor;
  const common = (step: Step, depth: number) => ({
    id: step.id,
    depth,
    start: step.startedAt,
    end: step.endedAt,
    state: step.state,
    costUsd: null,
    tokens: null
  });
  const inAgent = (agent: AgentStep, depth: number): void => {
    let asked = agent.startedAt;
    for (const id of agent.children) {
      const step = steps.get(id);
      if (step?.kind === 'turn') {
        bars.push(modelBar(step, asked, depth, steps));
        step.children.forEach(child => visit(child, depth));
        asked = step.children.reduce(
          (last, child) => Math.max(last, steps.get(child)?.endedAt ?? 0),
          step.repliedAt ?? step.startedAt
        );
      } else {
        visit(id, depth);
      }
    }
  };
  const visit = (id: string, depth: number): void => {
    const step = steps.get(id);
    if (step?.kind === 'agent') {
      const kind = step.label === 'main' ? 'agent' : 'subagent';
      const { costUsd, tokens } = step;
      bars.push({ ...common(step, depth), kind, name: step.name, costUsd, tokens });
      inAgent(step, depth + 1);
    } else if (step?.kind === 'tool') {
      const agents = step.source === 'subagent' ? delegates(monitor, step) : [];
      if (agents.length === 1) {
        const [agent] = agents;
        const { name, costUsd, tokens } = agent;
        bars.push({ ...common(step, depth), kind: 'subagent', name, costUsd, tokens });
        inAgent(agent, depth + 1);
      } else {
        const kind = step.source === 'subagent' ? 'subagent' : serverOf(step) ? 'mcp' : 'tool';
        bars.push({ ...common(step, depth), kind, name: step.tool });
        agents.forEach(agent => visit(agent.id, depth + 1));
      }
      step.children
        .filter(child => steps.get(child)?.kind === 'hook')
        .forEach(child => visit(child, depth + 1));
    } else if (step?.kind === 'hook') {
      const start = step.startedAt - step.durationMs;
      bars.push({ ...common(step, depth), kind: 'hook', name: step.hook, start });
    }
  };
  monitor.roots.forEach(id => visit(id, 0));
  const start = bars.reduce((least, bar) => Math.min(least, bar.start), monitor.startedAt ?? Infinity);
  const known = monitor.lastEvent ? Date.parse(monitor.lastEvent.ts) : 0;
  const end = bars.reduce((most, bar) => Math.max(most, bar.end ?? bar.start), monitor.endedAt ?? known);
  return { bars, start: Number.isFinite(start) ? start : end, end };
}

/** Lengths of one interval on the axis, in milliseconds. */
const INTERVALS = [
  10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
  1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000
];

/** Distances from the start at which the axis has a mark: about `wanted` of them. */
export function marksOf(length: number, wanted: number): number[] {
  const interval = INTERVALS.find(each => length / each <= wanted) ?? length;
  const count = interval > 0 ? Math.floor(length / interval) : 0;
  return Array.from({ length: count + 1 }, (_, index) => index * interval);
}
