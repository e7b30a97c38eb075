/**
 * Two people's definitions joined into one, by a choice for each field they disagree about: pure.
 */
import type { Definition } from '../api/types';

import type { Difference, Place, Side } from './differences';
import { differences, equal, isItems } from './differences';

/** The side that was chosen for each difference, by `placeKey`. */
export type Choices = Readonly<Record<string, Side>>;

export function placeKey({ place, kind }: Pick<Difference, 'place' | 'kind'>): string {
  return JSON.stringify([kind, ...place]);
}

/** What nobody contests is taken from whoever changed it; what both changed is left to the person. */
export function obvious(all: readonly Difference[]): Choices {
  return Object.fromEntries(all.flatMap(each => (each.by === 'both' ? [] : [[placeKey(each), each.by]])));
}

/** The differences that still need a choice. */
export function undecided(all: readonly Difference[], choices: Choices): Difference[] {
  return all.filter(each => !(placeKey(each) in choices));
}

/** `root` with `value` at `place`; undefined takes it away. A new item goes to its list's end. */
function put(root: unknown, place: Place, value: unknown): unknown {
  if (!place.length) {
    return value;
  }
  const [key, ...rest] = place;
  if (isItems(root)) {
    const at = root.findIndex(item => item.id === key);
    const next = put(at < 0 ? undefined : root[at], rest, value) as (typeof root)[number] | undefined;
    if (at < 0) {
      return next === undefined ? root : [...root, next];
    }
    return next === undefined
      ? root.filter((_, index) => index !== at)
      : root.map((item, index) => (index === at ? next : item));
  }
  const copy = { ...(root as Record<string, unknown>) };
  const next = put(copy[key], rest, value);
  if (next === undefined) {
    delete copy[key];
  } else {
    copy[key] = next;
  }
  return copy;
}

/** `items` as `first` orders them; what it does not know follows its neighbour in `second`. */
function arranged<T extends { id: string }>(items: readonly T[], first: string[], second: string[]): T[] {
  const order = first.filter(id => items.some(item => item.id === id));
  second.forEach((id, index) => {
    if (!order.includes(id)) {
      const before = second
        .slice(0, index)
        .reverse()
        .find(each => order.includes(each));
      order.splice(before === undefined ? 0 : order.indexOf(before) + 1, 0, id);
    }
  });
  const at = (item: T) => (order.includes(item.id) ? order.indexOf(item.id) : order.length);
  return [...items].sort((a, b) => at(a) - at(b));
}

function ids(items: readonly { id: string }[]): string[] {
  return items.map(item => item.id);
}

/** Places of cards: whoever moved a card says where it stands; where both did, I do. */
function joinedNodes(base: Definition, mine: Definition, theirs: Definition): Definition['ui']['nodes'] {
  const at = (definition: Definition, id: string) =>
    definition.ui.nodes.find(node => node.id === id)?.position;
  const all = new Set([...ids(theirs.ui.nodes), ...ids(mine.ui.nodes)]);
  return [...all].flatMap(id => {
    const moved = !equal(at(base, id), at(mine, id));
    const position = (moved ? at(mine, id) : at(theirs, id)) ?? at(theirs, id) ?? at(mine, id);
    return position ? [{ id, position }] : [];
  });
}

/** `theirs` with every difference as `choices` has it; what was not chosen is theirs. */
export function merged(base: Definition, mine: Definition, theirs: Definition, choices: Choices): Definition {
  const sides = { base, mine, theirs };
  const all = differences(base, mine, theirs);
  const chosen = (each: Difference): Side => choices[placeKey(each)] ?? 'theirs';
  let result = theirs as unknown;
  for (const each of all.filter(({ kind }) => kind === 'value')) {
    result = put(result, each.place, each[chosen(each)]);
  }
  const joined = result as Definition;
  const order = <T extends { id: string }>(
    place: Place,
    list: (definition: Definition) => readonly { id: string }[],
    items: readonly T[]
  ): T[] => {
    const contested = all.find(each => each.kind === 'order' && each.place.join() === place.join());
    const first = sides[contested ? chosen(contested) : 'theirs'];
    return arranged(items, ids(list(first)), ids(list(mine)));
  };
  return {
    ...joined,
    subagents: order(['subagents'], each => each.subagents, joined.subagents),
    hooks: order(['hooks'], each => each.hooks, joined.hooks),
    mcps: order(['mcps'], each => each.mcps, joined.mcps),
    ui: {
      ...theirs.ui,
      notes: order(['ui', 'notes'], each => each.ui.notes, joined.ui.notes),
      nodes: joinedNodes(base, mine, theirs)
    }
  };
}
