/**
 * What differs between definitions, field by field: pure.
 *
 * Things that have an id are compared by it, wherever they stand in their list; everything else by its
 * value. Where cards stand is left out: that is nobody's opinion to fight about (`merge.ts` joins it).
 */
import type { Definition } from '../api/types';

/** The way to a field; what has an id is named by it: `subagents`, `researcher`, `prompt`. */
export type Place = readonly string[];

export type Side = 'base' | 'mine' | 'theirs';

export interface Difference {
  place: Place;
  /** A field's value, or the order of a list's items (values are then their ids). */
  kind: 'value' | 'order';
  /** Undefined where the field, or the thing it belongs to, is not there. */
  base: unknown;
  mine: unknown;
  theirs: unknown;
  /** Who has changed it since `base`: one of the two, or both and not alike. */
  by: 'mine' | 'theirs' | 'both';
}

type Tree = Record<string, unknown>;
type Item = Tree & { id: string };

/** Values that only make sense as a whole. */
const WHOLE = ['action', 'output_schema'];

export function equal(a: unknown, b: unknown): boolean {
  if (a === b) {
    return true;
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return false;
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((each, index) => equal(each, b[index]))
    );
  }
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every(key => equal((a as Tree)[key], (b as Tree)[key]));
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isItems(value: unknown): value is Item[] {
  return Array.isArray(value) && value.every(each => isTree(each) && typeof each.id === 'string');
}

/** The parts of a definition that people decide about. */
export function subject(definition: Definition): Tree {
  const { ui, ...rest } = definition;
  return { ...rest, ui: { notes: ui.notes } };
}

function idsOf(items: readonly Item[]): string[] {
  return items.map(item => item.id);
}

function byId(items: readonly Item[]): Tree {
  return Object.fromEntries(items.map(item => [item.id, item]));
}

function changer(base: unknown, mine: unknown, theirs: unknown): Difference['by'] {
  return equal(base, mine) ? 'theirs' : equal(base, theirs) ? 'mine' : 'both';
}

/** Whether the items that all three have stand in another order somewhere. */
function* orders(place: Place, base: Item[], mine: Item[], theirs: Item[]): Generator<Difference> {
  const lists = [base, mine, theirs].map(idsOf);
  const common = lists[0].filter(id => lists.every(list => list.includes(id)));
  const [b, m, t] = lists.map(list => list.filter(id => common.includes(id)));
  if (!equal(m, t)) {
    const by = changer(b, m, t);
    yield { place, kind: 'order', base: lists[0], mine: lists[1], theirs: lists[2], by };
  }
}

function* walk(place: Place, base: unknown, mine: unknown, theirs: unknown): Generator<Difference> {
  if (equal(mine, theirs)) {
    return; // Also where both have made the same change: there is nothing to decide.
  }
  const whole = WHOLE.includes(place[place.length - 1]);
  if (!whole && isTree(base) && isTree(mine) && isTree(theirs)) {
    for (const key of new Set([...Object.keys(base), ...Object.keys(mine), ...Object.keys(theirs)])) {
      yield* walk([...place, key], base[key], mine[key], theirs[key]);
    }
  } else if (isItems(base) && isItems(mine) && isItems(theirs)) {
    yield* walk(place, byId(base), byId(mine), byId(theirs));
    yield* orders(place, base, mine, theirs);
  } else {
    yield { place, kind: 'value', base, mine, theirs, by: changer(base, mine, theirs) };
  }
}

/** What `mine` and `theirs` disagree about, both grown from `base`. */
export function differences(base: Definition, mine: Definition, theirs: Definition): Difference[] {
  return [...walk([], subject(base), subject(mine), subject(theirs))];
}

export interface FieldChange {
  place: Place;
  kind: Difference['kind'];
  before: unknown;
  after: unknown;
}

/** What has to be changed in `before` to make it `after`. */
export function changesBetween(before: Definition, after: Definition): FieldChange[] {
  return differences(before, after, before).map(({ place, kind, base, mine }) => ({
    place,
    kind,
    before: base,
    after: mine
  }));
}

/** Lists of things that are drawn as cards, with the kind of card. */
const CARDS: Record<string, string> = { subagents: 'subagent', hooks: 'hook', mcps: 'mcp' };

/** Id of the card that a field belongs to, null where it is the project's. */
export function cardOf(place: Place): string | null {
  const [first, second, third] = place;
  if (first === 'agent') {
    return 'agent';
  }
  if (first in CARDS && second !== undefined) {
    return `${CARDS[first]}:${second}`;
  }
  return first === 'ui' && second === 'notes' && third !== undefined ? `note:${third}` : null;
}

/** The field's way inside its card, or inside the project. */
export function fieldOf(place: Place): Place {
  const card = cardOf(place);
  const skip = card === null ? 0 : card === 'agent' ? 1 : card.startsWith('note:') ? 3 : 2;
  return place.slice(skip);
}
