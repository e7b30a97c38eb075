/**
 * The steps of an execution as the list of rows that the monitor draws: pure.
 *
 * A turn adds no depth (its rows stand under a quiet heading), and a delegation is one row: the call and
 * the subagent inside it are the same thing to a reader.
 */
import type { AgentStep, Monitor, Step, ToolStep } from './monitor';
import type { Read } from './sections';
import { append, Sections } from './sections';

export interface Row {
  step: Step;
  depth: number;
  /** Whether there are rows inside, and whether they are shown. */
  expandable: boolean;
  open: boolean;
  /** The subagent that a delegation's row stands for. */
  delegate?: AgentStep;
}

/** Steps whose folding the reader has changed. */
export type Toggled = ReadonlySet<string>;

function delegateOf(read: Read, step: Step): AgentStep | undefined {
  if (step.kind !== 'tool' || step.source !== 'subagent') {
    return undefined;
  }
  const agents = step.children.map(read).filter(each => each?.kind === 'agent');
  return agents.length === 1 ? (agents[0] as AgentStep) : undefined;
}

/** The last text of the main agent when the execution's result only repeats it. */
function repeated(monitor: Monitor): string | null {
  if (monitor.result === null) {
    return null;
  }
  let found: string | null = null;
  const walk = (ids: readonly string[], depth: number) => {
    for (const id of ids) {
      const step = monitor.steps.get(id);
      if (step?.kind === 'text') {
        found = step.content.trim() === monitor.result?.trim() ? id : null;
      } else if (step && depth < 2) {
        walk(step.kind === 'agent' || step.kind === 'turn' ? step.children : [], depth + 1);
      }
    }
  };
  walk(monitor.roots, 0);
  return found;
}

/** Whether a row's inside is shown before the reader has said anything. */
export function opensByItself(step: Step | ToolStep): boolean {
  return (
    step.kind === 'agent' || step.kind === 'turn' || (step.kind === 'tool' && step.source === 'subagent')
  );
}

/** Steps that have to be unfolded before `id` has a row. */
export function foldedAbove(monitor: Monitor, toggled: Toggled, id: string): string[] {
  const folded: string[] = [];
  for (
    let at = monitor.steps.get(id)?.parent ?? null;
    at !== null;
    at = monitor.steps.get(at)?.parent ?? null
  ) {
    const step = monitor.steps.get(at);
    if (step && opensByItself(step) === toggled.has(at)) {
      folded.push(at);
    }
  }
  return folded;
}

/** Place of the row that stands for the step `id`; -1 where there is none. */
export function rowIndex(rows: readonly Row[], id: string | null): number {
  return id === null ? -1 : rows.findIndex(row => row.step.id === id || row.delegate?.id === id);
}

/** Whether somebody else's steps may stand inside this one: a turn that delegates. */
export function delegates({ steps }: Pick<Monitor, 'steps'>, step: Step): boolean {
  return step.children.some(id => {
    const child = steps.get(id);
    return child?.kind === 'agent' || (child?.kind === 'tool' && child.source === 'subagent');
  });
}

/**
 * The rows to draw, in order; `only`: the steps that a filter lets through; `sections`: what is kept between two
 * calls, for turns in which nothing changes any more.
 */
export function rowsOf(
  monitor: Monitor,
  toggled: Toggled,
  only: ReadonlySet<string> | null = null,
  sections = new Sections<Row>()
): Row[] {
  const all: Row[] = [];
  const hidden = repeated(monitor);
  const { steps } = monitor;
  const visit = (id: string, depth: number, rows: Row[], read: Read): void => {
    const step = read(id);
    if (!step || id === hidden || (only && !only.has(id))) {
      return;
    }
    if (step.kind === 'turn' && rows === all) {
      const own = sections.find(id, steps, depth) ?? turn(step, depth);
      if (own) {
        append(rows, own);
        return;
      }
    }
    const delegate = delegateOf(read, step);
    const inside = delegate
      ? [...step.children.filter(child => child !== delegate.id), ...delegate.children]
      : step.children;
    const asks = step.kind === 'tool' && step.question !== null && step.state === 'running';
    const contents = step.kind === 'tool' && step.source !== 'subagent' && !asks;
    const expandable = inside.length > 0 || contents || step.kind === 'thinking';
    const open = expandable && opensByItself(step) !== toggled.has(id);
    rows.push({ step, depth, expandable, open, delegate });
    if (open) {
      inside.forEach(child => visit(child, step.kind === 'turn' ? depth : depth + 1, rows, read));
    }
  };
  const turn = (step: Step, depth: number) =>
    delegates(monitor, step)
      ? null
      : sections.make(step.id, steps, depth, read => {
          const made: Row[] = [];
          visit(step.id, depth, made, read);
          return made;
        });
  sections.under([toggled, only, hidden]);
  monitor.roots.forEach(id => visit(id, 0, all, each => steps.get(each)));
  return all;
}
