/**
 * The steps of an execution as bars on one line of time, as a trace viewer draws them: pure.
 *
 * A delegation is one bar, as it is one row of the tree; a turn is the bar of its model call. Bars carry
 * the id of their step, so that tree and timeline mark the same thing.
 */
import type { AgentStep, Monitor, Step, StepState } from './monitor';
import { serverOf } from './moments';
import { delegates } from './rows';
import type { Read } from './sections';
import { append, Sections } from './sections';

/** What takes less to be made ready is not worth a word. */
const READY_MS = 50;

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
  /** When the execution had begun that was made ready until `start`; only of a first bar that came later. */
  ready?: number;
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

type Turn = Extract<Step, { kind: 'turn' }>;

/** The bar of a turn's model call: from when its agent could ask, to its reply. */
function modelBar(step: Turn, asked: number, depth: number, read: Read): Bar {
  const inside = step.children.map(read);
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

/** When the last of a turn had ended, as far as it has. */
function lastEnd(step: Turn, steps: Monitor['steps']): number {
  let last = step.repliedAt ?? step.startedAt;
  for (const child of step.children) {
    last = Math.max(last, steps.get(child)?.endedAt ?? 0);
  }
  return last;
}

function agentsIn(step: Step, read: Read): AgentStep[] {
  return step.children.map(read).filter((each): each is AgentStep => each?.kind === 'agent');
}

/** Bars in the order of the tree, and the time they span; `sections`: what is kept between two calls. */
export function timelineOf(monitor: Monitor, sections = new Sections<Bar>()): Timeline {
  const all: Bar[] = [];
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
  const inTurn = (step: Turn, asked: number, depth: number, bars: Bar[], read: Read): void => {
    bars.push(modelBar(step, asked, depth, read));
    step.children.forEach(child => visit(child, depth, bars, read));
  };
  const inAgent = (agent: AgentStep, depth: number, bars: Bar[], read: Read): void => {
    let asked = agent.startedAt;
    for (const id of agent.children) {
      const step = read(id);
      if (step?.kind !== 'turn') {
        visit(id, depth, bars, read);
        continue;
      }
      const own = bars === all ? (sections.find(id, steps, asked) ?? turn(step, asked, depth)) : null;
      if (own) {
        append(bars, own);
      } else {
        inTurn(step, asked, depth, bars, read);
      }
      asked = lastEnd(step, steps);
    }
  };
  const turn = (step: Turn, asked: number, depth: number) =>
    delegates(monitor, step)
      ? null
      : sections.make(step.id, steps, asked, read => {
          const made: Bar[] = [];
          read(step.id);
          inTurn(step, asked, depth, made, read);
          return made;
        });
  const visit = (id: string, depth: number, bars: Bar[], read: Read): void => {
    const step = read(id);
    if (step?.kind === 'agent') {
      const kind = step.label === 'main' ? 'agent' : 'subagent';
      const { costUsd, tokens } = step;
      bars.push({ ...common(step, depth), kind, name: step.name, costUsd, tokens });
      inAgent(step, depth + 1, bars, read);
    } else if (step?.kind === 'tool') {
      const agents = step.source === 'subagent' ? agentsIn(step, read) : [];
      if (agents.length === 1) {
        const [agent] = agents;
        const { name, costUsd, tokens } = agent;
        bars.push({ ...common(step, depth), kind: 'subagent', name, costUsd, tokens });
        inAgent(agent, depth + 1, bars, read);
      } else {
        const kind = step.source === 'subagent' ? 'subagent' : serverOf(step) ? 'mcp' : 'tool';
        bars.push({ ...common(step, depth), kind, name: step.tool });
        agents.forEach(agent => visit(agent.id, depth + 1, bars, read));
      }
      step.children
        .filter(child => read(child)?.kind === 'hook')
        .forEach(child => visit(child, depth + 1, bars, read));
    } else if (step?.kind === 'hook') {
      const start = step.startedAt - step.durationMs;
      bars.push({ ...common(step, depth), kind: 'hook', name: step.hook, start });
    }
  };
  monitor.roots.forEach(id => visit(id, 0, all, each => steps.get(each)));
  const start = all.reduce((least, bar) => Math.min(least, bar.start), monitor.startedAt ?? Infinity);
  const known = monitor.lastEvent ? Date.parse(monitor.lastEvent.ts) : 0;
  const first = all[0];
  if (first && monitor.startedAt !== null && first.start - monitor.startedAt >= READY_MS) {
    all[0] = { ...first, ready: monitor.startedAt };
  }
  const end = all.reduce((most, bar) => Math.max(most, bar.end ?? bar.start), monitor.endedAt ?? known);
  return { bars: all, start: Number.isFinite(start) ? start : end, end };
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
