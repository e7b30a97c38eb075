/**
 * Status at a glance: a shape and a colour, never colour alone.
 */
import type { Status } from '../api/types';

export type DotState = Status | 'idle' | 'done' | 'stopped';

/** Running is a full dot, done a ring with a tick, failed a square, the rest a hollow ring. */
export function StateDot({ state }: { state: DotState }): JSX.Element {
  return <span className="ca-Dot" data-state={state} aria-hidden="true" />;
}
