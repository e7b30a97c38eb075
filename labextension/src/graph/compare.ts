/**
 * Two definitions as one picture: what was added, removed and changed between them. Pure.
 */
import type { Definition } from '../api/types';

import { cardOf, changesBetween } from './differences';
import type { Card, Edge, Graph } from './graph';
import { graphOf } from './graph';
import { boxOf, uncovered } from './uncovered';

export type Mark = 'added' | 'removed' | 'changed';

export interface Comparison {
  /** The cards and wires of both; what is gone stands where it stood. */
  graph: Graph;
  /** What happened to a card or a wire; nothing for those that stayed as they were. */
  marks: ReadonlyMap<string, Mark>;
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
    cards.push({ ...card, position: uncovered(boxOf(card), cards) });
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
