import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { logOf, WHOLE_RUN } from '../testing/events';
import { failure } from '../testing/server';
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
  constructor(readonly path: string) {
    this.response = new Response(
      new ReadableStream<Uint8Array>({ start: controller => void (this._controller = controller) })
    );
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
