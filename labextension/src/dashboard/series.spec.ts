import { describe, expect, it } from 'vitest';

import { METRICS } from '../testing/metrics';
import { trans } from '../testing/tab';
import {
  costBins,
  costPoints,
  durationPoints,
  most,
  queuePoints,
  statusPoints,
  ticks,
  timeTicks,
  tokenPoints
} from './series';

describe('figures as charts want them', () => {
  it('keep every bucket, in order, with what is in it', () => {
    expect(costPoints(METRICS).map(point => point.values.cost)).toEqual([0.5, 0, 1.25]);
    expect(tokenPoints(METRICS)[2].values).toEqual({ fresh: 700, written: 30, cached: 9000, output: 200 });
    expect(statusPoints(METRICS)[2].values).toEqual({ completed: 3, failed: 1, cancelled: 0, open: 2 });
    expect(durationPoints(METRICS)[1].values).toEqual({ p50: null, p95: null });
    expect(queuePoints(METRICS)[2].values).toEqual({ waiting: 4, running: 3 });
    expect(new Set(costPoints(METRICS).map(point => point.label)).size).toBe(3);
  });

  it('say how many executions cost how much, the bins in words', () => {
    expect(
      costBins(METRICS, trans).map(({ label, name, values }) => [label, name, values.executions])
    ).toEqual([
      ['<$0.001', 'less than $0.001', 1],
      ['<$0.01', '$0.001 to less than $0.01', 0],
      ['<$0.10', '$0.01 to less than $0.10', 2],
      ['<$1', '$0.10 to less than $1', 5],
      ['more', '$1 and more', 0]
    ]);
  });

  it('have an axis of round steps that reaches the largest stack', () => {
    const stack = [
      { key: 'completed', label: '', colour: '' },
      { key: 'open', label: '', colour: '' }
    ];
    expect(most(statusPoints(METRICS), stack, true)).toBe(5);
    expect(most(statusPoints(METRICS), stack, false)).toBe(4);
    expect(ticks(4, true)).toEqual([0, 1, 2, 3, 4]);
    expect(ticks(1, true)).toEqual([0, 1]);
    expect(ticks(1.25, false)).toEqual([0, 0.5, 1, 1.5]);
    expect(ticks(0.012, false)).toEqual([0, 0.005, 0.01, 0.015]);
    expect(ticks(0, false)).toEqual([0, 1]);
    expect(timeTicks(560_000)).toEqual([0, 300_000, 600_000]);
    expect(timeTicks(3_200)).toEqual([0, 1_000, 2_000, 3_000, 4_000]);
    expect(timeTicks(0)).toEqual([0, 100]);
    for (const largest of [1, 3, 7, 12, 99, 12_345]) {
      const marks = ticks(largest, true);
      expect(marks[marks.length - 1]).toBeGreaterThanOrEqual(largest);
      expect(marks.length).toBeLessThanOrEqual(6);
      expect(marks.every(Number.isInteger)).toBe(true);
    }
  });
});
