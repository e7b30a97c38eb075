import { act, render } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { useNow, useThrottled } from './hooks';

describe('what many rows show', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('ticks for all of them in one moment, whenever each began, and no longer when nobody looks', () => {
    const told: [string, number][] = [];
    const Clock = ({ name }: { name: string }) => {
      told.push([name, useNow(true)]);
      return null;
    };
    const one = render(<Clock name="one" />);
    act(() => void vi.advanceTimersByTime(400));
    const two = render(<Clock name="two" />);
    told.length = 0;
    act(() => void vi.advanceTimersByTime(700));
    expect(told.map(([name]) => name)).toEqual(['one', 'two']);
    expect(told[0][1]).toBe(told[1][1]);
    one.unmount();
    two.unmount();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('grows with what is drawn anyway, at most five times a second, and ends with all of it', () => {
    let drawn = 0;
    const Text = ({ value, growing }: { value: string; growing: boolean }) => {
      drawn++;
      return <p>{useThrottled(value, growing)}</p>;
    };
    const view = render(<Text value="" growing />);
    const seen = new Set<string>();
    let asked = 0;
    for (let at = 1; at <= 10; at++) {
      act(() => void vi.advanceTimersByTime(100));
      view.rerender(<Text value={'x'.repeat(at)} growing />);
      asked++;
      seen.add(view.container.textContent ?? '');
    }
    expect(seen.size).toBeLessThanOrEqual(6);
    expect(seen.size).toBeGreaterThanOrEqual(5);
    expect(drawn, 'it was drawn by itself beside what was drawn anyway').toBe(asked + 1);
    view.rerender(<Text value="xxxxxxxxxxx" growing />);
    act(() => void vi.advanceTimersByTime(500));
    expect(view.container.textContent).toBe('xxxxxxxxxxx');
    view.rerender(<Text value="whole" growing={false} />);
    expect(view.container.textContent).toBe('whole');
  });
});
