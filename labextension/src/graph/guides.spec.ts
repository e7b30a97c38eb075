import { describe, expect, it } from 'vitest';

import { guided } from './guides';

const agent = { x: 0, y: 0, width: 264, height: 120 };
const pull = { reach: 6, grid: 20 };
const at = (x: number, y: number) => ({ x, y, width: 240, height: 80 });
const moved = (x: number, y: number, others = [agent], how = pull) => {
  const card = at(x, y);
  const { shift, lines } = guided(card, card, others, how);
  return { x: x + shift.x, y: y + shift.y, lines };
};

describe('helper lines', () => {
  it('pull a card into line with the middle of another, off the grid, and are as long as both', () => {
    const { x, y, lines } = moved(333, 24);
    expect([x, y]).toEqual([340, 20]);
    expect(lines).toEqual([{ axis: 'y', at: 60, from: 0, to: 580 }]);
    // 264 wide beside 240: the middle lies between two lines of the grid, and wins where it is near.
    expect(moved(9, 200)).toMatchObject({ x: 12, y: 200, lines: [{ axis: 'x', at: 132, from: 0, to: 280 }] });
    expect(moved(21, 200).x).toBe(24);
  });

  it('take the nearest of several, on both axes at once', () => {
    const other = { x: 400, y: 300, width: 240, height: 80 };
    const { x, y, lines } = moved(403, 37, [agent, other]);
    expect([x, y]).toEqual([400, 40]);
    expect(lines.map(each => [each.axis, each.at])).toEqual([
      ['x', 400],
      ['x', 520],
      ['x', 640],
      ['y', 120]
    ]);
  });

  it('leave cards far away out of it: nothing pulls, the grid holds', () => {
    expect(moved(1203, 1)).toMatchObject({ x: 1200, y: 0, lines: [] });
    expect(moved(603, 1).lines).not.toEqual([]);
  });

  it('pull nothing where somebody wants no snapping, and still show what is in line', () => {
    const free = { reach: 0, grid: null as unknown as number };
    expect(moved(333, 24, [agent], free)).toMatchObject({ x: 333, y: 24, lines: [] });
    expect(moved(333, 20, [agent], free).lines).toHaveLength(1);
  });

  it('count the grid from the card that the hand holds, and line up all that move with it', () => {
    const both = { x: 307, y: 18, width: 500, height: 84 };
    const { shift } = guided(both, { x: 411, y: 43 }, [agent], pull);
    expect(shift).toEqual({ x: 9, y: 0 });
  });
});
