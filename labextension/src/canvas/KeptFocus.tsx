/**
 * Keeps the focus on the canvas when what had it is taken away: a card or a wire that was deleted, cut or undone,
 * or the tools of one. Left to the browser it would fall to the page, where no key means anything.
 *
 * It goes to the card that is chosen, else to the one nearest to where the lost one stood, else to the ground.
 */
import { useStore, useStoreApi } from '@xyflow/react';
import { useEffect, useLayoutEffect, useRef } from 'react';

import type { Position } from '../api/types';

const CARD = '.react-flow__node';
const WIRE = '.react-flow__edge';

/** What had the focus last, and where on the canvas that was; null where nobody knows. */
interface Held {
  element: Element;
  place: Position | null;
}

export function KeptFocus(): null {
  const store = useStoreApi();
  const held = useRef<Held | null>(null);
  const root = useStore(state => state.domNode);
  const nodes = useStore(state => state.nodes);
  const edges = useStore(state => state.edges);
  useEffect(() => {
    if (!root) {
      return;
    }
    const placeOf = (element: Element): Position | null => {
      const { nodeLookup, edgeLookup, nodes: all } = store.getState();
      const card = element.closest(CARD)?.getAttribute('data-id');
      const wire = element.closest(WIRE)?.getAttribute('data-id');
      const chosen = all.find(node => node.selected)?.id;
      const id = card ?? (wire ? edgeLookup.get(wire)?.source : chosen);
      return (id && nodeLookup.get(id)?.position) || null;
    };
    const onFocusIn = ({ target }: FocusEvent) => {
      held.current = target instanceof Element ? { element: target, place: placeOf(target) } : null;
    };
    // Of an element that goes the browser tells the same, or nothing.
    const onFocusOut = ({ target, relatedTarget }: FocusEvent) => {
      queueMicrotask(() => {
        const still = target instanceof Element && target.isConnected;
        if (held.current?.element === target && (relatedTarget || (still && document.hasFocus()))) {
          held.current = null;
        }
      });
    };
    root.addEventListener('focusin', onFocusIn);
    root.addEventListener('focusout', onFocusOut);
    return () => {
      root.removeEventListener('focusin', onFocusIn);
      root.removeEventListener('focusout', onFocusOut);
    };
  }, [root, store]);
  useLayoutEffect(() => {
    const lost = held.current;
    const elsewhere = document.activeElement !== null && document.activeElement !== document.body;
    if (!root || !lost || lost.element.isConnected || elsewhere) {
      return;
    }
    held.current = null;
    const from = lost.place;
    const away = ({ position }: { position: Position }) =>
      from ? Math.hypot(position.x - from.x, position.y - from.y) : 0;
    const chosen = nodes.find(node => node.selected);
    const next = chosen ?? [...nodes].sort((a, b) => away(a) - away(b))[0];
    const cards = [...root.querySelectorAll<HTMLElement>(CARD)];
    const card = next && cards.find(each => each.dataset.id === next.id);
    (card ?? root).focus({ preventScroll: true });
  }, [root, nodes, edges]);
  return null;
}
