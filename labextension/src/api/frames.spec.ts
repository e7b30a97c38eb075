import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { beforePaint, inTurn } from './frames';

describe('frames', () => {
  const drawn: string[] = [];
  const draw = (what: string) => () => void drawn.push(what);
  /** What the next frame draws. */
  const frame = () => {
    drawn.length = 0;
    vi.advanceTimersToNextFrame();
    return [...drawn];
  };

  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it('have news first, then one part of the page each, whoever has waited longest first', () => {
    inTurn('figures', draw('cost'));
    inTurn('canvas', draw('card'));
    inTurn('figures', draw('tokens'));
    beforePaint(draw('news'));
    expect(frame()).toEqual(['news']);
    expect(frame()).toEqual(['cost', 'tokens']);
    inTurn('figures', draw('time'));
    beforePaint(draw('more news'));
    expect(frame()).toEqual(['more news']);
    expect(frame()).toEqual(['card']);
    expect(frame()).toEqual(['time']);
    expect(frame()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('draw once what was asked for twice, and nothing that was called off', () => {
    const card = draw('card');
    inTurn('canvas', card);
    inTurn('canvas', card);
    inTurn('figures', draw('cost'))();
    inTurn('timeline', draw('bars'));
    expect(frame()).toEqual(['card']);
    expect(frame()).toEqual(['bars']);
  });

  it('go on after one that fails, which is heard of', () => {
    const heard: (() => void)[] = [];
    vi.stubGlobal('queueMicrotask', (task: () => void) => heard.push(task));
    inTurn('figures', () => {
      throw new Error('no cost');
    });
    inTurn('figures', draw('tokens'));
    inTurn('canvas', draw('card'));
    expect(frame()).toEqual(['tokens']);
    expect(heard[0]).toThrow('no cost');
    expect(frame()).toEqual(['card']);
  });

  it('are not waited for in a page that is not painted', () => {
    vi.stubGlobal('requestAnimationFrame', () => 0);
    drawn.length = 0;
    beforePaint(draw('news'));
    inTurn('canvas', draw('card'));
    vi.advanceTimersByTime(600);
    expect(drawn).toEqual(['news', 'card']);
  });
});
