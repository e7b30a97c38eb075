/**
 * Words for codes, translated: one switch each, with literal strings so that extraction finds them.
 */
import type { ExecutionEvent, ExecutionState } from '../api/types';
import type { CardKind } from '../graph/graph';
import type { NewKind } from '../graph/items';
import type { Refusal } from '../graph/wires';
import type { Kind } from '../stores/kinds';
import type { CardRun } from '../stores/monitor';

export { statusLabel } from './statusLabel';

/** The part of Lab's translation bundle that views use. */
export interface Translation {
  __(text: string, ...values: (string | number)[]): string;
  _n(one: string, many: string, count: number, ...values: (string | number)[]): string;
}

/** What ends an execution: one that has not begun is only taken out of the queue. */
export function stopLabel(trans: Translation, queued: boolean): string {
  return queued ? trans.__('Cancel') : trans.__('Stop');
}

export function cardStateLabel(trans: Translation, state: CardRun['state']): string {
  switch (state) {
    case 'running':
      return trans.__('running');
    case 'waiting':
      return trans.__('waits for you');
    case 'done':
      return trans.__('done');
    case 'failed':
      return trans.__('failed');
    case 'stopped':
      return trans.__('stopped');
  }
}

export function kindLabel(trans: Translation, kind: CardKind): string {
  switch (kind) {
    case 'agent':
      return trans.__('agent');
    case 'subagent':
      return trans.__('subagent');
    case 'hook':
      return trans.__('hook');
    case 'mcp':
      return trans.__('MCP server');
    case 'note':
      return trans.__('note');
  }
}

/** What a new card is called, until somebody names it. */
export function newName(trans: Translation, kind: NewKind): string {
  switch (kind) {
    case 'subagent':
      return trans.__('Subagent');
    case 'hook':
      return trans.__('Hook');
    case 'mcp':
      return trans.__('MCP server');
    case 'note':
      return trans.__('Note');
  }
}

/** Why an execution ended, in a word or two. */
export function endLabel(trans: Translation, code: string): string {
  switch (code) {
    case 'COST_LIMIT_EXCEEDED':
      return trans.__('cost limit');
    case 'TOKEN_LIMIT_EXCEEDED':
      return trans.__('token limit');
    case 'TURN_LIMIT_EXCEEDED':
      return trans.__('turn limit');
    case 'TIMEOUT':
      return trans.__('time limit');
    case 'QUEUE_TIMEOUT':
      return trans.__('waited too long');
    case 'INTERRUPTED':
      return trans.__('interrupted');
    case 'DISK_FULL':
      return trans.__('disk full');
    case 'READ_ONLY':
      return trans.__('data folder read-only');
    case 'OVERLOADED':
      return trans.__('server overloaded');
    default:
      return trans.__('failed');
  }
}

/** What a person can do about a failed request or execution. */
export function advice(trans: Translation, code: string): string | null {
  switch (code) {
    case 'OFFLINE':
      return trans.__('The Jupyter server does not answer. Check that it still runs, then try again.');
    case 'COST_LIMIT_EXCEEDED':
      return trans.__('Raise the cost limit in the properties, or ask for less, then run again.');
    case 'TOKEN_LIMIT_EXCEEDED':
      return trans.__('Raise the token limit in the properties, or ask for less, then run again.');
    case 'TURN_LIMIT_EXCEEDED':
      return trans.__('Raise the turn limit in the properties, or split the task, then run again.');
    case 'TIMEOUT':
      return trans.__('Raise the time limit in the properties, or split the task, then run again.');
    case 'MODEL_UNAVAILABLE':
    case 'MODEL_ERROR':
      return trans.__('Check the model key and the connection to the model service, then run again.');
    case 'QUEUE_FULL':
      return trans.__('Stop an execution that waits, or try again when one has ended.');
    default:
      return null;
  }
}

/** Why two cards cannot be connected, and what can. */
export function refusalLabel(trans: Translation, refusal: Refusal): string {
  switch (refusal) {
    case 'itself':
      return trans.__('A card cannot be connected to itself.');
    case 'already':
      return trans.__('These two are connected already.');
    case 'circle':
      return trans.__('That would be a circle: an agent would end up delegating to itself.');
    case 'depth':
      return trans.__('Subagents can be at most three below one another.');
    case 'hook':
      return trans.__('Hooks belong to the agent; they watch its subagents too.');
    case 'kinds':
      return trans.__('Connect an agent or a subagent to what it uses: a subagent, a server, or the hooks.');
  }
}

export function kindOfStepLabel(trans: Translation, kind: Kind): string {
  switch (kind) {
    case 'thinking':
      return trans.__('Thinking');
    case 'text':
      return trans.__('Text');
    case 'tool':
      return trans.__('Tools');
    case 'agent':
      return trans.__('Agents');
    case 'hook':
      return trans.__('Hooks');
    case 'warning':
      return trans.__('Warnings');
    case 'state':
      return trans.__('State and cost');
  }
}

/** Where an execution came from. */
export function originLabel(trans: Translation, origin: ExecutionState['origin']): string {
  switch (origin) {
    case 'panel':
      return trans.__('panel');
    case 'notebook':
      return trans.__('notebook');
    case 'cli':
      return trans.__('shell');
    case 'mcp':
      return trans.__('MCP');
    case 'key':
      return trans.__('API key');
    case 'api':
      return trans.__('API');
  }
}

export function eventLabel(trans: Translation, type: ExecutionEvent['type']): string {
  switch (type) {
    case 'queued':
      return trans.__('queued');
    case 'start':
      return trans.__('start');
    case 'interrupted':
      return trans.__('interrupted');
    case 'resumed':
      return trans.__('resumed');
    case 'agent_start':
      return trans.__('agent starts');
    case 'agent_complete':
      return trans.__('agent is done');
    case 'thinking':
      return trans.__('thinking');
    case 'text':
      return trans.__('text');
    case 'tool_call':
      return trans.__('call');
    case 'client_call':
      return trans.__('asks its caller');
    case 'tool_result':
      return trans.__('result');
    case 'approval_required':
      return trans.__('asks');
    case 'approval':
      return trans.__('answer');
    case 'waiting':
      return trans.__('waits');
    case 'running':
      return trans.__('runs');
    case 'hook':
      return trans.__('hook');
    case 'cost_update':
      return trans.__('cost');
    case 'warning':
      return trans.__('warning');
    case 'complete':
      return trans.__('complete');
    case 'error':
      return trans.__('error');
    case 'cancelled':
      return trans.__('cancelled');
  }
}
