/**
 * What the status bar says: executions that go on, and money since midnight. Pure.
 */
import type { ExecutionState } from '../api/types';
import { hasEnded } from '../api/types';

export interface Today {
  running: number;
  waiting: number;
  /** US dollars since the reader's midnight; null while it is not known. */
  costUsd: number | null;
}

/** A stretch of time and what was spent in it. */
export interface Spent {
  start: string;
  cost_usd: number;
}

/** The last midnight of the reader's clock. */
export function midnight(now: Date): Date {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate());
}

/** Money of the stretches that begin today. */
export function spentToday(buckets: readonly Spent[], now: Date): number {
  const since = midnight(now).getTime();
  return buckets.reduce((sum, each) => sum + (Date.parse(each.start) >= since ? each.cost_usd : 0), 0);
}

export function todayOf(states: readonly ExecutionState[], costUsd: number | null): Today {
  const going = states.filter(state => !hasEnded(state.status) && state.status !== 'interrupted');
  const waiting = going.filter(state => state.status === 'waiting').length;
  return { running: going.length - waiting, waiting, costUsd };
}
