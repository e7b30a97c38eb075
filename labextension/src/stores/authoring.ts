/**
 * Drawing: what a person does with cards and wires. Each act is one step of undo.
 *
 * The rules are in `graph/`; here is only which cards are meant, and what is said when a wire cannot be.
 */
import type { Definition, Position } from '../api/types';
import type { Side, Size } from '../graph/arrange';
import { aligned, tidied } from '../graph/arrange';
import { naming, setting } from '../graph/changes';
import { graphOf } from '../graph/graph';
import type { Clip, Item, NewKind } from '../graph/items';
import { added, clipOf, pasted, removed, renamed } from '../graph/items';
import { push } from '../graph/history';
import { COLUMN_STEP } from '../graph/layout';
import { boxAt, uncovered } from '../graph/uncovered';
import type { Refusal } from '../graph/wires';
import { connected, disconnected, refusal } from '../graph/wires';

import { EditingActions } from './editing';
import { shownDefinition } from './select';

/** A wire's id, as `graphOf` makes it. */
function ends(wire: string): { source: string; target: string } {
  const [source, target] = wire.split('>');
  return { source, target };
}

export class AuthoringActions extends EditingActions {
  private get _definition(): Definition {
    const { history } = this.state;
    if (!history) {
      throw new Error('no project is open');
    }
    return history.definition;
  }

  /** Make `next` the definition: one step of undo, however much it changes. */
  private _change(next: Definition, picked?: readonly string[]): void {
    const { history } = this.state;
    if (history && next !== history.definition) {
      this.advance(push(history, setting(history.definition, [], next)));
    }
    if (picked && !this.state.frozen) {
      this.pick(picked, []);
    }
  }

  // --- choosing -----------------------------------------------------------

  /** These cards and wires are meant by what comes next; one card alone shows its properties. */
  pick(cards: readonly string[], wires: readonly string[]): void {
    const { picked, pickedWires, selected } = this.state;
    const same = (a: readonly string[], b: readonly string[]) =>
      a.length === b.length && a.every(each => b.includes(each));
    if (same(cards, picked) && same(wires, pickedWires)) {
      return;
    }
    const kept = selected !== null && cards.includes(selected) ? selected : (cards[0] ?? null);
    this.set({ picked: [...cards], pickedWires: [...wires], selected: kept, refusal: null });
  }

  /** Choose this card too, or no longer. */
  pickAlso(card: string): void {
    const { picked, pickedWires } = this.state;
    const others = picked.filter(each => each !== card);
    this.pick(others.length < picked.length ? others : [...picked, card], pickedWires);
  }

  /** Choose this wire too, or no longer. Which cards are chosen beside it, is said after it. */
  pickWire(wire: string, chosen: boolean): void {
    const others = this.state.pickedWires.filter(each => each !== wire);
    this.set({ pickedWires: chosen ? [...others, wire] : others, refusal: null });
  }

  pickAll(): void {
    const shown = shownDefinition(this.state) ?? this._definition;
    this.pick(
      graphOf(shown).cards.map(card => card.id),
      []
    );
  }

  // --- cards --------------------------------------------------------------

  /** A new card, where `position` says or beside the card that is chosen; it is chosen then. */
  add(kind: NewKind, name: string, position?: Position): void {
    if (this.state.frozen) {
      return;
    }
    const definition = this._definition;
    const { selected } = this.state;
    // Hooks are the agent's, whatever is chosen.
    const user = kind !== 'hook' && selected && /^(agent|subagent:)/.test(selected) ? selected : 'agent';
    const { cards } = graphOf(definition);
    const beside = cards.find(card => card.id === user)?.position ?? { x: 0, y: 0 };
    const step = kind === 'subagent' ? COLUMN_STEP : -COLUMN_STEP;
    const at = position ?? uncovered(boxAt(kind, { x: beside.x + step, y: beside.y }), cards);
    const next = added(definition, kind, name, at, user);
    this._change(next.definition, [next.card]);
    this.openProperties(next.card);
  }

  /** Give the card another name, and what else belongs to that, in one step. */
  rename(card: string, name: string, also?: Partial<Item>): void {
    const { history, saved, frozen } = this.state;
    if (!history || frozen) {
      return;
    }
    const next = renamed(history.definition, card, name, saved, also);
    const change = naming(history.definition, card, next.card, next.definition);
    this.advance(push(history, change, this.typing()));
    if (next.card !== card) {
      this.pick([next.card], []);
    }
  }

  /** Remove what is chosen, or `focused` where nothing is: cards with whatever named them, and wires. */
  remove(focused?: string): void {
    const { pickedWires } = this.state;
    const nothing = !this.state.picked.length && !pickedWires.length;
    const picked = nothing && focused ? [focused] : this.state.picked;
    const wireless = pickedWires.map(ends).reduce(disconnected, this._definition);
    this._change(removed(wireless, picked), picked.includes('agent') ? ['agent'] : []);
  }

  /** The chosen cards for the clipboard, null where none can be copied. */
  copy(): Clip | null {
    const clip = clipOf(shownDefinition(this.state) ?? this._definition, this.state.picked);
    return clip.cards.length ? clip : null;
  }

  paste(clip: Clip): void {
    if (this.state.frozen) {
      return;
    }
    const next = pasted(this._definition, clip);
    this._change(next.definition, next.cards);
  }

  duplicate(): void {
    const clip = this.copy();
    if (clip) {
      this.paste(clip);
    }
  }

  // --- wires --------------------------------------------------------------

  /** Why the two cannot be connected, null when they can. */
  refusal(source: string, target: string): Refusal | null {
    return refusal(this._definition, { source, target });
  }

  /** Connect two cards; where that cannot be, the canvas says why. */
  connect(source: string, target: string): void {
    const why = this.refusal(source, target);
    if (why) {
      this.set({ refusal: why });
    } else {
      this._change(connected(this._definition, { source, target }));
    }
  }

  /** Take the wire between two cards away. */
  disconnect(source: string, target: string): void {
    this._change(disconnected(this._definition, { source, target }));
  }

  dismissRefusal(): void {
    this.set({ refusal: null });
  }

  // --- places -------------------------------------------------------------

  /** Lay all cards out anew. */
  async tidy(sizes: Map<string, Size>): Promise<void> {
    const places = await tidied(graphOf(this._definition), sizes);
    this.move(places);
  }

  align(side: Side, sizes: Map<string, Size>): void {
    this.move(aligned(graphOf(this._definition), this.state.picked, sizes, side));
  }
}
