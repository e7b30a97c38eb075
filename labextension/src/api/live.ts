/**
 * What is known right now about executions: one per browser tab, shared by sidebar, tabs and Running panel.
 *
 * Holds the latest state of recent executions and the tab's one event stream. The stream is open only
 * while somebody looks: a hidden page closes it, and catches up when it is seen again. Its code is loaded
 * with the first who looks: JupyterLab's start pays nothing for it.
 */
import type { Executions } from './executions';
import type { Connection, EventStream, Watcher } from './stream';
import type { ExecutionState } from './types';

/** How many executions the first look asks for. */
const RECENT = 30;
/** A page may be hidden this long before its stream is given back. */
const HIDDEN_MS = 5_000;
/** Until the stream's code is asked for again, when it could not be loaded. */
const RELOAD_MS = 2_000;

function newestFirst(states: ExecutionState[]): ExecutionState[] {
  return states.sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
}

export class LiveExecutions {
  constructor(private _client: Executions) {
    document.addEventListener('visibilitychange', this._onVisibility);
  }

  dispose(): void {
    document.removeEventListener('visibilitychange', this._onVisibility);
    clearTimeout(this._hiding);
    clearTimeout(this._reloading);
    this._close();
    this._later = [];
    this._listeners.clear();
    this._observers.clear();
  }

  /** Recent executions, newest first. The same array until something changes. */
  get states(): readonly ExecutionState[] {
    return this._states;
  }

  get connection(): Connection {
    return this._connection;
  }

  /** Whether the server has become another version since this page was loaded. */
  get outdated(): boolean {
    return this._outdated;
  }

  /** Call `listener` after every change, and keep the stream open meanwhile. */
  subscribe = (listener: () => void): (() => void) => {
    this._listeners.add(listener);
    this._open();
    return () => {
      this._listeners.delete(listener);
      if (!this._listeners.size) {
        this._close();
      }
    };
  };

  /** Call `listener` after every change that somebody else's subscription brings. */
  observe(listener: () => void): () => void {
    this._observers.add(listener);
    return () => {
      this._observers.delete(listener);
    };
  }

  /** Hear one execution's events from its first. */
  watch(executionId: string, watcher: Watcher): () => void {
    let [wanted, stop] = [true, () => undefined as void];
    this._with(stream => {
      if (wanted) {
        stop = stream.watch(executionId, watcher);
      }
    });
    return () => {
      wanted = false;
      stop();
    };
  }

  /** Take in a state that somebody got from the server. */
  note(state: ExecutionState): void {
    const old = this._states.find(other => other.execution_id === state.execution_id);
    if (old && old.last_event_id > state.last_event_id) {
      return;
    }
    this._states = newestFirst([...this._states.filter(other => other !== old), state]);
    this._tell();
  }

  /** Leave out an execution that was deleted. */
  forget(executionId: string): void {
    this._states = this._states.filter(state => state.execution_id !== executionId);
    this._tell();
  }

  /** Ask for the recent executions again. */
  async refresh(): Promise<void> {
    const before = this._states;
    const page = await this._client.executions({ limit: RECENT });
    // What was heard or deleted since it was asked for is newer than the answer, and is not told again.
    const now = new Map(this._states.map(state => [state.execution_id, state]));
    const gone = new Set(before.map(state => state.execution_id).filter(id => !now.has(id)));
    const told = new Map(page.items.map(state => [state.execution_id, state]));
    const heard = this._states.filter(
      state =>
        !before.includes(state) && !((told.get(state.execution_id)?.last_event_id ?? 0) > state.last_event_id)
    );
    heard.forEach(state => told.set(state.execution_id, state));
    gone.forEach(id => told.delete(id));
    this._states = newestFirst([...told.values()]);
    this._tell();
  }

  private _open(): void {
    this._wanted = true;
    this._with(stream => this._wanted && stream.open());
  }

  private _close(): void {
    this._wanted = false;
    this._stream?.close();
  }

  /** Do something with the stream: now, or as soon as its code is there. */
  private _with(task: (stream: EventStream) => void): void {
    if (this._stream) {
      task(this._stream);
    } else {
      this._later.push(task);
      this._load();
    }
  }

  private _load(): void {
    this._loading ??= import('./stream').then(
      ({ EventStream }) => {
        this._stream = new EventStream({
          transport: this._client.transport,
          onState: state => this.note(state),
          onConnection: connection => this._onConnection(connection),
          onVersion: version => this._onVersion(version)
        });
        this._later.splice(0).forEach(task => task(this._stream!));
      },
      () => {
        // The server is not there just now: whoever looks is told so, and it is tried again.
        this._loading = null;
        if (this._later.length) {
          this._onConnection('reconnecting');
          this._reloading = setTimeout(() => this._load(), RELOAD_MS);
        }
      }
    );
  }

  private _onConnection(connection: Connection): void {
    const opened = connection === 'open' && this._connection !== 'open';
    this._connection = connection;
    this._tell();
    if (opened) {
      // States that changed before the stream was open are not told again.
      this.refresh().catch(() => undefined);
    }
  }

  private _onVersion(version: string): void {
    this._version ??= version;
    if (version !== this._version && !this._outdated) {
      this._outdated = true;
      this._tell();
    }
  }

  private _onVisibility = (): void => {
    clearTimeout(this._hiding);
    if (document.hidden) {
      this._hiding = setTimeout(() => this._close(), HIDDEN_MS);
    } else if (this._listeners.size) {
      this._open();
    }
  };

  /** One who fails keeps nothing from the others, and is heard of at the end. */
  private _tell(): void {
    const failures: unknown[] = [];
    for (const listener of [...this._listeners, ...this._observers]) {
      try {
        listener();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length) {
      throw failures[0];
    }
  }

  private _states: ExecutionState[] = [];
  private _connection: Connection = 'idle';
  /** The server's version when this page was new. */
  private _version: string | null = null;
  private _outdated = false;
  private _listeners = new Set<() => void>();
  private _observers = new Set<() => void>();
  private _hiding: ReturnType<typeof setTimeout> | undefined;
  /** Null until its code is loaded. */
  private _stream: EventStream | null = null;
  private _loading: Promise<void> | null = null;
  private _reloading: ReturnType<typeof setTimeout> | undefined;
  /** What is to be done with it then. */
  private _later: ((stream: EventStream) => void)[] = [];
  /** Whether it shall be open. */
  private _wanted = false;
}
