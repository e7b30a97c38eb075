/**
 * A list of rows of one height, of which only those in view are in the page.
 */
import { useLayoutEffect, useRef, useState } from 'react';
import type { ReactNode, RefObject } from 'react';

/** Rows beyond the view that are drawn already. */
const MARGIN = 12;
/** Rows that are drawn before the height of the view is known. */
const UNKNOWN = 60;

/**
 * Which rows are in view; `present`: whether the scroller is in the page yet. While `following`, those are the
 * last ones wherever that is: rows that are added are drawn at once, and scrolling to them draws nothing more.
 */
export function useWindow(
  scroller: RefObject<HTMLElement>,
  count: number,
  rowHeight: number,
  { present = true, following = false } = {}
): { first: number; last: number } {
  const [view, setView] = useState({ top: 0, height: 0 });
  // Before the next paint: a reader who stops following must not see a frame of rows from somewhere else.
  useLayoutEffect(() => {
    const node = scroller.current;
    if (!node || !present) {
      return;
    }
    const read = () =>
      setView(before => {
        const top = following ? before.top : node.scrollTop;
        return before.top === top && before.height === node.clientHeight
          ? before
          : { top, height: node.clientHeight };
      });
    read();
    const observer = new ResizeObserver(() => {
      if (following) {
        node.scrollTop = node.scrollHeight;
      }
      read();
    });
    observer.observe(node);
    node.addEventListener('scroll', read, { passive: true });
    return () => {
      observer.disconnect();
      node.removeEventListener('scroll', read);
    };
  }, [scroller, present, following]);
  const shown = view.height ? Math.ceil(view.height / rowHeight) : UNKNOWN;
  const first = following ? count - shown - MARGIN : Math.floor(view.top / rowHeight) - MARGIN;
  return { first: Math.max(0, first), last: Math.min(count, Math.max(0, first) + shown + 2 * MARGIN) };
}

/** Keeps the end of `scroller` in view while `following`; says when a reader scrolls up, and comes back. */
export function useFollowing(
  scroller: RefObject<HTMLElement>,
  content: unknown,
  following: boolean,
  follow: (following: boolean) => void
): () => void {
  const bottom = useRef(0);
  useLayoutEffect(() => {
    const node = scroller.current;
    if (node && following) {
      node.scrollTop = node.scrollHeight;
      bottom.current = node.scrollTop;
    }
  }, [scroller, content, following]);
  return () => {
    const node = scroller.current;
    if (node) {
      const up = node.scrollTop < bottom.current - 2;
      bottom.current = node.scrollTop;
      if (node.scrollHeight - node.clientHeight - node.scrollTop < NEAR_END) {
        follow(true);
      } else if (up) {
        follow(false);
      }
    }
  };
}

/** Distance from the end, in CSS pixels, that still counts as being at the end. */
export const NEAR_END = 24;

/** The rows from `first` to `last`, in a box as high as all of them. */
export function VirtualRows(props: {
  first: number;
  last: number;
  count: number;
  rowHeight: number;
  render: (index: number) => ReactNode;
}): JSX.Element {
  const { first, last, count, rowHeight, render } = props;
  const rows: ReactNode[] = [];
  for (let index = first; index < last; index++) {
    rows.push(render(index));
  }
  // Rows keep their place by room above them, not by moving the box they are in: moved, all would be painted anew.
  return (
    <div
      role="presentation"
      style={{ height: count * rowHeight, paddingTop: first * rowHeight, boxSizing: 'border-box' }}
    >
      {rows}
    </div>
  );
}
