/**
 * Helper lines while cards are dragged: which edges and middles of cards nearby they line up with, and where
 * that pulls them. Pure.
 *
 * Not here: how a drag is heard of (`canvas/useGuides.ts`), and lining up what is chosen (`arrange.ts`).
 */
import type { Position } from '../api/types';

/** Where something stands and how large it is, in canvas units. */
export interface Frame extends Position {
  width: number;
  height: number;
}

/** A line: across `axis` at `at`, from one place to another along the other axis. */
export interface Guide {
  axis: Axis;
  at: number;
  from: number;
  to: number;
}

export interface Pull {
  /** From so far away a line pulls, in canvas units. */
  reach: number;
  /** Where no line pulls, the corner comes to rest on a grid of this size. */
  grid: number | null;
}

type Axis = 'x' | 'y';

const SIZE = { x: 'width', y: 'height' } as const;
const OTHER = { x: 'y', y: 'x' } as const;
/** Cards farther away than this, in canvas units, are nobody's neighbours. */
const NEAR = 600;
/** What counts as the same place. */
const SAME = 0.5;

/** Both edges and the middle. */
function marks(frame: Frame, axis: Axis): number[] {
  const [begin, size] = [frame[axis], frame[SIZE[axis]]];
  return [begin, begin + size / 2, begin + size];
}

function isNear(one: Frame, other: Frame): boolean {
  return (['x', 'y'] as const).every(
    axis =>
      one[axis] - NEAR <= other[axis] + other[SIZE[axis]] && other[axis] - NEAR <= one[axis] + one[SIZE[axis]]
  );
}

/** The least step that brings an edge or the middle of `frame` in line with the same of another. */
function stepTo(frame: Frame, others: readonly Frame[], axis: Axis, reach: number): number | null {
  const own = marks(frame, axis);
  let best: number | null = null;
  for (const other of others) {
    marks(other, axis).forEach((mark, index) => {
      const step = mark - own[index];
      if (Math.abs(step) <= Math.abs(best ?? reach)) {
        best = step;
      }
    });
  }
  return best;
}

/** A line for each place where `frame` and others meet, as long as those that meet there. */
function linesOf(frame: Frame, others: readonly Frame[], axis: Axis): Guide[] {
  const along = OTHER[axis];
  const own = marks(frame, axis);
  const lines = new Map<number, Guide>();
  for (const other of others) {
    marks(other, axis).forEach((mark, index) => {
      if (Math.abs(mark - own[index]) <= SAME) {
        const line = lines.get(index);
        const [begin, end] = [other[along], other[along] + other[SIZE[along]]];
        lines.set(index, {
          axis,
          at: own[index],
          from: Math.min(line?.from ?? frame[along], begin),
          to: Math.max(line?.to ?? frame[along] + frame[SIZE[along]], end)
        });
      }
    });
  }
  return [...lines.values()];
}

/**
 * How far `moving` has to go to be in line, and the lines it stands in then. `corner` is what the grid counts
 * from: of several cards that are moved together, the one that the hand holds.
 */
export function guided(
  moving: Frame,
  corner: Position,
  others: readonly Frame[],
  { reach, grid }: Pull
): { shift: Position; lines: Guide[] } {
  const near = others.filter(other => isNear(moving, other));
  const step = (axis: Axis): number =>
    stepTo(moving, near, axis, reach) ??
    (grid === null ? 0 : Math.round(corner[axis] / grid) * grid - corner[axis]);
  const shift = { x: step('x'), y: step('y') };
  const there = { ...moving, x: moving.x + shift.x, y: moving.y + shift.y };
  return { shift, lines: [...linesOf(there, near, 'x'), ...linesOf(there, near, 'y')] };
}
