/**
 * What has happened between two looks at the executions, for whoever is told: pure.
 */
import type { ExecutionState } from '../api/types';

export interface News {
  kind: 'finished' | 'failed' | 'waiting' | 'answered';
  state: ExecutionState;
}

/** What was known of each execution. */
export type Known = ReadonlyMap<string, ExecutionState['status']>;

/**
 * News of `states` since `known`. Of an execution that nobody had seen yet, only those made `since` then are
 * news: the rest is history. What a person stopped is no news to them.
 */
export function newsOf(known: Known, states: readonly ExecutionState[], since: number): News[] {
  const news: News[] = [];
  for (const state of states) {
    const before = known.get(state.execution_id);
    if (before === state.status || (before === undefined && Date.parse(state.created_at) < since)) {
      continue;
    }
    if (before === 'waiting') {
      news.push({ kind: 'answered', state });
    }
    if (state.status === 'completed') {
      news.push({ kind: 'finished', state });
    } else if (state.status === 'failed') {
      news.push({ kind: 'failed', state });
    } else if (state.status === 'waiting') {
      news.push({ kind: 'waiting', state });
    }
  }
  return news;
}

export function knownOf(states: readonly ExecutionState[]): Known {
  return new Map(states.map(state => [state.execution_id, state.status]));
}
