/**
 * Small hooks that several views share.
 */
import { useEffect, useRef, useState } from 'react';

import { BATCH_MS } from '../api/batches';
import { inTurn } from '../api/frames';
import type { Part } from '../api/frames';

/** Everybody who shows seconds hears of them in the same moment: each part of the page is drawn once for all. */
const tickers = new Map<(now: number) => void, Part>();
let ticking: ReturnType<typeof setInterval> | undefined;

function onTick(part: Part, tell: (now: number) => void): () => void {
  tickers.set(tell, part);
  ticking ??= setInterval(() => {
    const now = Date.now();
    tickers.forEach((part, tell) => inTurn(part, () => tickers.has(tell) && tell(now)));
  }, 1_000);
  return () => {
    tickers.delete(tell);
    if (!tickers.size) {
      clearInterval(ticking);
      ticking = undefined;
    }
  };
}

/** The time now in milliseconds, told every second while `active`, when it is the turn of `part`. */
export function useNow(active: boolean, part: Part = 'figures'): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!active) {
      return;
    }
    setNow(Date.now());
    return onTick(part, setNow);
  }, [active, part]);
  return now;
}

/** A URL for `load`'s bytes, given back when the view goes; null until there, undefined when it failed. */
export function useBlobUrl(load: () => Promise<Blob>, key: string): string | null | undefined {
  const [url, setUrl] = useState<string | null | undefined>(null);
  useEffect(() => {
    let made: string | null = null;
    let gone = false;
    load().then(
      blob => {
        if (!gone) {
          made = URL.createObjectURL(blob);
          setUrl(made);
        }
      },
      () => !gone && setUrl(undefined)
    );
    return () => {
      gone = true;
      if (made) {
        URL.revokeObjectURL(made);
      }
    };
    // `key` says which bytes; `load` is a new function each time.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key]);
  return url;
}

/** Rendering again more often than this, in milliseconds, helps nobody to read. */
const THROTTLE_MS = 200;

/**
 * `value`, at most five times a second while it is `growing`, and at once when it no longer is. What comes in
 * time is shown with whatever is drawn anyway; only the last of it has a drawing of its own.
 */
export function useThrottled<T>(value: T, growing: boolean): T {
  const shown = useRef({ value, at: performance.now() });
  const [, draw] = useState(0);
  if (!growing || performance.now() - shown.current.at >= THROTTLE_MS) {
    shown.current = { value, at: performance.now() };
  }
  const late = growing && shown.current.value !== value;
  useEffect(() => {
    if (!late) {
      return;
    }
    const pause = shown.current.at + THROTTLE_MS - performance.now();
    const timer = setTimeout(() => draw(count => count + 1), Math.max(0, pause) + BATCH_MS);
    return () => clearTimeout(timer);
  }, [late, value]);
  return shown.current.value;
}
