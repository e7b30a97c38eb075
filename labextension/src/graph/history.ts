/**
 * Undo and redo over changes: a pure value, no clock, no store.
 */
import type { Definition } from '../api/types';

import type { Change } from './changes';
import { apply, invert, merged } from './changes';

export interface History {
  definition: Definition;
  past: readonly Change[];
  future: readonly Change[];
}

/** Most steps that can be undone. */
const LONGEST = 500;

export function begin(definition: Definition): History {
  return { definition, past: [], future: [] };
}

/** Make `change`; with `merge`, typing on in the field of the last step extends that step. */
export function push(history: History, change: Change, merge = false): History {
  const definition = apply(history.definition, change);
  const last = history.past[history.past.length - 1];
  const both = merge && last ? merged(last, change) : null;
  if (both) {
    return { definition, past: [...history.past.slice(0, -1), both], future: [] };
  }
  return { definition, past: [...history.past.slice(-LONGEST + 1), change], future: [] };
}

export function undo(history: History): History {
  const change = history.past[history.past.length - 1];
  if (!change) {
    return history;
  }
  return {
    definition: apply(history.definition, invert(change)),
    past: history.past.slice(0, -1),
    future: [change, ...history.future]
  };
}

export function redo(history: History): History {
  const [change, ...future] = history.future;
  if (!change) {
    return history;
  }
  return { definition: apply(history.definition, change), past: [...history.past, change], future };
}
