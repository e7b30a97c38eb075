/**
 * What a dashboard tab holds: what was asked for, the figures, and the table of executions.
 *
 * Figures are asked for again when an execution ends and now and then, as long as somebody looks.
 */
import { createStore } from 'zustand';
import type { StoreApi } from 'zustand';

import type { Client } from '../api/client';
import { ApiError } from '../api/errors';
import type { LiveExecutions } from '../api/live';
import type { ExecutionState, Metrics, MetricsWindow, ProjectRow, Status } from '../api/types';
import { hasEnded } from '../api/types';

/** Rows that are asked for at once. */
const ROWS = 25;
/** Time between two looks while nothing is heard, in milliseconds. */
const LOOK_MS = 30_000;
/** Endings within this time lead to one look. */
const GATHER_MS = 1_000;

export interface Trouble {
  code: string;
  message: string;
}

export interface DashboardState {
  window: MetricsWindow;
  /** Only this project's; all where null. */
  project: string | null;
  /** Simulated executions instead of paid ones; null: whichever there are. */
  simulated: boolean | null;
  status: Status | null;
  metrics: Metrics | null;
  projects: readonly ProjectRow[];
  rows: readonly ExecutionState[];
  /** Where the next page of rows begins; null where there is none. */
  next: string | null;
  trouble: Trouble | null;
}

export type DashboardStore = StoreApi<DashboardState>;

function troubleOf(error: unknown): Trouble {
  return error instanceof ApiError
    ? { code: error.code, message: error.message }
    : { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

/** How many executions of all statuses. */
export function total(counts: Metrics['executions']): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Whether nothing was paid for in the window, but something was simulated. */
function onlySimulated(metrics: Metrics): boolean {
  return total(metrics.executions) === 0 && metrics.cost_usd === 0 && total(metrics.simulated) > 0;
}

export class DashboardActions {
  constructor(
    private _client: Client,
    private _live: LiveExecutions
  ) {
    this.store = createStore<DashboardState>(() => ({
      window: '7d',
      project: null,
      simulated: null,
      status: null,
      metrics: null,
      projects: [],
      rows: [],
      next: null,
      trouble: null
    }));
  }

  readonly store: DashboardStore;

  /** Ask for other figures. */
  choose(wish: Partial<Pick<DashboardState, 'window' | 'project' | 'simulated' | 'status'>>): Promise<void> {
    this.store.setState(wish);
    return this.load();
  }

  /** Look now, and again whenever there is something new, until the returned function is called. */
  look(): () => void {
    let gathering: ReturnType<typeof setTimeout> | undefined;
    let ended = this._ended();
    const unsubscribe = this._live.subscribe(() => {
      const now = this._ended();
      if (now !== ended) {
        ended = now;
        clearTimeout(gathering);
        gathering = setTimeout(() => void this.load(), GATHER_MS);
      }
    });
    const timer = setInterval(() => void this.load(), LOOK_MS);
    void this.load();
    return () => {
      unsubscribe();
      clearInterval(timer);
      clearTimeout(gathering);
    };
  }

  /** Ask for figures and the first rows. What was asked for since then wins. */
  async load(): Promise<void> {
    const turn = ++this._turn;
    const { window, project, simulated, status } = this.store.getState();
    const wish = {
      window,
      project: project ?? undefined,
      utc_offset: -new Date().getTimezoneOffset()
    };
    try {
      const [first, projects] = await Promise.all([
        this._client.metrics({ ...wish, simulated: simulated ?? false }),
        this._client.projects(undefined, 1_000)
      ]);
      const metrics =
        simulated === null && onlySimulated(first)
          ? await this._client.metrics({ ...wish, simulated: true })
          : first;
      const page = await this._client.executions(this._filter(metrics.since, project, status));
      if (turn === this._turn) {
        this.store.setState({
          metrics,
          projects: projects.items,
          rows: page.items,
          next: page.next_cursor,
          trouble: null
        });
      }
    } catch (error) {
      if (turn === this._turn) {
        this.store.setState({ trouble: troubleOf(error) });
      }
    }
  }

  /** The next page of rows, below those that are shown. */
  async more(): Promise<void> {
    const { next, metrics, project, status } = this.store.getState();
    if (!next || !metrics) {
      return;
    }
    const turn = this._turn;
    try {
      const filter = { ...this._filter(metrics.since, project, status), cursor: next };
      const page = await this._client.executions(filter);
      if (turn === this._turn && next === this.store.getState().next) {
        this.store.setState(state => ({ rows: [...state.rows, ...page.items], next: page.next_cursor }));
      }
    } catch (error) {
      this.store.setState({ trouble: troubleOf(error) });
    }
  }

  /** Keep an execution beyond the server's retention, or no longer. */
  async pin(id: string, pinned: boolean): Promise<void> {
    try {
      const state = await this._client.pin(id, pinned);
      this.store.setState(({ rows }) => ({
        rows: rows.map(row => (row.execution_id === id ? state : row))
      }));
    } catch (error) {
      this.store.setState({ trouble: troubleOf(error) });
    }
  }

  private _filter(since: string, project: string | null, status: Status | null) {
    return {
      project: project ?? undefined,
      status: status ?? undefined,
      since,
      expired: true,
      limit: ROWS
    };
  }

  /** Which executions have ended or begun, as far as is known: a text that changes when one does. */
  private _ended(): string {
    return this._live.states.map(state => `${state.execution_id}${hasEnded(state.status)}`).join();
  }

  private _turn = 0;
}
