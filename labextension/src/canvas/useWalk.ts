/**
 * Arrow keys on a card that is not chosen lead to the next one, along the wires. On one that is chosen they move
 * it, which is React Flow's.
 */
import { useStoreApi } from '@xyflow/react';
import type { KeyboardEvent } from 'react';
import { useMemo } from 'react';

import type { Graph } from '../graph/graph';
import type { Direction } from '../graph/walk';
import { nextCard } from '../graph/walk';

import { sizesOf } from './nodes';

const KEYS: Partial<Record<string, Direction>> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down'
};

function cardOf(event: KeyboardEvent<HTMLElement>): { card: HTMLElement; id: string } | null {
  const card = event.target as HTMLElement;
  const id = card.classList.contains('react-flow__node') ? card.dataset.id : undefined;
  return id ? { card, id } : null;
}

export interface Walk {
  /** Takes a key that walks; says whether it was one. */
  step: (event: KeyboardEvent<HTMLElement>) => boolean;
  /** Keys before React Flow sees them. */
  onKeyDownCapture: (event: KeyboardEvent<HTMLElement>) => void;
}

export function useWalk(graph: Graph): Walk {
  const store = useStoreApi();
  return useMemo(() => {
    const isChosen = (id: string) => store.getState().nodes.find(node => node.id === id)?.selected === true;
    return {
      step: event => {
        const direction = KEYS[event.key];
        const from = cardOf(event);
        const held = event.shiftKey || event.ctrlKey || event.metaKey || event.altKey;
        if (!direction || !from || held || isChosen(from.id)) {
          return false;
        }
        const { nodes, domNode } = store.getState();
        const next = nextCard(graph, from.id, direction, sizesOf(nodes));
        if (next) {
          domNode?.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(next)}"]`)?.focus();
        }
        event.preventDefault();
        return true;
      },
      onKeyDownCapture: event => {
        const from = cardOf(event);
        if (event.key !== 'Escape' || !from) {
          return;
        }
        if (isChosen(from.id)) {
          // React Flow lets go of what was chosen, and of the focus: the way goes on from here.
          requestAnimationFrame(() => requestAnimationFrame(() => from.card.focus()));
        } else {
          // It would choose it.
          event.stopPropagation();
        }
      }
    };
  }, [graph, store]);
}
