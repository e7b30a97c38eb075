/**
 * Helper lines while cards are dragged: what React Flow says of the drag goes through here, and comes out in
 * line with the cards nearby, or else on the grid. Keys move cards by the grid alone.
 *
 * Lines live in a store of their own, so that none of this draws a card anew.
 */
import type { Node, NodeChange, NodePositionChange, ReactFlowProps } from '@xyflow/react';
import { useStoreApi } from '@xyflow/react';
import { useEffect, useMemo, useRef } from 'react';
import type { StoreApi } from 'zustand';
import { createStore } from 'zustand';

import type { Frame, Guide } from '../graph/guides';
import { guided } from '../graph/guides';
import { GRID } from '../graph/layout';

/** From so near a line pulls, in CSS pixels; far away no farther than this in canvas units. */
const REACH_PX = 6;
const REACH = 16;
const NONE: readonly Guide[] = [];

interface Drag {
  /** The card that the hand holds. */
  held: string;
  sizes: Map<string, { width: number; height: number }>;
  others: Frame[];
  /** Where it was put last. */
  last: string;
}

export type Lines = StoreApi<readonly Guide[]>;

export interface Guiding {
  lines: Lines;
  handlers: Required<Pick<ReactFlowProps, 'onNodeDragStart' | 'onNodeDragStop'>>;
  /** `changes` as they shall be; none where nothing has moved. */
  guide: (changes: NodeChange[]) => NodeChange[];
}

function sizeOf(node: Node): { width: number; height: number } {
  return { width: node.measured?.width ?? 0, height: node.measured?.height ?? 0 };
}

function around(frames: readonly Frame[]): Frame {
  const x = Math.min(...frames.map(each => each.x));
  const y = Math.min(...frames.map(each => each.y));
  return {
    x,
    y,
    width: Math.max(...frames.map(each => each.x + each.width)) - x,
    height: Math.max(...frames.map(each => each.y + each.height)) - y
  };
}

type Placed = NodePositionChange & { position: NonNullable<NodePositionChange['position']> };

function isPlaced(change: NodeChange): change is Placed {
  return change.type === 'position' && change.position !== undefined;
}

const exact = (value: number) => Math.round(value * 100) / 100;

export function useGuides(snapping: boolean): Guiding {
  const store = useStoreApi();
  const snap = useRef(snapping);
  snap.current = snapping;
  const drag = useRef<Drag | null>(null);
  const guiding = useMemo<Guiding>(() => {
    const lines = createStore<readonly Guide[]>(() => NONE);
    return {
      lines,
      handlers: {
        onNodeDragStart: (_, held, nodes) => {
          const sizes = new Map(nodes.map(node => [node.id, sizeOf(node)]));
          const others = store
            .getState()
            .nodes.filter(node => !sizes.has(node.id))
            .map(node => ({ ...node.position, ...sizeOf(node) }));
          drag.current = { held: held.id, sizes, others, last: '' };
          // React Flow would round to the grid what shall be rounded to a line.
          store.setState({ snapToGrid: false });
        },
        onNodeDragStop: () => {
          drag.current = null;
          lines.setState(NONE, true);
          store.setState({ snapToGrid: snap.current });
        }
      },
      guide: changes => {
        const { current } = drag;
        const moved = changes.filter(isPlaced).filter(change => current?.sizes.has(change.id));
        const held = moved.find(change => change.id === current?.held);
        if (!current || !held) {
          return changes;
        }
        const moving = moved.map(({ id, position }) => ({ ...position, ...current.sizes.get(id)! }));
        const zoom = store.getState().transform[2];
        const { shift, lines: found } = guided(around(moving), held.position, current.others, {
          reach: snap.current ? Math.min(REACH, REACH_PX / zoom) : 0,
          grid: snap.current ? GRID : null
        });
        const put = (at: Placed['position']) => ({ x: exact(at.x + shift.x), y: exact(at.y + shift.y) });
        const place = JSON.stringify(put(held.position));
        if (held.dragging && place === current.last) {
          return [];
        }
        current.last = place;
        lines.setState(found.length ? found : NONE, true);
        return changes.map(change =>
          isPlaced(change) && current.sizes.has(change.id)
            ? { ...change, position: put(change.position) }
            : change
        );
      }
    };
  }, [store]);
  // A card that is deleted while the hand holds it is never let go.
  useEffect(
    () => () => {
      drag.current = null;
    },
    []
  );
  return guiding;
}
