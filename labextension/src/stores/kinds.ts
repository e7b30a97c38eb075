/**
 * Kinds of steps and events that a reader filters by, and the search through their words: pure.
 */
import type { ExecutionEvent } from '../api/types';

import type { Listing } from './log';
import type { Monitor, Step } from './monitor';

export const KINDS = ['thinking', 'text', 'tool', 'agent', 'hook', 'warning', 'state'] as const;
export type Kind = (typeof KINDS)[number];

export interface Filter {
  /** Kinds that are left out. */
  hidden: readonly Kind[];
  /** Words that a step or event has to contain, whatever their case. */
  text: string;
}

export const NO_FILTER: Filter = { hidden: [], text: '' };

export function isFiltering(filter: Filter): boolean {
  return filter.hidden.length > 0 || filter.text.trim() !== '';
}

export function kindOfEvent(event: ExecutionEvent): Kind {
  switch (event.type) {
    case 'thinking':
    case 'text':
    case 'hook':
    case 'warning':
      return event.type;
    case 'tool_call':
    case 'tool_result':
    case 'approval_required':
    case 'approval':
      return 'tool';
    case 'agent_start':
    case 'agent_complete':
      return 'agent';
    default:
      return 'state';
  }
}

/** Words of an event, kept as long as the event: a search reads them at every key. */
const WORDS = new WeakMap<object, string>();

function wordsOf(thing: object, make: () => string): string {
  let words = WORDS.get(thing);
  if (words === undefined) {
    words = make().toLowerCase();
    WORDS.set(thing, words);
  }
  return words;
}

/** The events that the filter lets through; the same list when it lets all through. */
export function filteredEvents(events: Listing<ExecutionEvent>, filter: Filter): Listing<ExecutionEvent> {
  if (!isFiltering(filter)) {
    return events;
  }
  const wanted = filter.text.trim().toLowerCase();
  return events.filter(
    event =>
      !filter.hidden.includes(kindOfEvent(event)) &&
      (!wanted || wordsOf(event, () => JSON.stringify(event)).includes(wanted))
  );
}

/** What a filter has let through so far. */
export interface Filtered {
  events: Listing<ExecutionEvent>;
  filter: Filter;
  shown: Listing<ExecutionEvent>;
}

/** The same for a log that has grown since `before`: only what is new is looked at. */
export function filteredOn(
  before: Filtered | null,
  events: Listing<ExecutionEvent>,
  filter: Filter
): Filtered {
  const known = before?.events.length ?? 0;
  const grown =
    before !== null &&
    before.filter === filter &&
    known > 0 &&
    known <= events.length &&
    before.events.at(0) === events.at(0) &&
    before.events.at(known - 1) === events.at(known - 1);
  if (!grown || !isFiltering(filter)) {
    return { events, filter, shown: filteredEvents(events, filter) };
  }
  const fresh = filteredEvents(events.slice(known), filter);
  return { events, filter, shown: fresh.length ? [...before.shown, ...fresh] : before.shown };
}

function kindOfStep(step: Step): Kind | null {
  return step.kind === 'turn'
    ? null
    : step.kind === 'tool' && step.source === 'subagent'
      ? 'agent'
      : step.kind;
}

function textOf(step: Step): string {
  switch (step.kind) {
    case 'agent':
      return [step.name, step.label, step.prompt].join('\n');
    case 'turn':
      return '';
    case 'thinking':
    case 'text':
      return step.content;
    case 'tool':
      return [step.tool, JSON.stringify(step.input), JSON.stringify(step.output)].join('\n');
    case 'hook':
      return [step.hook, step.outcome, step.message].join('\n');
    case 'warning':
      return [step.code, step.message].join('\n');
  }
}

/** Ids of the steps that the filter lets through, with those they stand in; null when it lets all through. */
export function filteredSteps(monitor: Monitor, filter: Filter): ReadonlySet<string> | null {
  if (!isFiltering(filter)) {
    return null;
  }
  const wanted = filter.text.trim().toLowerCase();
  const kept = new Set<string>();
  for (const step of monitor.steps.values()) {
    const kind = kindOfStep(step);
    const fits =
      kind !== null &&
      !filter.hidden.includes(kind) &&
      (!wanted || wordsOf(step, () => textOf(step)).includes(wanted));
    for (let at: string | null = fits ? step.id : null; at !== null && !kept.has(at);) {
      kept.add(at);
      at = monitor.steps.get(at)?.parent ?? null;
    }
  }
  return kept;
}
