/**
 * The view of the canvas: it keeps all cards in sight until a person pans or zooms, then it is theirs.
 *
 * Not here: what is seen best (`fit.ts`).
 */
import type { Node } from '@xyflow/react';
import { useReactFlow, useStore } from '@xyflow/react';
import { useCallback, useEffect, useRef, useState } from 'react';

import type { Definition } from '../api/types';
import { useActions } from '../ui/context';

import type { Box, Room } from './fit';
import { allSeen, roomOf, viewFor } from './fit';

/** Smallest canvas that has room for the minimap, in CSS pixels. */
const MAP_WIDTH = 700;
const MAP_HEIGHT = 320;

function boxOf(node: Node, height?: number): Box {
  return {
    id: node.id,
    note: node.type === 'note',
    ...node.position,
    width: node.measured?.width ?? 0,
    height: height ?? node.measured?.height ?? 0
  };
}

interface Known {
  cards: Box[];
  /** Heights of all cards as one text, empty until each was measured. */
  sizes: string;
}

const cache = new WeakMap<readonly Node[], Known>();

/** Worked out once for each list of nodes, and not with each frame of a pan. */
function known(nodes: readonly Node[]): Known {
  let found = cache.get(nodes);
  if (!found) {
    const measured = nodes.every(node => node.measured?.height);
    found = {
      cards: nodes.filter(node => node.type !== 'note').map(node => boxOf(node)),
      sizes: measured ? nodes.map(node => `${node.id} ${node.measured?.height}`).join() : ''
    };
    cache.set(nodes, found);
  }
  return found;
}

export interface View {
  /** Show all cards now. */
  show: () => void;
  /** Show all cards, and keep them in view from now on. */
  fit: () => void;
  /** The person has moved the view: keep it as it is. */
  remember: () => void;
  /** Whether the minimap has room and something to show. */
  hasMap: boolean;
  /** What floats beside the cards has so much room. */
  room: Room;
}

export function useView(definition: Definition): View {
  const actions = useActions();
  const flow = useReactFlow();
  const [saved] = useState(definition.ui.viewport);
  const own = useRef(saved !== null);
  const judged = useRef(saved === null);
  const width = useStore(state => state.width);
  const height = useStore(state => state.height);
  /** Sizes of all cards, empty until each was measured. */
  const sizes = useStore(state => known(state.nodes).sizes);
  const hasMap = useStore(
    state =>
      state.width >= MAP_WIDTH &&
      state.height >= MAP_HEIGHT &&
      // A note at the edge needs no map, which would lie over a card there.
      !allSeen(known(state.nodes).cards, state, {
        x: state.transform[0],
        y: state.transform[1],
        zoom: state.transform[2]
      })
  );
  // Cards are lower when they are far away; a fit that believed them would never come to rest.
  const tallest = useRef(new Map<string, number>());
  const show = useCallback(() => {
    const boxes = flow.getNodes().map(node => {
      const tall = Math.max(node.measured?.height ?? 0, tallest.current.get(node.id) ?? 0);
      tallest.current.set(node.id, tall);
      return boxOf(node, tall);
    });
    void flow.setViewport(viewFor(boxes, { width, height }));
  }, [flow, width, height]);

  useEffect(() => {
    if (!width || !height || !sizes) {
      return;
    }
    if (!judged.current) {
      judged.current = true;
      const agent = flow.getNode('agent')?.position ?? { x: 0, y: 0 };
      const { x, y, zoom } = flow.getViewport();
      const seen = { x: agent.x * zoom + x, y: agent.y * zoom + y };
      // A view saved in a larger tab may show nothing in this one.
      own.current = seen.x > -40 && seen.y > -40 && seen.x < width - 60 && seen.y < height - 60;
    }
    if (!own.current) {
      show();
    }
    // Where cards stand is no reason to move the view: a person drags them.
  }, [width, height, sizes, flow, show]);

  const remember = useCallback(() => {
    own.current = true;
    actions.rememberView({ viewport: flow.getViewport() });
  }, [actions, flow]);
  const fit = useCallback(() => {
    own.current = false;
    show();
    actions.forgetView();
  }, [actions, show]);
  return { fit, show, remember, hasMap, room: roomOf(width) };
}
