/**
 * Which pieces of a long list are worth drawing: those in view at once, those around it one with each frame.
 *
 * A jump into the middle of ten thousand rows draws what is seen in the frame of the jump, and the rest after
 * it; pieces that were left behind go last. Not here: what a piece is (`Rows.tsx`).
 */
import { useEffect, useState } from 'react';
import type { RefObject } from 'react';

/** Pieces this near to the view are drawn before they are seen. */
const AROUND = '800px 0px';

interface Seen {
  near: boolean;
  /** Height when it was last drawn, in CSS pixels; null before. */
  height: number | null;
}

interface Watched {
  visible: boolean;
  around: boolean;
  /** Whether it is drawn now, as far as was told. */
  drawn: boolean;
  tell: (near: boolean, height: number | null) => void;
}

/** Watches the pieces of one scrolling list. */
export class Watch {
  constructor(private _scroller: () => HTMLElement | null) {}

  /** Tell about `node` from now on; returns the way to stop. */
  add(node: Element, drawn: boolean, tell: Watched['tell']): () => void {
    this._start();
    this._watched.set(node, { visible: false, around: false, drawn, tell });
    this._view?.observe(node);
    this._around?.observe(node);
    return () => {
      this._watched.delete(node);
      this._view?.unobserve(node);
      this._around?.unobserve(node);
      if (!this._watched.size) {
        this._stop();
      }
    };
  }

  private _start(): void {
    const root = this._scroller();
    this._view ??= new IntersectionObserver(entries => this._see(entries), { root });
    this._around ??= new IntersectionObserver(entries => this._come(entries), { root, rootMargin: AROUND });
  }

  private _stop(): void {
    this._view?.disconnect();
    this._around?.disconnect();
    this._view = this._around = null;
    cancelAnimationFrame(this._frame);
    this._frame = 0;
  }

  private _see(entries: IntersectionObserverEntry[]): void {
    for (const entry of entries) {
      const piece = this._watched.get(entry.target);
      if (piece) {
        piece.visible = entry.isIntersecting;
        if (piece.visible && !piece.drawn) {
          piece.drawn = true;
          piece.tell(true, null);
        }
      }
    }
  }

  private _come(entries: IntersectionObserverEntry[]): void {
    for (const entry of entries) {
      const piece = this._watched.get(entry.target);
      if (piece) {
        piece.around = entry.isIntersecting;
      }
    }
    this._next();
  }

  /** With the next frame, one more piece: first what comes near, then what has gone. */
  private _next(): void {
    this._frame ||= requestAnimationFrame(() => {
      this._frame = 0;
      const late = (wanted: boolean) =>
        [...this._watched].find(
          ([, each]) => each.drawn !== wanted && (each.visible || each.around) === wanted
        );
      const found = late(true) ?? late(false);
      if (found) {
        const [node, piece] = found;
        piece.drawn = !piece.drawn;
        const height = piece.drawn ? null : node.getBoundingClientRect().height || null;
        piece.tell(piece.drawn, height);
        this._next();
      }
    });
  }

  private _watched = new Map<Element, Watched>();
  private _view: IntersectionObserver | null = null;
  private _around: IntersectionObserver | null = null;
  private _frame = 0;
}

/** One for each list. */
export function useWatch(scroller: RefObject<HTMLElement>): Watch {
  const [watch] = useState(() => new Watch(() => scroller.current));
  return watch;
}

/** Whether the piece is worth drawing, and how high it was when it was last drawn. */
export function useNear(node: RefObject<Element>, watch: Watch, always: boolean): Seen {
  const [seen, setSeen] = useState<Seen>({ near: always, height: null });
  useEffect(
    () =>
      node.current
        ? watch.add(node.current, always, (near, height) =>
            setSeen(before => ({ near, height: height ?? before.height }))
          )
        : undefined,
    // `always` is where it began; from then on the watch knows.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [node, watch]
  );
  return seen;
}
