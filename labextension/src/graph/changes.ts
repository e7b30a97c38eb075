/**
 * Changes of a definition as data: apply one, invert one. Pure.
 *
 * Undo, redo and the unsaved mark are made of these (`history.ts`).
 */
import type { Definition, Position } from '../api/types';

/** Keys and indices from the definition down to one field. */
export type Path = readonly (string | number)[];

export type Change =
  | { type: 'set'; path: Path; before: unknown; after: unknown }
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
  return { ...change, before: change.after, after: change.before } as Change;
}

/** Whether both changes write the same single field, so that typing is one step of undo. */
export function sameField(a: Change, b: Change): boolean {
  return a.type === 'set' && b.type === 'set' && a.path.join('\0') === b.path.join('\0');
}
