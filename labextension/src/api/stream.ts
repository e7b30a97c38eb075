/**
 * The one event stream of a browser tab: `GET stream?watch=<execution>:<from>`.
 *
 * Owns connecting, backoff, and "each event once and in order"; knows nothing of what events mean.
 * The log is the truth on the server, so a lost connection only ever means asking again from the
 * first event not yet seen.
 *
 * A proxy may hold a stream back until it ends, and then not even its first bytes come, which the
 * server sends at once. Then pages of events are asked for (`polling.ts`) until a stream comes through.
 */
import { inBatches } from './batches';
import { ApiError, errorOf } from './errors';
import type { Frame } from './frame';
import { IDLE_LOOK_MS, LOOK_MS } from './pace';
import { Polling } from './polling';
import type { Transport } from './requests';
import { FrameParser } from './sse';
import type { ExecutionEvent, ExecutionState } from './types';

/** `polling`: streams are held back on the way here, and the server is asked again and again instead. */
export type Connection = 'idle' | 'connecting' | 'open' | 'polling' | 'reconnecting';

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
  /** The version that an answer of the server bears. */
  onVersion?: (version: string) => void;
  /** Runs `task` before a paint, soon. */
  schedule?: (task: () => void) => void;
}

/** First wait before reconnecting, in milliseconds; doubles up to the longest. */
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
/** Silence after which a connection counts as lost: three of the server's heartbeats. */
const SILENCE_MS = 45_000;
/** Without a first byte for so long, pages are asked for meanwhile; and after this a stream is given up. */
const HELD_MS = 6_000;
const GIVEN_UP_MS = 20_000;
/** Between two tries whether a stream comes through by now; doubles up to the longest. */
const FIRST_TRY_MS = 30_000;
const LONGEST_TRY_MS = 300_000;
/** Changes of what is watched within this time share one reconnect. */
const SETTLE_MS = 30;

/** The wait before the next try after so many failures in a row; no two tabs come back together. */
function backoff(failures: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures) * (0.75 + Math.random() / 2);
}

/** `promise`, unless `signal` comes first. */
function orAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
    promise.then(resolve, reject);
  });
}

export class EventStream {
  constructor(private _options: StreamOptions) {
    this._schedule = _options.schedule ?? inBatches();
    this._transport = async (path, init) => {
      const response = await _options.transport(path, init);
      const version = response.headers.get('X-CloutAgent-Version');
      if (version) {
        _options.onVersion?.(version);
      }
      return response;
    };
    this._polling = new Polling(this._transport, frame => this._take(frame));
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
    clearTimeout(this._heldTimer);
    this._heldTimer = undefined;
    this._stopLooking();
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
    if (this._held) {
      // What is watched may have changed.
      void this._look();
    } else if (this._connection !== 'open' && this._connection !== 'reconnecting') {
      this._say('connecting');
    }
    this._heldTimer ??= setTimeout(() => this._fallBack(), HELD_MS);
    const givenUp = setTimeout(() => abort.abort(), GIVEN_UP_MS);
    try {
      const response = await orAborted(
        abort.signal,
        this._transport(`stream${this._query()}`, {
          signal: abort.signal,
          headers: { Accept: 'text/event-stream' }
        })
      );
      if (!response.ok || !response.body) {
        throw await errorOf(response);
      }
      await this._read(response.body, abort.signal, () => clearTimeout(givenUp));
    } catch {
      // Whatever broke it, the way on is the same: ask again for what is not yet seen.
    }
    clearTimeout(givenUp);
    if (this._abort === abort && this._wanted) {
      this._lost();
    }
  }

  /** The stream has ended, or none came through. */
  private _lost(): void {
    if (this._held) {
      this._restart(Math.min(LONGEST_TRY_MS, FIRST_TRY_MS * 2 ** this._tries++));
    } else {
      this._say('reconnecting');
      this._restart(backoff(this._failures++));
    }
  }

  /** Hand on what comes; `begun` is called at the first bytes, which say that streams come through. */
  private async _read(
    body: ReadableStream<Uint8Array>,
    signal: AbortSignal,
    begun: () => void
  ): Promise<void> {
    const reader = body.getReader();
    const cancel = () => void reader.cancel().catch(() => undefined);
    signal.addEventListener('abort', cancel);
    const decoder = new TextDecoder();
    const parser = new FrameParser();
    let silence: ReturnType<typeof setTimeout> | undefined;
    try {
      for (;;) {
        silence = setTimeout(cancel, SILENCE_MS);
        const { done, value } = await reader.read();
        clearTimeout(silence);
        if (done || signal.aborted) {
          return;
        }
        begun();
        this._comesThrough();
        for (const data of parser.push(decoder.decode(value, { stream: true }))) {
          this._take(JSON.parse(data) as Frame);
        }
      }
    } finally {
      clearTimeout(silence);
      signal.removeEventListener('abort', cancel);
    }
  }

  // --- where streams do not come through -----------------------------------

  private _fallBack(): void {
    if (!this._held) {
      this._held = true;
      void this._look();
    }
  }

  private _comesThrough(): void {
    clearTimeout(this._heldTimer);
    this._heldTimer = undefined;
    this._held = false;
    this._failures = this._tries = this._lookFailures = 0;
    this._stopLooking();
    this._say('open');
  }

  /** Ask for pages now, and again after a while as long as streams are held back. */
  private async _look(): Promise<void> {
    this._stopLooking();
    const looking = (this._looking = new AbortController());
    let pause: number;
    try {
      const active = await this._polling.look(this._wishes(), looking.signal);
      pause = active ? LOOK_MS : IDLE_LOOK_MS;
      if (this._lookFailures && !looking.signal.aborted) {
        // The server was gone and is back: it may have been that, and not the way.
        this._lookFailures = this._tries = 0;
        this._restart();
      }
    } catch {
      pause = backoff(looking.signal.aborted ? 0 : this._lookFailures++);
    }
    if (!looking.signal.aborted) {
      this._say(this._lookFailures ? 'reconnecting' : 'polling');
      this._lookTimer = setTimeout(() => void this._look(), pause);
    }
  }

  private _stopLooking(): void {
    clearTimeout(this._lookTimer);
    this._looking?.abort();
    this._looking = null;
  }

  private _take(frame: Frame): void {
    this._waiting.push(frame);
    if (this._waiting.length === 1) {
      this._schedule(() => this._flush());
    }
  }

  /** Hand on what has come. Whoever fails at it keeps nothing from the others, and is heard of at the end. */
  private _flush(): void {
    const frames = this._waiting;
    this._waiting = [];
    const failures: unknown[] = [];
    const trying = (tell: () => void) => {
      try {
        tell();
      } catch (error) {
        failures.push(error);
      }
    };
    const events = new Map<string, ExecutionEvent[]>();
    for (const frame of frames) {
      if (frame.event) {
        const list = events.get(frame.execution_id) ?? [];
        list.push(frame.event);
        events.set(frame.execution_id, list);
      }
    }
    for (const [id, list] of events) {
      for (const watch of [...(this._watches.get(id) ?? [])]) {
        const fresh: ExecutionEvent[] = [];
        for (const event of list) {
          if (event.id === watch.seen + 1) {
            watch.seen = event.id;
            fresh.push(event);
          }
        }
        if (fresh.length) {
          trying(() => watch.onEvents(fresh));
        }
      }
    }
    for (const frame of frames) {
      if (frame.error) {
        const { code, message } = frame.error;
        const gone = this._watches.get(frame.execution_id) ?? [];
        this._watches.delete(frame.execution_id);
        gone.forEach(watch => trying(() => watch.onError(new ApiError(message, 404, code))));
      }
      const { state } = frame;
      if (state) {
        trying(() => this._options.onState(state));
      }
    }
    if (failures.length) {
      throw failures[0];
    }
  }

  /** Each watched log with the first event that somebody has not seen. */
  private _wishes(): Map<string, number> {
    return new Map(
      [...this._watches].map(([id, watches]) => [id, Math.min(...[...watches].map(watch => watch.seen)) + 1])
    );
  }

  private _query(): string {
    const search = new URLSearchParams();
    for (const [id, from] of this._wishes()) {
      search.append('watch', `${id}:${from}`);
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
  private _transport: Transport;
  private _polling: Polling;
  /** Streams are held back on the way here; until that is known, when it will be. */
  private _held = false;
  private _heldTimer: ReturnType<typeof setTimeout> | undefined;
  /** Tries since then whether one comes through. */
  private _tries = 0;
  private _looking: AbortController | null = null;
  private _lookFailures = 0;
  private _lookTimer: ReturnType<typeof setTimeout> | undefined;
}
