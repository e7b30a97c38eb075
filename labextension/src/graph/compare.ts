/**
 * Two definitions as one picture: what was added, removed and changed between them. Pure.
 */
import type { Definition, Position } from '../api/types';

import { cardOf, changesBetween } from './differences';
import type { Card, Edge, Graph } from './graph';
import { graphOf } from './graph';
import { CARD_WIDTH, GRID } from './layout';

export type Mark = 'added' | 'removed' | 'changed';

export interface Comparison {
  /** The cards and wires of both; what is gone stands where it stood. */
  graph: Graph;
  /** What happened to a card or a wire; nothing for those that stayed as they were. */
  marks: ReadonlyMap<string, Mark>;
}

/** Height of a card with its mark, about, in canvas units. */
const TALL = 150;
/** Room between a card that is gone and its neighbours, in canvas units. */
const GAP = 2 * GRID;

interface Box extends Position {
  width: number;
  height: number;
}

function boxOf(card: Card): Box {
  const size =
    card.kind === 'note'
      ? { width: card.item.width, height: card.item.height }
      : { width: CARD_WIDTH[card.kind], height: TALL };
  return { ...card.position, ...size };
}

/** A place at `card`'s or straight below it where none of `others` hides it. */
function uncovered(card: Card, others: readonly Card[]): Position {
  const box = boxOf(card);
  const covers = (other: Box) =>
    other.x < box.x + box.width + GAP &&
    box.x < other.x + other.width + GAP &&
    other.y < box.y + box.height + GAP &&
    box.y < other.y + other.height + GAP;
  const taken = others.map(boxOf);
  for (let hit = taken.find(covers); hit; hit = taken.find(covers)) {
    box.y = Math.ceil((hit.y + hit.height + GAP) / GRID) * GRID;
  }
  return { x: box.x, y: box.y };
}

export function compare(before: Definition, after: Definition): Comparison {
  const [old, now] = [graphOf(before), graphOf(after)];
  const marks = new Map<string, Mark>();
  for (const { place } of changesBetween(before, after)) {
    // What changes the project as a whole (its name, its limits) is shown on the agent's card.
    const card = cardOf(place) ?? (['limits', 'variables', 'name'].includes(place[0]) ? 'agent' : null);
    if (card !== null) {
      marks.set(card, 'changed');
    }
  }
  const has = (list: readonly { id: string }[], id: string) => list.some(each => each.id === id);
  now.cards.filter(card => !has(old.cards, card.id)).forEach(card => marks.set(card.id, 'added'));
  now.edges.filter(edge => !has(old.edges, edge.id)).forEach(edge => marks.set(edge.id, 'added'));
  const cards: Card[] = [...now.cards];
  for (const card of old.cards.filter(each => !has(now.cards, each.id))) {
    marks.set(card.id, 'removed');
    cards.push({ ...card, position: uncovered(card, cards) });
  }
  const gone: Edge[] = old.edges.filter(edge => !has(now.edges, edge.id));
  gone.forEach(edge => marks.set(edge.id, 'removed'));
  return { graph: { cards, edges: [...now.edges, ...gone] }, marks };
}

/** How many cards have each mark. */
export function counted(comparison: Comparison): Record<Mark, number> {
  const counts = { added: 0, removed: 0, changed: 0 };
  comparison.graph.cards.forEach(card => {
    const mark = comparison.marks.get(card.id);
    if (mark) {
      counts[mark] += 1;
    }
  });
  return counts;
}
