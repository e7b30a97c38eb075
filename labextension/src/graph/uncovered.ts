/**
 * Places where a card hides no other one. Pure. Not here: where cards stand that nobody has placed (`layout`).
 */
import type { Position } from '../api/types';

import type { Card, CardKind } from './graph';
import { CARD_WIDTH, GRID } from './layout';

/** Height of a card with its mark, about, in canvas units. */
const TALL = 150;
/** Room between a card and its neighbours, in canvas units. */
const GAP = 2 * GRID;

export interface Box extends Position {
  width: number;
  height: number;
}

/** What a card of that kind covers, at `position`. */
export function boxAt(kind: CardKind, position: Position): Box {
  return { ...position, width: CARD_WIDTH[kind], height: TALL };
}

export function boxOf(card: Card): Box {
  const box = boxAt(card.kind, card.position);
  return card.kind === 'note' ? { ...box, width: card.item.width, height: card.item.height } : box;
}

/** The place of `wanted`, or the first one straight below it, where it hides none of `others`. */
export function uncovered(wanted: Box, others: readonly Card[]): Position {
  const box = { ...wanted };
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
