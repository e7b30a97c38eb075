/**
 * Small hooks that several views share.
 */
import { useEffect, useRef, useState } from 'react';

/** The time now in milliseconds, told every second while `active`. */
export function useNow(active: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!active) {
      return;
    }
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [active]);
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

/** `value`, at most five times a second while it is `growing`, and at once when it no longer is. */
export function useThrottled<T>(value: T, growing: boolean): T {
  const [shown, setShown] = useState(value);
  const latest = useRef(value);
  latest.current = value;
  useEffect(() => {
    if (!growing) {
      return;
    }
    const timer = setInterval(() => setShown(latest.current), THROTTLE_MS);
    return () => clearInterval(timer);
  }, [growing]);
  return growing ? shown : value;
}
