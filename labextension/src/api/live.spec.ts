import { afterEach, describe, expect, it, vi } from 'vitest';

import { AGENT, START, logOf } from '../testing/events';
import { json } from '../testing/server';
import { Executions } from './executions';
import { LiveExecutions } from './live';
import { EventStream } from './stream';
import type * as Stream from './stream';
import type { ExecutionEvent } from './types';

const EVENTS = logOf([START, AGENT]);

/** A server whose stream tells `EVENTS` to whoever watches e1. */
function told(): LiveExecutions {
  return new LiveExecutions(
    new Executions(async path => {
      if (!path.startsWith('stream')) {
        return json({ items: [], next_cursor: null });
      }
      const frames = path.includes('watch=e1')
        ? EVENTS.map(event => `data: ${JSON.stringify({ execution_id: 'e1', event })}\n\n`)
        : [];
      // It stays open, as the server's does.
      return new Response(
        new ReadableStream({
          start: controller => controller.enqueue(new TextEncoder().encode(`: hello\n\n${frames.join('')}`))
        })
      );
    })
  );
}

describe('live executions', () => {
  afterEach(() => {
    vi.doUnmock('./stream');
    vi.restoreAllMocks();
  });

  it('tell events to whoever asked before the code of the stream was there, and nothing to who left', async () => {
    const live = told();
    const [heard, left]: ExecutionEvent[][] = [[], []];
    live.watch('e1', { onEvents: events => void left.push(...events), onError: () => undefined })();
    live.watch('e1', { onEvents: events => void heard.push(...events), onError: () => undefined });
    live.subscribe(() => undefined);
    await vi.waitFor(() => expect(heard.map(event => event.id)).toEqual([1, 2]), { timeout: 20_000 });
    expect(left).toEqual([]);
    live.dispose();
  });

  it('tell everybody when one that listens fails', () => {
    const live = told();
    const heard = vi.fn();
    live.observe(() => {
      throw new Error('a view that is gone');
    });
    live.observe(heard);
    expect(() => live.forget('e1')).toThrow('a view that is gone');
    expect(heard).toHaveBeenCalledTimes(1);
    live.dispose();
  });

  it('open no stream for somebody who left before its code was there', async () => {
    const live = told();
    const [opened, watched] = [
      vi.spyOn(EventStream.prototype, 'open'),
      vi.spyOn(EventStream.prototype, 'watch')
    ];
    live.subscribe(() => undefined)();
    live.subscribe(() => undefined)();
    // Done in the order in which it was asked for.
    live.watch('e1', { onEvents: () => undefined, onError: () => undefined });
    await vi.waitFor(() => expect(watched).toHaveBeenCalled(), { timeout: 20_000 });
    expect(opened).not.toHaveBeenCalled();
    live.subscribe(() => undefined);
    await vi.waitFor(() => expect(live.connection).toBe('open'), { timeout: 20_000 });
    live.dispose();
  });

  it('load the code of the stream again when it could not be loaded', async () => {
    const real = await vi.importActual<typeof Stream>('./stream');
    let tries = 0;
    vi.resetModules();
    vi.doMock('./stream', () => {
      tries += 1;
      if (tries === 1) {
        throw new Error('the server does not answer');
      }
      return real;
    });
    const live = told();
    live.subscribe(() => undefined);
    await vi.waitFor(() => expect(live.connection).toBe('reconnecting'), { timeout: 20_000 });
    await vi.waitFor(() => expect(live.connection).toBe('open'), { timeout: 20_000 });
    live.dispose();
  });
});
