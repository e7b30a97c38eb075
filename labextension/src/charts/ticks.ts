/**
 * Round numbers for an axis: pure.
 */

const ROUND = [1, 2, 5, 10];

/** About `count` round steps from 0, the last not above `top`. */
export function roundTicks(top: number, count = 4): number[] {
  if (!(top > 0)) {
    return [0];
  }
  const power = 10 ** Math.floor(Math.log10(top / count));
  const step = power * (ROUND.find(each => power * each >= top / count) ?? 10);
  // Counted, not added up: 0.1 + 0.2 is not 0.3.
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, index) =>
    Number((index * step).toPrecision(6))
  );
}

const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600];

/** The same for a time in milliseconds: whole seconds, minutes, hours. */
export function timeTicks(top: number, count = 6): number[] {
  const least = top / 1_000 / count;
  const step = 1_000 * (SECONDS.find(each => each >= least) ?? Math.ceil(least / 3_600) * 3_600);
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, index) => index * step);
}
