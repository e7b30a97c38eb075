/**
 * Moves of the view that somebody asked for elsewhere: to a card that was searched for, and to an old version
 * and back.
 */
import { useReactFlow } from '@xyflow/react';
import { useEffect, useRef } from 'react';
import type { Viewport } from '@xyflow/react';

import { useProject } from '../ui/context';

/** A card that was searched for is shown at least so large: all of it can be read. */
const NEAR = 0.85;

/** Brings the card that was searched for into the middle, and the focus to it. */
export function useSought(moved: () => void): void {
  const flow = useReactFlow();
  const sought = useProject(state => state.sought);
  const done = useRef(sought);
  useEffect(() => {
    const node = sought && sought !== done.current ? flow.getNode(sought.card) : undefined;
    done.current = sought;
    if (!node) {
      return;
    }
    const { x, y } = node.position;
    const { width = 0, height = 0 } = node.measured ?? {};
    void flow.setCenter(x + width / 2, y + height / 2, { zoom: Math.max(NEAR, flow.getZoom()) }).then(() => {
      moved();
      // Only what is in view is drawn: two frames later it is there.
      requestAnimationFrame(() =>
        requestAnimationFrame(() =>
          document
            .querySelector<HTMLElement>(`.react-flow__node[data-id="${node.id}"]`)
            ?.focus({ preventScroll: true })
        )
      );
    });
  }, [sought, flow, moved]);
}

/** Shows all of an old version, and afterwards what was seen before. */
export function useOldView(frozen: boolean, show: () => void): void {
  const flow = useReactFlow();
  const before = useRef<Viewport | null>(null);
  useEffect(() => {
    if (frozen && !before.current) {
      before.current = flow.getViewport();
      requestAnimationFrame(() => requestAnimationFrame(show));
    } else if (!frozen && before.current) {
      void flow.setViewport(before.current);
      before.current = null;
    }
    // `show` is another function whenever the tab's size changes.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [frozen, flow]);
}
