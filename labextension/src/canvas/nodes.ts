/**
 * The graph as React Flow takes it: pure, and careful to keep objects that did not change.
 */
import type { Node } from '@xyflow/react';

import type { Size } from '../graph/arrange';
import type { Edge, Graph } from '../graph/graph';
import { CARD_WIDTH } from '../graph/layout';
import type { Wire, WireData } from './WireEdge';

const data = new WeakMap<object, { item: object }>();

/** The same data object for the same item, so that memoised cards stay as they are. */
function dataOf(item: object): { item: object } {
  let known = data.get(item);
  if (!known) {
    known = { item };
    data.set(item, known);
  }
  return known;
}

/** Nodes for `graph`; what React Flow knows of the `old` ones (size, drag) is kept. */
export function nodesOf(
  graph: Graph,
  old: readonly Node[],
  picked: readonly string[],
  label: (id: string, kind: string) => string
): Node[] {
  const known = new Map(old.map(node => [node.id, node]));
  const chosen = new Set(picked);
  return graph.cards.map(card => {
    const before = known.get(card.id);
    const now = {
      id: card.id,
      type: card.kind,
      position: card.position,
      data: dataOf(card.item),
      selected: chosen.has(card.id),
      ariaLabel: label(card.id, card.kind)
    };
    const same =
      before &&
      before.data === now.data &&
      before.selected === now.selected &&
      before.ariaLabel === now.ariaLabel &&
      before.position.x === now.position.x &&
      before.position.y === now.position.y;
    return same ? before : { ...before, ...now };
  });
}

/** Sizes as they were measured, by card. */
export function sizesOf(nodes: readonly Node[]): Map<string, Size> {
  return new Map(
    nodes.flatMap(({ id, measured }) =>
      measured?.width && measured.height ? [[id, { width: measured.width, height: measured.height }]] : []
    )
  );
}

/** From so many wires on they are hairlines while nothing runs: quicker to paint by far, and easier to follow. */
const MANY = 60;

/** Edges leave and reach cards on the sides that face each other; where several meet, one draws the dot. */
export function wiresOf(graph: Graph, picked: readonly string[], label: (edge: Edge) => string): Wire[] {
  const centre = new Map(graph.cards.map(card => [card.id, card.position.x + CARD_WIDTH[card.kind] / 2]));
  const thin = graph.edges.length >= MANY;
  const dotted = new Set<string>();
  const first = (place: string) => !dotted.has(place) && Boolean(dotted.add(place));
  return graph.edges.map(edge => {
    const rightwards = (centre.get(edge.target) ?? 0) >= (centre.get(edge.source) ?? 0);
    const [sourceHandle, targetHandle] = rightwards ? ['right', 'left'] : ['left', 'right'];
    return {
      id: edge.id,
      type: 'wire',
      source: edge.source,
      target: edge.target,
      sourceHandle,
      targetHandle,
      ariaLabel: label(edge),
      selected: picked.includes(edge.id),
      data: dataOfWire(
        edge.kind,
        thin,
        first(`${edge.source} ${sourceHandle}`),
        first(`${edge.target} ${targetHandle}`)
      )
    };
  });
}

const wireData = new Map<string, WireData>();

/** The same object for the same facts, so that memoised wires stay as they are. */
function dataOfWire(kind: Edge['kind'], thin: boolean, begins: boolean, ends: boolean): WireData {
  const key = [kind, thin, begins, ends].join();
  let known = wireData.get(key);
  if (!known) {
    known = { kind, thin, begins, ends };
    wireData.set(key, known);
  }
  return known;
}
