/**
 * The moves that the fold is made of: each changes one draft of a monitor, none knows all events.
 */
import type { ExecutionEvent } from '../api/types';
import { cardOfAgent } from '../graph/graph';

import type { CardRun, Monitor, ProseStep, Step, StepBase, StepState, ToolStep, TurnStep } from './monitor';
import type { StepsDraft } from './steps';

/** A monitor that may be written to while one batch is taken in. */
export interface Draft extends Omit<Monitor, 'steps' | 'roots' | 'cards'> {
  steps: StepsDraft;
  roots: string[];
  cards: Record<string, CardRun>;
}

/** The span that `span` lies in, null for an agent at the top. */
export function parentSpan(span: string): string | null {
  const cut = span.lastIndexOf('/');
  return cut < 0 ? null : span.slice(0, cut);
}

/** Put `step` under its parent, or at the top. */
export function add(draft: Draft, step: Step): void {
  if (draft.steps.has(step.id)) {
    return;
  }
  draft.steps.set(step.id, step);
  const parent = step.parent === null ? undefined : draft.steps.get(step.parent);
  if (parent) {
    draft.steps.grow(parent.id, step.id);
  } else {
    draft.roots.push(step.id);
  }
}

/** Change the step `id`, if it is there and of that kind (null: of any). */
export function update<T extends Step>(
  draft: Draft,
  id: string,
  kind: T['kind'] | null,
  change: Partial<T>
): void {
  const step = draft.steps.get(id);
  if (step && (kind === null || step.kind === kind)) {
    draft.steps.set(id, { ...step, ...change } as Step);
  }
}

/** What every step has when it begins. */
export function begun(id: string, parent: string | null, at: number): StepBase {
  return { id, parent, children: [], state: 'running', startedAt: at, endedAt: null };
}

/** Change what the card `id` shows. */
export function card(draft: Draft, id: string, at: number, change: (run: CardRun) => Partial<CardRun>): void {
  const run: CardRun = draft.cards[id] ?? {
    state: 'running',
    instances: 0,
    active: 0,
    turn: 0,
    tool: null,
    toolSince: null,
    startedAt: at,
    endedAt: null,
    tokens: 0,
    costUsd: 0,
    calls: 0
  };
  draft.cards[id] = { ...run, ...change(run) };
}

/** The turn that `span` names, made if its first event is only coming now. */
export function ensureTurn(draft: Draft, span: string, label: string, at: number): void {
  const parent = parentSpan(span);
  const number = Number(span.slice(span.lastIndexOf('/') + 1));
  if (parent === null || draft.steps.has(span) || !Number.isInteger(number)) {
    return;
  }
  closeTurns(draft, parent, at);
  const turn: TurnStep = {
    ...begun(span, parent, at),
    kind: 'turn',
    number,
    tokens: null,
    costUsd: null,
    repliedAt: null
  };
  add(draft, turn);
  card(draft, cardOfAgent(label), at, run => ({ turn: Math.max(run.turn, number) }));
}

/** A new turn of an agent means that its earlier ones are over. */
function closeTurns(draft: Draft, agentSpan: string, at: number): void {
  const children = draft.steps.get(agentSpan)?.children ?? [];
  for (let place = children.length - 1; place >= 0; place--) {
    const step = draft.steps.get(children[place]);
    if (step?.kind === 'turn') {
      if (step.state !== 'running') {
        return; // Those before it were over when it began.
      }
      update(draft, step.id, 'turn', { state: 'done', endedAt: at });
    }
  }
}

/** Everything inside `id` that still runs, ends as `state`. */
export function closeInside(draft: Draft, id: string, state: StepState, at: number): void {
  const step = draft.steps.get(id);
  if (!step) {
    return;
  }
  if (step.state === 'running') {
    update(draft, id, null, { state, endedAt: at });
  }
  step.children.forEach(child => closeInside(draft, child, state, at));
}

/** The last block of that kind in its turn which still grows. */
function openProse(draft: Draft, event: Pick<ExecutionEvent, 'type' | 'span'>): ProseStep | undefined {
  const siblings = draft.steps.get(event.span)?.children ?? [];
  for (let place = siblings.length - 1; place >= 0; place--) {
    const step = draft.steps.get(siblings[place]);
    if (step?.kind === event.type && step.state === 'running') {
      return step as ProseStep;
    }
  }
  return undefined;
}

/** A piece of thinking or text: appended to the open block of its turn, or a new one. */
export function prose(
  draft: Draft,
  event: Extract<ExecutionEvent, { type: 'text' | 'thinking' }>,
  at: number
): void {
  ensureTurn(draft, event.span, event.agent, at);
  const open = openProse(draft, event);
  const ended = event.final ? { state: 'done' as const, endedAt: at } : {};
  if (open) {
    update<ProseStep>(draft, open.id, event.type, { content: open.content + event.content, ...ended });
  } else if (event.content) {
    const id = `${event.span}/${event.type}:${event.id}`;
    add(draft, { ...begun(id, event.span, at), kind: event.type, content: event.content, ...ended });
  }
}

/** What a turn had said before its model call was repeated never counted. */
export function forgetSaid(draft: Draft, span: string): void {
  const turn = draft.steps.get(span);
  if (turn?.kind !== 'turn') {
    return;
  }
  const said = (id: string) => ['text', 'thinking'].includes(draft.steps.get(id)?.kind ?? '');
  const gone = turn.children.filter(said);
  draft.steps.set(span, { ...turn, children: turn.children.filter(id => !gone.includes(id)) });
  gone.forEach(id => draft.steps.delete(id));
}

/** Step under which a thing that happens at `span` is shown: the nearest that exists. */
export function shownUnder(draft: Draft, span: string): string | null {
  for (let at: string | null = span; at !== null; at = parentSpan(at)) {
    if (draft.steps.has(at)) {
      return at;
    }
  }
  return null;
}

/** A delegation that failed leaves its card failed, whether or not the subagent could still say so. */
export function failedSubagents(draft: Draft, call: ToolStep, at: number): void {
  for (const id of draft.steps.get(call.id)?.children ?? []) {
    const agent = draft.steps.get(id);
    if (agent?.kind === 'agent') {
      card(draft, cardOfAgent(agent.label), at, run => {
        const active = run.endedAt === null ? Math.max(0, run.active - 1) : run.active;
        return active ? { active } : { active, state: 'failed', endedAt: at, tool: null, toolSince: null };
      });
    }
  }
}
