/**
 * The graph as a tree: who uses what, from the agent downwards, then what nobody uses, then notes. Pure.
 *
 * A card that several use stands below each of them.
 */
import type { Card, Graph } from './graph';

export interface Row {
  /** The way to it, unique in the tree. */
  key: string;
  card: Card;
  /** 1 at the top. */
  level: number;
  /** Keys of the rows directly below. */
  children: string[];
  parent: string | null;
  /** Place among those beside it, from 1, and how many there are. */
  place: number;
  of: number;
  /** Stands at the top although it is no agent and no note: nothing uses it. */
  loose: boolean;
}

const ORDER = { agent: 0, subagent: 1, hook: 2, mcp: 3, note: 4 };

/** All rows in the order in which they are read. */
export function outlineOf({ cards, edges }: Graph): Row[] {
  const byId = new Map(cards.map(card => [card.id, card]));
  const below = new Map<string, Card[]>();
  const used = new Set<string>();
  for (const { source, target } of edges) {
    const card = byId.get(target);
    if (card && byId.has(source)) {
      below.set(source, [...(below.get(source) ?? []), card]);
      used.add(target);
    }
  }
  for (const list of below.values()) {
    list.sort((a, b) => ORDER[a.kind] - ORDER[b.kind]);
  }
  const rows: Row[] = [];
  const add = (card: Card, parent: Row | null, place: number, of: number, above: readonly string[]) => {
    const row: Row = {
      key: parent ? `${parent.key}>${card.id}` : card.id,
      card,
      level: (parent?.level ?? 0) + 1,
      children: [],
      parent: parent?.key ?? null,
      place,
      of,
      loose: !parent && card.kind !== 'agent' && card.kind !== 'note'
    };
    rows.push(row);
    // A definition on disk may hold a circle; the check says so, and the tree ends there.
    const inside = above.includes(card.id) ? [] : (below.get(card.id) ?? []);
    row.children = inside.map(each => `${row.key}>${each.id}`);
    inside.forEach((each, index) => add(each, row, index + 1, inside.length, [...above, card.id]));
  };
  const top = cards.filter(card => card.id === 'agent' || !used.has(card.id));
  top.sort((a, b) => ORDER[a.kind] - ORDER[b.kind]);
  top.forEach((card, index) => add(card, null, index + 1, top.length, []));
  return rows;
}

/** The rows that are seen while those in `folded` hide what is below them. */
export function unfolded(rows: readonly Row[], folded: ReadonlySet<string>): Row[] {
  const hidden = new Set<string>();
  return rows.filter(row => {
    const gone = row.parent !== null && (hidden.has(row.parent) || folded.has(row.parent));
    if (gone) {
      hidden.add(row.key);
    }
    return !gone;
  });
}
