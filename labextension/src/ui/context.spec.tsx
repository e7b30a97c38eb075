import { act } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Part } from '../api/frames';
import { AGENT, START } from '../testing/events';
import { openTab } from '../testing/tab';

import { useProject, useProjectAtLeisure } from './context';

describe('a flood of news', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('draws each part of the page in a frame of its own, and all of it at the end', () => {
    let drawn: string[] = [];
    const Rows = () => {
      drawn.push('rows');
      return <p id="rows">{useProject(state => state.monitor?.tokens)}</p>;
    };
    const Leisurely = ({ part }: { part: Part }) => {
      drawn.push(part);
      return <p id={part}>{useProjectAtLeisure(part, state => state.monitor?.tokens)}</p>;
    };
    const tab = openTab({ log: [START, AGENT] });
    const { container } = tab.show(
      <>
        <Rows />
        <Leisurely part="figures" />
        <Leisurely part="canvas" />
      </>
    );
    const shown = (id: string) => Number(container.querySelector(`#${id}`)?.textContent);
    const news = (tokens: number, more = {}) =>
      act(() => tab.actions.store.setState({ monitor: { ...tab.state().monitor!, tokens, ...more } }));
    const frames: string[][] = [];
    let newest = 0;
    // The first finds all at rest, and is drawn at once.
    news(++newest);
    expect([shown('figures'), shown('canvas')]).toEqual([1, 1]);
    for (let frame = 1; frame <= 90; frame++) {
      drawn = [];
      act(() => void vi.advanceTimersToNextFrame());
      if (frame % 7 === 0) {
        news(++newest);
        expect(shown('rows')).toBe(newest);
      }
      frames.push(drawn);
    }
    const times = (what: string) => frames.filter(each => each.includes(what)).length;
    expect(times('rows')).toBe(12);
    expect(times('figures')).toBeGreaterThanOrEqual(4);
    expect(times('figures')).toBeLessThanOrEqual(6);
    expect(times('canvas')).toBe(times('figures'));
    expect(frames.filter(each => each.includes('figures') && each.includes('canvas'))).toEqual([]);

    news(++newest, { status: 'completed' });
    expect([shown('figures'), shown('canvas')]).toEqual([newest, newest]);
  });
});
