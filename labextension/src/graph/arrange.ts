/**
 * New places for cards: tidied up as a graph, or brought into line. Pure but for the layout library.
 */
import type { Position } from '../api/types';

import type { Graph } from './graph';
import { GRID } from './layout';

export interface Size {
  width: number;
  height: number;
}

export type Side = 'left' | 'right' | 'top' | 'bottom' | 'across' | 'down';

/** Room between cards, in canvas units. */
const BETWEEN = { ranks: 80, rows: 40 };

const snapped = (value: number) => Math.round(value / GRID) * GRID;

/**
 * Places for all cards, from left to right: hooks and servers of the agent, the agent, its subagents, and
 * below everything the notes. The agent stays where it is, so that the view need not move.
 */
export async function tidied(graph: Graph, sizes: Map<string, Size>): Promise<Record<string, Position>> {
  const { default: dagre } = await import('@dagrejs/dagre');
  const layout = new dagre.graphlib.Graph();
  layout.setGraph({ rankdir: 'LR', ranksep: BETWEEN.ranks, nodesep: BETWEEN.rows });
  layout.setDefaultEdgeLabel(() => ({}));
  const sizeOf = (id: string) => sizes.get(id) ?? { width: 240, height: 120 };
  for (const card of graph.cards) {
    if (card.kind !== 'note') {
      layout.setNode(card.id, { ...sizeOf(card.id) });
    }
  }
  for (const { kind, source, target } of graph.edges) {
    // What only the agent uses and is no subagent stands before it, as a reader expects of what feeds it.
    const before = kind !== 'subagent' && source === 'agent';
    layout.setEdge(before ? target : source, before ? source : target);
  }
  dagre.layout(layout);
  const agent = graph.cards.find(card => card.id === 'agent');
  const found = layout.node('agent') as Position | undefined;
  const corner = (id: string): Position => {
    const { x, y } = layout.node(id) as Position;
    return { x: x - sizeOf(id).width / 2, y: y - sizeOf(id).height / 2 };
  };
  const shift =
    agent && found
      ? { x: agent.position.x - corner('agent').x, y: agent.position.y - corner('agent').y }
      : { x: 0, y: 0 };
  const places: Record<string, Position> = {};
  let lowest = -Infinity;
  let leftmost = Infinity;
  for (const card of graph.cards.filter(each => each.kind !== 'note')) {
    const at = corner(card.id);
    places[card.id] = { x: snapped(at.x + shift.x), y: snapped(at.y + shift.y) };
    lowest = Math.max(lowest, places[card.id].y + sizeOf(card.id).height);
    leftmost = Math.min(leftmost, places[card.id].x);
  }
  let x = leftmost;
  for (const card of graph.cards.filter(each => each.kind === 'note')) {
    places[card.id] = { x: snapped(x), y: snapped(lowest + BETWEEN.rows) };
    x += sizeOf(card.id).width + BETWEEN.rows;
  }
  return places;
}

/** Places that bring `cards` to one side, or spread them evenly across or down. */
export function aligned(
  graph: Graph,
  cards: readonly string[],
  sizes: Map<string, Size>,
  side: Side
): Record<string, Position> {
  const chosen = graph.cards
    .filter(card => cards.includes(card.id))
    .map(card => ({ id: card.id, ...card.position, ...(sizes.get(card.id) ?? { width: 240, height: 120 }) }));
  const least = (key: 'x' | 'y') => Math.min(...chosen.map(each => each[key]));
  const most = (key: 'x' | 'y', size: 'width' | 'height') =>
    Math.max(...chosen.map(each => each[key] + each[size]));
  const spread = (key: 'x' | 'y', size: 'width' | 'height') => {
    const order = [...chosen].sort((a, b) => a[key] - b[key]);
    const room = most(key, size) - least(key) - order.reduce((sum, each) => sum + each[size], 0);
    const gap = Math.max(BETWEEN.rows, room / Math.max(1, order.length - 1));
    let at = least(key);
    return Object.fromEntries(
      order.map(each => {
        const place = { x: each.x, y: each.y, [key]: snapped(at) };
        at += each[size] + gap;
        return [each.id, { x: place.x, y: place.y }];
      })
    );
  };
  const place = (make: (each: (typeof chosen)[number]) => Position) =>
    Object.fromEntries(chosen.map(each => [each.id, make(each)]));
  switch (side) {
    case 'left':
      return place(each => ({ x: least('x'), y: each.y }));
    case 'right':
      return place(each => ({ x: most('x', 'width') - each.width, y: each.y }));
    case 'top':
      return place(each => ({ x: each.x, y: least('y') }));
    case 'bottom':
      return place(each => ({ x: each.x, y: most('y', 'height') - each.height }));
    case 'across':
      return spread('x', 'width');
    case 'down':
      return spread('y', 'height');
  }
}
