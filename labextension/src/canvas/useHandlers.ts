/**
 * What a person does with the mouse on the canvas, as handlers that stay the same functions: React Flow hands
 * them to every card, and a new one would draw all cards anew with each frame of a drag.
 */
import type { ReactFlowProps, Viewport } from '@xyflow/react';
import { useReactFlow } from '@xyflow/react';
import { useMemo, useRef } from 'react';

import type { NewKind } from '../graph/items';
import { useActions, useUi } from '../ui/context';
import { newName } from '../ui/labels';

import { DRAGGED } from './Palette';

type Handlers = Required<
  Pick<
    ReactFlowProps,
    | 'onNodeClick'
    | 'onNodeDoubleClick'
    | 'onPaneClick'
    | 'onMoveStart'
    | 'onMoveEnd'
    | 'onConnect'
    | 'onConnectEnd'
    | 'onDragOver'
    | 'onDrop'
  >
>;

export function useHandlers(moved: () => void): Handlers {
  const { trans } = useUi();
  const actions = useActions();
  const flow = useReactFlow();
  const begun = useRef<Viewport | null>(null);
  const latest = useRef({ moved, trans, flow });
  latest.current = { moved, trans, flow };
  return useMemo(
    () => ({
      onNodeClick: (event, node) => {
        if (!event.shiftKey && !event.ctrlKey && !event.metaKey) {
          actions.select(node.id);
        }
      },
      onNodeDoubleClick: (_, node) => actions.openProperties(node.id),
      onPaneClick: () => actions.select(null),
      onMoveStart: (_, viewport) => {
        begun.current = viewport;
      },
      onMoveEnd: (event, { x, y, zoom }) => {
        const from = begun.current;
        const still = from?.x === x && from.y === y && from.zoom === zoom;
        // Without an event nobody moved it: it was fitted. A click on the ground moves nothing either.
        if (event && !still) {
          latest.current.moved();
        }
      },
      onConnect: ({ source, target }) => actions.connect(source, target),
      onConnectEnd: (_, { isValid, fromNode, toNode }) => {
        if (isValid === false && fromNode && toNode) {
          actions.connect(fromNode.id, toNode.id);
        }
      },
      onDragOver: event => {
        if (event.dataTransfer.types.includes(DRAGGED)) {
          event.preventDefault();
          event.dataTransfer.dropEffect = 'copy';
        }
      },
      onDrop: event => {
        const kind = event.dataTransfer.getData(DRAGGED) as NewKind | '';
        if (kind) {
          event.preventDefault();
          const at = latest.current.flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
          actions.add(kind, newName(latest.current.trans, kind), at);
          // Whoever puts a card somewhere wants it there, not a view that jumps.
          latest.current.moved();
        }
      }
    }),
    [actions]
  );
}
