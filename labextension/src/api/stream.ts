/**
 * The one event stream of a browser tab: `GET stream?watch=<execution>:<from>`.
 *
 * Owns connecting, backoff, and "each event once and in order"; knows nothing of what events mean.
 * The log is the truth on the server, so a lost connection only ever means asking again from the
 * first event not yet seen.
 */
import type { Transport } from './client';
import { ApiError, errorOf } from './errors';
import { FrameParser } from './sse';
import type { ExecutionEvent, ExecutionState } from './types';

export type Connection = 'idle' | 'connecting' | 'open' | 'reconnecting';

interface Frame {
  execution_id: string;
  event?: ExecutionEvent;
  state?: ExecutionState;
  /** This log cannot be watched; the others go on. */
  error?: { code: string; message: string };
}

export interface Watcher {
  onEvents: (events: ExecutionEvent[]) => void;
  onError: (error: ApiError) => void;
}

interface Watch extends Watcher {
  /** Highest event id handed on. */
  seen: number;
}

export interface StreamOptions {
  transport: Transport;
  onState: (state: ExecutionState) => void;
  onConnection: (connection: Connection) => void;
  /** Runs `task` before the next paint. */
  schedule?: (task: () => void) => void;
}

/** First wait before reconnecting, in milliseconds; doubles up to the longest. */
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
/** Silence after which a connection counts as lost: three of the server's heartbeats. */
const SILENCE_MS = 45_000;
/** Changes of what is watched within this time share one reconnect. */
const SETTLE_MS = 30;

/** Before the next paint, or soon when the page is not painted at all. */
function beforePaint(task: () => void): void {
  let done = false;
  const once = () => {
    if (!done) {
      done = true;
      task();
    }
  };
  requestAnimationFrame(once);
  setTimeout(once, 250);
}

export class EventStream {
  constructor(private _options: StreamOptions) {
    this._schedule = _options.schedule ?? beforePaint;
  }

  /** Start (or go on) listening. */
  open(): void {
    if (!this._wanted) {
      this._wanted = true;
      this._restart();
    }
  }

  /** Stop listening; what was seen is remembered for the next `open`. */
  close(): void {
    this._wanted = false;
    clearTimeout(this._timer);
    this._abort?.abort();
    this._abort = null;
    this._say('idle');
  }

  /** Hear the events of one execution from the first; returns the way to stop. */
  watch(executionId: string, watcher: Watcher): () => void {
    const watch: Watch = { ...watcher, seen: 0 };
    const watches = this._watches.get(executionId) ?? new Set();
    watches.add(watch);
    this._watches.set(executionId, watches);
    this._restart();
    return () => {
      watches.delete(watch);
      if (!watches.size && this._watches.get(executionId) === watches) {
        this._watches.delete(executionId);
        this._restart();
      }
    };
  }

  private _restart(delay = SETTLE_MS): void {
    if (!this._wanted) {
      return;
    }
    clearTimeout(this._timer);
    this._timer = setTimeout(() => void this._connect(), delay);
  }

  private async _connect(): Promise<void> {
    this._abort?.abort();
    const abort = (this._abort = new AbortController());
    if (this._connection !== 'open' && this._connection !== 'reconnecting') {
      this._say('connecting');
    }
    const lost = () => {
      if (this._abort === abort && this._wanted) {
        this._say('reconnecting');
        const jitter = 0.75 + Math.random() / 2;
        this._restart(Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this._failures++) * jitter);
      }
    };
    try {
      const response = await this._options.transport(`stream${this._query()}`, {
        signal: abort.signal,
        headers: { Accept: 'text/event-stream' }
      });
      if (!response.ok || !response.body) {
        throw await errorOf(response);
      }
      this._say('open');
      await this._read(response.body, abort);
    } catch {
      // Whatever broke it, the way on is the same: ask again for what is not yet seen.
    }
    lost();
  }

  private async _read(body: ReadableStream<Uint8Array>, abort: AbortController): Promise<void> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const parser = new FrameParser();
    let silence: ReturnType<typeof setTimeout> | undefined;
    try {
      for (;;) {
        silence = setTimeout(() => void reader.cancel(), SILENCE_MS);
        const { done, value } = await reader.read();
        clearTimeout(silence);
        if (done || abort.signal.aborted) {
          return;
        }
        this._failures = 0;
        for (const data of parser.push(decoder.decode(value, { stream: true }))) {
          this._take(JSON.parse(data) as Frame);
        }
      }
    } finally {
      clearTimeout(silence);
    }
  }

  private _take(frame: Frame): void {
    this._waiting.push(frame);
    if (this._waiting.length === 1) {
      this._schedule(() => this._flush());
    }
  }

  private _flush(): void {
    const frames = this._waiting;
    this._waiting = [];
    const events = new Map<string, ExecutionEvent[]>();
    for (const frame of frames) {
      if (frame.event) {
        const list = events.get(frame.execution_id) ?? [];
        list.push(frame.event);
        events.set(frame.execution_id, list);
      }
    }
    for (const [id, list] of events) {
      for (const watch of this._watches.get(id) ?? []) {
        const fresh: ExecutionEvent[] = [];
        for (const event of list) {
          if (event.id === watch.seen + 1) {
            watch.seen = event.id;
            fresh.push(event);
          }
        }
        if (fresh.length) {
          watch.onEvents(fresh);
        }
      }
    }
    for (const frame of frames) {
      if (frame.error) {
        const { code, message } = frame.error;
        const gone = this._watches.get(frame.execution_id) ?? [];
        this._watches.delete(frame.execution_id);
        gone.forEach(watch => watch.onError(new ApiError(message, 404, code)));
      }
      if (frame.state) {
        this._options.onState(frame.state);
      }
    }
  }

  /** Ask for each watched log from the first event that somebody has not seen. */
  private _query(): string {
    const search = new URLSearchParams();
    for (const [id, watches] of this._watches) {
      const seen = Math.min(...[...watches].map(watch => watch.seen));
      search.append('watch', `${id}:${seen + 1}`);
    }
    const text = search.toString();
    return text ? `?${text}` : '';
  }

  private _say(connection: Connection): void {
    if (connection !== this._connection) {
      this._connection = connection;
      this._options.onConnection(connection);
    }
  }

  private _watches = new Map<string, Set<Watch>>();
  private _waiting: Frame[] = [];
  private _wanted = false;
  private _failures = 0;
  private _connection: Connection = 'idle';
  private _abort: AbortController | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _schedule: (task: () => void) => void;
}
