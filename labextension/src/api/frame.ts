/**
 * One piece of news about executions, whichever way it came.
 */
import type { ExecutionEvent, ExecutionState } from './types';

export interface Frame {
  execution_id: string;
  event?: ExecutionEvent;
  state?: ExecutionState;
  /** This log cannot be watched; the others go on. */
  error?: { code: string; message: string };
}
