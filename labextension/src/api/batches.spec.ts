import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { BATCH_MS, inBatches } from './batches';

describe('news', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is handed on with the next frame after a pause, and a flood leaves frames free between two batches', () => {
    const at: number[] = [];
    const schedule = inBatches();
    const begun = performance.now();
    let waiting = false;
    // Something comes every 5 ms, as from two hundred events a second.
    const news = setInterval(() => {
      if (!waiting) {
        waiting = true;
        schedule(() => {
          waiting = false;
          at.push(performance.now() - begun);
        });
      }
    }, 5);
    vi.advanceTimersByTime(1_000);
    clearInterval(news);
    expect(at[0]).toBeLessThan(25);
    const gaps = at.slice(1).map((each, index) => each - at[index]);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(BATCH_MS);
    // Nothing waits longer than that and a frame or two.
    expect(Math.max(...gaps)).toBeLessThan(BATCH_MS + 40);

    vi.advanceTimersByTime(1_000);
    const quiet = performance.now();
    let after = Infinity;
    schedule(() => (after = performance.now() - quiet));
    vi.advanceTimersByTime(100);
    expect(after).toBeLessThan(20);
  });

  it('comes through in a page that is not painted', () => {
    vi.stubGlobal('requestAnimationFrame', () => 0);
    const task = vi.fn();
    inBatches()(task);
    vi.advanceTimersByTime(300);
    expect(task).toHaveBeenCalledOnce();
    vi.unstubAllGlobals();
  });
});
