/**
 * What a person does with executions: look closer, run again, fork, compare, keep. The shape of it.
 *
 * Not here: what is done (`runActions.ts`) and what the monitor shows (`monitor.ts`).
 */
import type { CassetteRow, ExecutionEvent, VersionRow } from '../api/types';

import type { RunDraft } from './drafts';
import { EMPTY_DRAFT } from './drafts';
import type { Filter } from './kinds';
import { NO_FILTER } from './kinds';
import { Log } from './log';
import type { Monitor } from './monitor';

/** Two executions beside each other; a monitor is null until its events are there. */
export interface Comparison {
  left: { id: string; monitor: Monitor | null };
  right: { id: string; monitor: Monitor | null };
}

export interface RunsState {
  /** Events of the shown execution, in order: that with id n stands at n - 1. */
  events: Log<ExecutionEvent>;
  /** The step that tree and timeline mark. */
  step: string | null;
  filtering: boolean;
  filter: Filter;
  /** What the dialog before a run holds; the last values of this project before it was opened. */
  draft: RunDraft;
  /** What the dialog offers: null until it is known. */
  versions: readonly VersionRow[] | null;
  cassettes: readonly CassetteRow[] | null;
  uploading: number;
  /** The dialog of a fork, with the step it starts from; null when it is closed. */
  forking: { step: string | null } | null;
  comparison: Comparison | null;
  /** Where older executions go on; null when all are known. */
  older: string | null;
  /** Something that went well, until it is dismissed or something else happens. */
  note: string | null;
  /** Events that came after a lost connection, until that is read. */
  caughtUp: number | null;
}

export const NO_RUNS: RunsState = {
  events: Log.of([]),
  step: null,
  filtering: false,
  filter: NO_FILTER,
  draft: EMPTY_DRAFT,
  versions: null,
  cassettes: null,
  uploading: 0,
  forking: null,
  comparison: null,
  older: null,
  note: null,
  caughtUp: null
};
