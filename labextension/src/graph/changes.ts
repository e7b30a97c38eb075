/**
 * Changes of a definition as data: apply one, invert one. Pure.
 *
 * Undo, redo and the unsaved mark are made of these (`history.ts`).
 */
import type { Definition, Position } from '../api/types';

/** Keys and indices from the definition down to one field. */
export type Path = readonly (string | number)[];

export type Change =
  | {
      type: 'set';
      path: Path;
      before: unknown;
      after: unknown;
      /** The card that it gives another name, and what the card is called in the graph from then on. */
      names?: { from: string; to: string };
    }
  | { type: 'move'; before: Record<string, Position | null>; after: Record<string, Position | null> };

/** The value at `path`, undefined where there is none. */
export function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<string | number, unknown> | null)?.[key],
    root
  );
}

function withValue(root: unknown, path: Path, value: unknown): unknown {
  if (!path.length) {
    return value;
  }
  const [key, ...rest] = path;
  const source = root as Record<string | number, unknown>;
  const copy = (Array.isArray(source) ? [...source] : { ...source }) as Record<string | number, unknown>;
  const inner = withValue(source?.[key], rest, value);
  if (inner === undefined) {
    delete copy[key];
  } else {
    copy[key] = inner;
  }
  return copy;
}

/** The change that puts `after` at `path`; undefined removes the key. */
export function setting(definition: Definition, path: Path, after: unknown): Change {
  return { type: 'set', path, before: valueAt(definition, path), after };
}

/** The change that puts cards at new places. */
export function moving(definition: Definition, after: Record<string, Position>): Change {
  const before: Record<string, Position | null> = {};
  for (const id of Object.keys(after)) {
    before[id] = definition.ui.nodes.find(node => node.id === id)?.position ?? null;
  }
  return { type: 'move', before, after };
}

/** `definition` with `change` made; parts it does not touch stay the same objects. */
export function apply(definition: Definition, change: Change): Definition {
  if (change.type === 'set') {
    return withValue(definition, change.path, change.after) as Definition;
  }
  const kept = definition.ui.nodes.filter(node => !(node.id in change.after));
  const moved = Object.entries(change.after)
    .filter((entry): entry is [string, Position] => entry[1] !== null)
    .map(([id, position]) => ({ id, position }));
  return { ...definition, ui: { ...definition.ui, nodes: [...kept, ...moved] } };
}

/** The change that takes `change` back. */
export function invert(change: Change): Change {
  const turned = { ...change, before: change.after, after: change.before } as Change;
  if (turned.type === 'set' && turned.names) {
    turned.names = { from: turned.names.to, to: turned.names.from };
  }
  return turned;
}

/** The change that gives a card another name, by which it may be called something else in the graph, too. */
export function naming(definition: Definition, from: string, to: string, after: Definition): Change {
  return { type: 'set', path: [], before: definition, after, names: { from, to } };
}

/**
 * Both changes as one where they write the same single field, so that typing is one step of undo; else null.
 * What changes more than a field is a step of its own: a removal between two names of a card stays one.
 */
export function merged(a: Change, b: Change): Change | null {
  if (a.type !== 'set' || b.type !== 'set') {
    return null;
  }
  if (a.names || b.names) {
    return a.names && b.names && a.names.to === b.names.from
      ? { ...a, after: b.after, names: { from: a.names.from, to: b.names.to } }
      : null;
  }
  const same = a.path.length > 0 && a.path.join('\0') === b.path.join('\0');
  return same ? { ...a, after: b.after } : null;
}
