import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { logOf, WHOLE_RUN } from '../testing/events';
import { failure, json } from '../testing/server';
import { FrameParser } from './sse';
import { EventStream } from './stream';
import type { Connection } from './stream';
import type { ExecutionEvent } from './types';

describe('frames', () => {
  it('are put together from any pieces, comments passed over', () => {
    const parser = new FrameParser();
    expect(parser.push(': keep')).toEqual([]);
    expect(parser.push('alive\n\nid: 1\nda')).toEqual([]);
    expect(parser.push('ta: {"a":1}\n')).toEqual([]);
    expect(parser.push('\r\n')).toEqual(['{"a":1}']);
    expect(parser.push('data: x\ndata: y\n\n')).toEqual(['x\ny']);
  });
});

const LOG = logOf(WHOLE_RUN);

/** A connection that sends frames when told, and breaks when told. */
class Line {
  /** `held`: somebody on the way keeps what the server sends at once. */
  constructor(
    readonly path: string,
    held = false
  ) {
    this.response = new Response(
      new ReadableStream<Uint8Array>({ start: controller => void (this._controller = controller) })
    );
    if (!held) {
      this._controller.enqueue(new TextEncoder().encode('retry: 1000\n\n'));
    }
  }

  send(...frames: unknown[]): void {
    const text = frames.map(frame => `data: ${JSON.stringify(frame)}\n\n`).join('');
    this._controller.enqueue(new TextEncoder().encode(text));
  }

  drop(): void {
    this._controller.close();
  }

  readonly response: Response;
  private _controller!: ReadableStreamDefaultController<Uint8Array>;
}

describe('the stream of a browser tab', () => {
  let lines: Line[];
  let said: Connection[];
  let refuse = false;
  let stream: EventStream;
  const seen: ExecutionEvent[] = [];
  const frames = (from: number, to: number) =>
    LOG.slice(from - 1, to).map(event => ({ execution_id: 'e1', event }));
  const settle = (ms = 40) => vi.advanceTimersByTimeAsync(ms);

  beforeEach(() => {
    vi.useFakeTimers();
    lines = [];
    said = [];
    seen.length = 0;
    refuse = false;
    stream = new EventStream({
      transport: async path => {
        if (refuse) {
          return failure(503, 'TOO_MANY_STREAMS', 'later');
        }
        const line = new Line(path);
        lines.push(line);
        return line.response;
      },
      onState: () => undefined,
      onConnection: connection => said.push(connection),
      schedule: task => task()
    });
  });

  afterEach(() => {
    stream.close();
    vi.useRealTimers();
  });

  const watch = () =>
    stream.watch('e1', { onEvents: events => seen.push(...events), onError: () => undefined });

  it('asks for every watched log in one connection', async () => {
    stream.open();
    watch();
    stream.watch('e2', { onEvents: () => undefined, onError: () => undefined });
    await settle();
    expect(lines).toHaveLength(1);
    expect(decodeURIComponent(lines[0].path)).toBe('stream?watch=e1:1&watch=e2:1');
  });

  it('tells all others when one that listens fails, and lets the failure be seen', async () => {
    const failures: unknown[] = [];
    const states: string[] = [];
    stream.close();
    stream = new EventStream({
      transport: async path => {
        const line = new Line(path);
        lines.push(line);
        return line.response;
      },
      onState: state => states.push(state.execution_id),
      onConnection: () => undefined,
      schedule: task => {
        try {
          task();
        } catch (error) {
          failures.push(error);
        }
      }
    });
    const bad = () => {
      throw new Error('a view that is gone');
    };
    stream.watch('e1', { onEvents: bad, onError: bad });
    watch();
    stream.watch('e2', { onEvents: bad, onError: bad });
    stream.open();
    await settle();
    lines[0].send(...frames(1, 2), { execution_id: 'e2', error: { code: 'NOT_FOUND', message: 'gone' } });
    lines[0].send({ execution_id: 'e1', state: { execution_id: 'e1' } });
    await settle(1);
    expect(seen.map(event => event.id)).toEqual([1, 2]);
    expect(states).toEqual(['e1']);
    expect(failures.length).toBeGreaterThan(0);
  });

  it('goes on after a break with the first event not yet seen, each once', async () => {
    stream.open();
    watch();
    await settle();
    lines[0].send(...frames(1, 5));
    await settle(1);
    lines[0].drop();
    await settle(1);
    expect(said).toContain('reconnecting');
    await settle(1_000);
    expect(decodeURIComponent(lines[1].path)).toBe('stream?watch=e1:6');
    lines[1].send(...frames(4, LOG.length));
    await settle(1);
    expect(seen.map(event => event.id)).toEqual(LOG.map(event => event.id));
    expect(said[said.length - 1]).toBe('open');
  });

  it('waits longer each time the server refuses, and comes back', async () => {
    refuse = true;
    stream.open();
    watch();
    await settle(20_000);
    refuse = false;
    await settle(20_000);
    expect(lines.length).toBeGreaterThan(0);
    expect(said[said.length - 1]).toBe('open');
  });

  it('counts a silent connection as lost', async () => {
    stream.open();
    watch();
    await settle();
    await settle(60_000);
    expect(lines.length).toBeGreaterThan(1);
  });

  it('tells a watcher that its log is gone, and keeps the others', async () => {
    const gone = vi.fn();
    stream.open();
    stream.watch('e9', { onEvents: () => undefined, onError: gone });
    watch();
    await settle();
    lines[0].send({ execution_id: 'e9', error: { code: 'NOT_FOUND', message: 'gone' } }, ...frames(1, 1));
    await settle(1);
    expect(gone).toHaveBeenCalledOnce();
    expect(seen).toHaveLength(1);
  });

  it('tells which version answers', async () => {
    const versions: string[] = [];
    const other = new EventStream({
      transport: async () => new Response('', { headers: { 'X-CloutAgent-Version': '2.0.0' } }),
      onState: () => undefined,
      onConnection: () => undefined,
      onVersion: version => versions.push(version)
    });
    other.open();
    await settle();
    other.close();
    expect(versions[0]).toBe('2.0.0');
  });

  it('is silent when closed', async () => {
    stream.open();
    watch();
    await settle();
    stream.close();
    await settle(60_000);
    expect(lines).toHaveLength(1);
    expect(said[said.length - 1]).toBe('idle');
  });
});

describe('where a proxy holds streams back until they end', () => {
  let held: boolean;
  let down: boolean;
  let written: number;
  let asked: string[];
  let said: Connection[];
  let lines: Line[];
  let stream: EventStream;
  const seen: ExecutionEvent[] = [];
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  const last = () => said[said.length - 1];
  const looks = () => asked.filter(path => path.startsWith('executions/e1/events'));

  /** As the server's own page: at most three events here, and where it goes on. */
  const page = (from: number) => {
    const to = Math.min(written, from + 2);
    return { items: LOG.slice(from - 1, to), next_cursor: to < written ? String(to + 1) : null };
  };

  beforeEach(() => {
    vi.useFakeTimers();
    held = true;
    down = false;
    written = 4;
    asked = [];
    said = [];
    lines = [];
    seen.length = 0;
    stream = new EventStream({
      transport: async (path, init) => {
        if (down) {
          throw new TypeError('Failed to fetch');
        }
        asked.push(path);
        const [where, search] = path.split('?');
        const parameters = new URLSearchParams(search);
        if (where === 'executions/e1/events') {
          return json(page(Number(parameters.get('cursor') ?? parameters.get('from_event'))));
        }
        if (where.endsWith('/events')) {
          return failure(404, 'NOT_FOUND', 'There is no such execution.');
        }
        if (where === 'executions') {
          const status = written < LOG.length ? 'running' : 'completed';
          return json({ items: [{ execution_id: 'e1', status }], next_cursor: null });
        }
        if (held) {
          // Not even the head of the answer comes.
          return new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init)));
        }
        const line = new Line(path);
        lines.push(line);
        return line.response;
      },
      onState: state => states.push(state.status),
      onConnection: connection => said.push(connection),
      schedule: task => task()
    });
    states.length = 0;
    stream.open();
    stream.watch('e1', { onEvents: events => seen.push(...events), onError: () => undefined });
  });
  const states: string[] = [];

  afterEach(() => {
    stream.close();
    vi.useRealTimers();
  });

  const wholeUpTo = (count: number) =>
    expect(seen.map(event => event.id)).toEqual(LOG.slice(0, count).map(event => event.id));

  it('is told page by page after a bounded time, each event once, until the log has ended', async () => {
    await pass(5_000);
    expect(asked.filter(path => path.startsWith('executions'))).toEqual([]);
    await pass(2_000);
    expect(last()).toBe('polling');
    wholeUpTo(4);
    written = LOG.length;
    await pass(2_500);
    wholeUpTo(LOG.length);
    expect(states).toEqual(['running', 'completed']);
    expect(said).not.toContain('reconnecting');
    const before = looks().length;
    await pass(60_000);
    expect(looks()).toHaveLength(before);
    expect(states).toHaveLength(2);
  });

  it('streams again as soon as a stream comes through, and asks for pages no longer', async () => {
    await pass(7_000);
    held = false;
    await pass(60_000);
    expect(last()).toBe('open');
    const before = looks().length;
    expect(decodeURIComponent(lines[0].path)).toBe('stream?watch=e1:5');
    lines[0].send(...LOG.slice(4).map(event => ({ execution_id: 'e1', event })));
    await pass(10_000);
    wholeUpTo(LOG.length);
    expect(looks()).toHaveLength(before);
  });

  it('takes bytes that come late for a stream, not for a held one', async () => {
    held = false;
    await pass(100);
    expect(last()).toBe('open');
    await pass(20_000);
    expect(said).not.toContain('polling');
  });

  it('says so when the server is gone besides, and tries to stream at once when it is back', async () => {
    await pass(7_000);
    down = true;
    await pass(10_000);
    expect(last()).toBe('reconnecting');
    down = held = false;
    await pass(16_000);
    expect(last()).toBe('open');
    wholeUpTo(4);
  });

  it('hears a log that begins to be watched at once, and of one that is gone', async () => {
    await pass(7_000);
    const gone = vi.fn();
    const second: ExecutionEvent[] = [];
    stream.watch('e1', { onEvents: events => second.push(...events), onError: () => undefined });
    stream.watch('e9', { onEvents: () => undefined, onError: gone });
    await pass(100);
    expect(second.map(event => event.id)).toEqual([1, 2, 3, 4]);
    wholeUpTo(4);
    expect(gone).toHaveBeenCalledOnce();
  });

  it('asks nothing while nobody looks, and does not wait anew when somebody does', async () => {
    await pass(7_000);
    stream.close();
    const before = asked.length;
    await pass(120_000);
    expect(asked).toHaveLength(before);
    written = LOG.length;
    stream.open();
    await pass(100);
    wholeUpTo(LOG.length);
  });
});
