import { describe, expect, it } from 'vitest';

import { json } from '../testing/server';
import type { Frame } from './frame';
import { Polling } from './polling';

const page = (items: unknown[]) => json({ items, next_cursor: null });

describe('looks at the server', () => {
  it('keep no memory of executions that are not listed any more', async () => {
    let listed = ['e1', 'e2'];
    const told: Frame[] = [];
    const polling = new Polling(
      async () => page(listed.map(id => ({ execution_id: id, status: 'completed' }))),
      frame => told.push(frame)
    );
    const look = async () => {
      told.length = 0;
      await polling.look(new Map(), new AbortController().signal);
      return told.map(frame => frame.execution_id);
    };
    expect(await look()).toEqual(['e1', 'e2']);
    listed = ['e2', 'e3'];
    expect(await look()).toEqual(['e3']);
    listed = ['e1', 'e3'];
    expect(await look()).toEqual(['e1']);
  });
});
