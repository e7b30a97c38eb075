import { describe, expect, it } from 'vitest';

import { roundTicks, timeTicks } from './ticks';

describe('ticks', () => {
  it('are round numbers from 0 that fit below the top', () => {
    expect(roundTicks(0.23)).toEqual([0, 0.1, 0.2]);
    expect(roundTicks(0.19)).toEqual([0, 0.05, 0.1, 0.15]);
    expect(roundTicks(2.12)).toEqual([0, 1, 2]);
    expect(roundTicks(0.0031)).toEqual([0, 0.001, 0.002, 0.003]);
    expect(roundTicks(0)).toEqual([0]);
  });

  it('of a time are whole seconds, minutes or hours, none twice', () => {
    expect(timeTicks(6_600)).toEqual([0, 2_000, 4_000, 6_000]);
    expect(timeTicks(900)).toEqual([0]);
    expect(timeTicks(5 * 60_000)).toEqual([0, 60_000, 120_000, 180_000, 240_000, 300_000]);
    expect(timeTicks(20 * 3_600_000)).toHaveLength(6);
  });
});
