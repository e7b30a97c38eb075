/**
 * Answers that are worked out from a project's state: pure selectors, used by views and actions alike.
 */
import type { Definition, ExecutionState } from '../api/types';
import { hasEnded } from '../api/types';

import type { CardRun, Monitor } from './monitor';
import type { ProjectState } from './project';
import type { Steps } from './steps';

/** What counts as an edit: all but the view, and where cards stand, which save themselves. */
function edited(definition: Definition): Record<string, unknown> {
  return { ...definition, ui: definition.ui.notes };
}

/** Whether there are edits that only this tab has. */
export function isDirty(state: Pick<ProjectState, 'saved' | 'history'>): boolean {
  const { saved, history } = state;
  if (!saved || !history) {
    return false;
  }
  const draft = edited(history.definition);
  const before = edited(saved);
  return Object.keys(draft).some(
    key => draft[key] !== before[key] && JSON.stringify(draft[key]) !== JSON.stringify(before[key])
  );
}

/** The definition that canvas and properties show: the draft, or what is frozen in its place. */
export function shownDefinition(state: Pick<ProjectState, 'frozen' | 'history'>): Definition | null {
  return state.frozen?.definition ?? state.history?.definition ?? null;
}

/** What the card did in the shown execution, while its numbers still belong to what is drawn. */
export function cardRun(
  state: Pick<ProjectState, 'monitor' | 'numbersGone'>,
  card: string
): CardRun | undefined {
  return state.numbersGone ? undefined : state.monitor?.cards[card];
}

/** Whether the shown execution is still going on. */
export function isActive(state: Pick<ProjectState, 'monitor'>): boolean {
  return state.monitor !== null && !hasEnded(state.monitor.status);
}

/** Whether the shown execution waits for its turn; one of which nothing is known yet does not. */
export function isQueued(state: Pick<ProjectState, 'monitor'>): boolean {
  return state.monitor?.status === 'queued' && state.monitor.lastEventId > 0;
}

/** How many calls of the shown execution wait for a person. */
export function openQuestions({ monitor }: Pick<ProjectState, 'monitor'>): number {
  if (!monitor) {
    return 0;
  }
  let count = QUESTIONS.get(monitor.steps);
  if (count === undefined) {
    let open = 0;
    monitor.steps.each(step => {
      open += step.kind === 'tool' && step.question !== null && step.state === 'running' ? 1 : 0;
    });
    count = open;
    QUESTIONS.set(monitor.steps, count);
  }
  return count;
}

/** Counted once for all who ask at each change of the store. */
const QUESTIONS = new WeakMap<Steps, number>();

/** Milliseconds that an execution has run by the server's time `now`, waiting left out. */
export function ranMs(monitor: Monitor, now: number): number {
  const until = monitor.restsSince ?? monitor.endedAt ?? now;
  return monitor.startedAt === null ? 0 : Math.max(0, until - monitor.startedAt - monitor.restedMs);
}

/** Names of variables that a run must be given: required, and without a default. */
export function variablesToAsk(definition: Definition): string[] {
  return Object.entries(definition.variables)
    .filter(([, variable]) => variable.required && variable.default === null)
    .map(([name]) => name);
}

/** Whether a run needs a prompt because the project brings no task. */
export function needsPrompt(definition: Definition): boolean {
  return definition.agent.task.trim() === '';
}

/** What a reader calls a tool: a subagent's name, a server's tool without its prefix. */
export function toolTitle(definition: Definition | null, tool: string): string {
  const subagent = /^agent__(.+)$/.exec(tool)?.[1];
  if (subagent) {
    return definition?.subagents.find(each => each.id === subagent)?.name ?? subagent;
  }
  return /^mcp__.+?__(.+)$/.exec(tool)?.[1] ?? tool;
}

/** The execution to show first: the newest that is going on, else the newest. */
export function executionToShow(executions: readonly ExecutionState[]): ExecutionState | null {
  return executions.find(each => !hasEnded(each.status)) ?? executions[0] ?? null;
}

/** All of `lists`, newest first; of one execution what is newest, of equals that of the later list. */
export function joined(...lists: (readonly ExecutionState[])[]): ExecutionState[] {
  const known = new Map<string, ExecutionState>();
  for (const state of lists.flat()) {
    const other = known.get(state.execution_id);
    if (!other || other.last_event_id <= state.last_event_id) {
      known.set(state.execution_id, state);
    }
  }
  return [...known.values()].sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
}

/** Whether a file is worth listing: pictures that a row of the tree shows already are not. */
export function isListed(path: string): boolean {
  return !path.startsWith('.artifacts/');
}

/** Whether this execution is played by the simulated model. */
export function isSimulated(state: Pick<ProjectState, 'monitor' | 'executions' | 'executionId'>): boolean {
  const known = state.executions.find(each => each.execution_id === state.executionId);
  return state.monitor?.simulated ?? known?.simulated ?? false;
}

/** Whether the next run would be simulated, as far as is known. */
export function willSimulate(state: Pick<ProjectState, 'models' | 'history' | 'credentials'>): boolean {
  // The check knows of a key among the project's secrets; the server's list of models does not.
  const credentials = state.credentials ?? state.models?.credentials;
  return state.history?.definition.agent.simulate === true || credentials === 'none';
}

/** Bounds of the drawer's height below its head, in CSS pixels: the canvas keeps at least as much. */
export const LEAST_DRAWER = 120;
const KEEP_CANVAS = 200;
/** In a tab that has not room for both the canvas keeps this share, and what so many pixels leave. */
const KEEP_SHARE = 0.26;
const BOTH = 300;
/** Heights of the drawer's head and of the toolbar, in CSS pixels. */
const HEAD = 41;
/** Share of the tab that the drawer takes with its head until somebody resizes it. */
const SHARE = 0.38;

/** `height` within what a tab of this size has room for. */
export function fittingDrawer(state: Pick<ProjectState, 'height'>, height: number): number {
  const kept = Math.min(KEEP_CANVAS, Math.max(state.height * KEEP_SHARE, state.height - BOTH));
  const most = state.height ? state.height - 2 * HEAD - kept : Infinity;
  return Math.round(Math.max(LEAST_DRAWER, Math.min(most, height)));
}

/** Height of the drawer below its head, in CSS pixels. */
export function drawerHeight(state: Pick<ProjectState, 'height' | 'drawer'>): number {
  return fittingDrawer(state, state.drawer.height ?? state.height * SHARE - HEAD);
}
