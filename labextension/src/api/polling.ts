/**
 * What a stream would have told, from JSON pages instead: for a way here that holds streams back.
 *
 * One look asks for the events that each watched log has grown by and for the states of recent executions.
 * Not here: when to look, and what to do with what is found (`stream.ts`).
 */
import { ApiError, errorOf } from './errors';
import type { Frame } from './frame';
import { query } from './requests';
import type { Transport } from './requests';
import type { ExecutionEvent, ExecutionState, Page } from './types';
import { hasEnded } from './types';

/** How many executions one look asks for. */
const RECENT = 30;
const ENDINGS = ['complete', 'error', 'cancelled'];
/** Answers that say a log cannot be watched, now or later. */
const GONE = ['NOT_FOUND', 'EXPIRED', 'UNREADABLE_FILE'];

export class Polling {
  constructor(
    private _transport: Transport,
    private _take: (frame: Frame) => void
  ) {}

  /**
   * Tell all that is new in the logs of `wishes`, each from an event on. Answers whether more may follow
   * soon; fails as its requests do.
   */
  async look(wishes: ReadonlyMap<string, number>, signal: AbortSignal): Promise<boolean> {
    for (const id of this._ends.keys()) {
      if (!wishes.has(id)) {
        this._ends.delete(id);
      }
    }
    const [live, ...going] = await Promise.all([
      this._states(signal),
      ...[...wishes].map(([id, from]) => this._events(id, from, signal))
    ]);
    return live || going.includes(true);
  }

  /** Whether any execution goes on. */
  private async _states(signal: AbortSignal): Promise<boolean> {
    const { items } = await this._page<ExecutionState>(`executions${query({ limit: RECENT })}`, signal);
    const before = this._told;
    this._told = new Map(items.map(state => [state.execution_id, JSON.stringify(state)]));
    for (const state of items) {
      if (before.get(state.execution_id) !== this._told.get(state.execution_id)) {
        this._take({ execution_id: state.execution_id, state });
      }
    }
    return items.some(({ status }) => !hasEnded(status) && status !== 'interrupted');
  }

  /** Whether this log may still grow. */
  private async _events(id: string, from: number, signal: AbortSignal): Promise<boolean> {
    if (from > (this._ends.get(id) ?? Infinity)) {
      return false;
    }
    try {
      for (let cursor: string | null | undefined; cursor !== null;) {
        const path = `executions/${id}/events${query(cursor ? { cursor } : { from_event: from })}`;
        const page: Page<ExecutionEvent> = await this._page(path, signal);
        for (const event of page.items) {
          this._take({ execution_id: id, event });
        }
        const last = page.items[page.items.length - 1];
        if (last && ENDINGS.includes(last.type)) {
          this._ends.set(id, last.id);
        }
        cursor = page.next_cursor;
      }
    } catch (error) {
      if (error instanceof ApiError && GONE.includes(error.code)) {
        this._take({ execution_id: id, error });
        return false;
      }
      throw error;
    }
    return !this._ends.has(id);
  }

  private async _page<T>(path: string, signal: AbortSignal): Promise<Page<T>> {
    const response = await this._transport(path, { signal });
    if (!response.ok) {
      throw await errorOf(response);
    }
    return (await response.json()) as Page<T>;
  }

  /** The last event of each log that is known to be whole. */
  private _ends = new Map<string, number>();
  /** Each state of the last list, as it was told. */
  private _told = new Map<string, string>();
}
