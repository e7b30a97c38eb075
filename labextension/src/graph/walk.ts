/**
 * From card to card by arrow keys: left and right along a wire, where one leads there (wires leave cards at
 * their sides); else, and up and down, to the next card that way. Pure.
 */
import type { Size } from './arrange';
import type { Graph } from './graph';

export type Direction = 'left' | 'right' | 'up' | 'down';

const STEP: Record<Direction, { x: number; y: number }> = {
  left: { x: -1, y: 0 },
  right: { x: 1, y: 0 },
  up: { x: 0, y: -1 },
  down: { x: 0, y: 1 }
};
const USUAL: Size = { width: 240, height: 120 };
/** A card counts as lying that way while it is at most so many times farther to the side. */
const WIDEST = 3;
/** What lies straight ahead is nearer than what lies beside, by this much. */
const ASIDE = 2;

/** The card that `direction` leads to from `from`; null where there is none. */
export function nextCard(
  graph: Graph,
  from: string,
  direction: Direction,
  sizes: ReadonlyMap<string, Size>
): string | null {
  const middles = new Map(
    graph.cards.map(({ id, position }) => {
      const { width, height } = sizes.get(id) ?? USUAL;
      return [id, { x: position.x + width / 2, y: position.y + height / 2 }];
    })
  );
  const here = middles.get(from);
  if (!here) {
    return null;
  }
  const across = STEP[direction].x !== 0;
  const wired = new Set(
    graph.edges.flatMap(({ source, target }) =>
      source === from ? [target] : target === from ? [source] : []
    )
  );
  const { x, y } = STEP[direction];
  let best: { id: string; wired: boolean; far: number } | null = null;
  for (const [id, at] of middles) {
    const ahead = (at.x - here.x) * x + (at.y - here.y) * y;
    const aside = Math.abs((at.x - here.x) * y) + Math.abs((at.y - here.y) * x);
    if (id === from || ahead <= 0 || aside > ahead * WIDEST) {
      continue;
    }
    const each = { id, wired: across && wired.has(id), far: ahead + aside * ASIDE };
    if (!best || (each.wired === best.wired ? each.far < best.far : each.wired)) {
      best = each;
    }
  }
  return best?.id ?? null;
}
