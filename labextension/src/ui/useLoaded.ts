/**
 * Something that a view reads from the server, and may read again.
 */
import { useCallback, useEffect, useRef, useState } from 'react';

export interface Loaded<T> {
  /** Null until it is there. */
  data: T | null;
  /** What the server says against it. */
  trouble: string | null;
  reload: () => void;
}

/** What `load` gives; read anew when `key` changes or on `reload`. What was there stays meanwhile. */
export function useLoaded<T>(load: () => Promise<T>, key: string): Loaded<T> {
  const [state, setState] = useState<{ key: string; data: T | null; trouble: string | null }>({
    key,
    data: null,
    trouble: null
  });
  const [again, setAgain] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    let gone = false;
    latest.current().then(
      data => !gone && setState({ key, data, trouble: null }),
      (error: unknown) => {
        if (!gone) {
          const trouble = error instanceof Error ? error.message : String(error);
          setState(old => ({ key, data: old.key === key ? old.data : null, trouble }));
        }
      }
    );
    return () => {
      gone = true;
    };
  }, [key, again]);
  const reload = useCallback(() => setAgain(count => count + 1), []);
  const current = state.key === key;
  return { data: current ? state.data : null, trouble: current ? state.trouble : null, reload };
}

/** Something that a view asks the server to do; what goes wrong is kept to be shown. */
export function useTask(): {
  busy: boolean;
  trouble: string | null;
  run: (task: () => Promise<unknown>) => Promise<boolean>;
} {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const run = useCallback(async (task: () => Promise<unknown>) => {
    setBusy(true);
    setTrouble(null);
    try {
      await task();
      return true;
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
      return false;
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, trouble, run };
}
