/**
 * Between steps and the events that made them, and what a running execution waits for: pure.
 */
import type { ExecutionEvent } from '../api/types';

import type { Listing } from './log';
import type { AgentStep, Monitor, Step, ToolStep } from './monitor';

/** The events that a step was made from. */
export function eventsOf(events: Listing<ExecutionEvent>, step: Step): ExecutionEvent[] {
  if (step.kind === 'hook' || step.kind === 'warning') {
    const id = Number(step.id.split(':')[1]);
    return events.filter(event => event.id === id);
  }
  if (step.kind === 'thinking' || step.kind === 'text') {
    const first = Number(step.id.slice(step.id.lastIndexOf(':') + 1));
    const pieces: ExecutionEvent[] = [];
    for (const event of events.slice(first - 1)) {
      if (event.type === step.kind && event.span === step.parent) {
        pieces.push(event);
        if (event.final) {
          break;
        }
      }
    }
    return pieces;
  }
  return events.filter(
    event => event.span === step.id && event.type !== 'hook' && event.type !== 'warning' && !isProse(event)
  );
}

function isProse(event: ExecutionEvent): boolean {
  return event.type === 'thinking' || event.type === 'text';
}

/** Number of the main agent's turn that a step belongs to; null before the first. */
export function mainTurnOf(monitor: Monitor, step: Step): number | null {
  for (
    let at: Step | undefined = step;
    at;
    at = at.parent === null ? undefined : monitor.steps.get(at.parent)
  ) {
    if (at.kind === 'turn' && at.parent === 'main') {
      return at.number;
    }
  }
  return null;
}

/** The event from which a fork takes the turn of `step` anew: the first of that turn, else the first of all. */
export function forkPoint(events: Listing<ExecutionEvent>, monitor: Monitor, step: Step | null): number {
  const turn = step && mainTurnOf(monitor, step);
  if (!turn) {
    return 1;
  }
  const span = `main/${turn}`;
  return events.find(event => event.span === span || event.span.startsWith(`${span}/`))?.id ?? 1;
}

/** A call of the main agent with a result, which a fork may change; null for any other step. */
export function changeableCall(monitor: Monitor, step: Step | null): ToolStep | null {
  if (step?.kind !== 'tool' || step.durationMs === null || step.parent === null) {
    return null;
  }
  const turn = monitor.steps.get(step.parent);
  return turn?.kind === 'turn' && turn.parent === 'main' ? step : null;
}

/** Event that holds the result of a call. */
export function resultEvent(events: Listing<ExecutionEvent>, call: ToolStep): number | null {
  return events.find(event => event.type === 'tool_result' && event.span === call.id)?.id ?? null;
}

export interface Wait {
  what: 'model' | 'mcp';
  /** Who is waited for: the MCP server's id, or the agent that asks the model. */
  name: string;
  since: number;
}

/** The MCP server that a running call waits for. */
export function serverOf(step: ToolStep): string | null {
  return step.source.startsWith('mcp:') ? step.source.slice('mcp:'.length) : null;
}

function isOpen(step: Step | undefined): boolean {
  return step !== undefined && step.state === 'running';
}

/** Agents whose model has been asked and has not said anything yet, with the time since when. */
export function modelWaits(monitor: Monitor): Wait[] {
  if (monitor.status !== 'running' || !monitor.lastEvent) {
    return [];
  }
  const waits: Wait[] = [];
  monitor.steps.each(step => {
    if (step.kind === 'agent' && isOpen(step) && step.result === null) {
      const since = silentSince(monitor, step);
      if (since !== null) {
        waits.push({ what: 'model', name: step.label, since });
      }
    }
  });
  return waits;
}

/** Since when nothing happens in an agent that still runs; null while something does. */
function silentSince(monitor: Monitor, agent: AgentStep): number | null {
  let since = agent.startedAt;
  for (const id of agent.children) {
    const turn = monitor.steps.get(id);
    if (turn?.kind !== 'turn') {
      continue;
    }
    for (const child of turn.children) {
      const step = monitor.steps.get(child);
      if (isOpen(step)) {
        return null;
      }
      since = Math.max(since, step?.endedAt ?? 0);
    }
    since = Math.max(since, turn.repliedAt ?? turn.startedAt);
  }
  return since;
}
