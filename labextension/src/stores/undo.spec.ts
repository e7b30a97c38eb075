import { describe, expect, it } from 'vitest';

import type { Definition } from '../api/types';
import { graphOf } from '../graph/graph';
import type { NewKind } from '../graph/items';
import { boxOf } from '../graph/uncovered';
import { openTab } from '../testing/tab';

/** The same numbers each time. */
function chances(seed: number): () => number {
  let at = seed;
  return () => (at = (at * 16807) % 2147483647) / 2147483647;
}

const KINDS: NewKind[] = ['subagent', 'hook', 'mcp', 'note'];

describe('undo of everything', () => {
  it('never takes back another kind of change with the second of two names given within a second', () => {
    const tab = openTab();
    const { actions, state } = tab;
    const [first, second] = state().history!.definition.subagents.map(each => `subagent:${each.id}`);
    const steps = () => state().history!.past.length;
    const before = state().history!.definition;
    actions.rename(first, 'Once');
    actions.pick([second], []);
    actions.remove();
    actions.rename(first, 'Twice');
    expect(steps()).toBe(3);
    actions.undo();
    expect(state().history!.definition.subagents.map(each => each.name)).toEqual(['Once']);
    actions.undo();
    expect(state().history!.definition.subagents).toHaveLength(2);
    actions.undo();
    expect(state().history!.definition).toEqual(before);
    // Typed on, the names of one card are one step; those of two cards are two.
    actions.rename(first, 'O');
    actions.rename(first, 'On');
    actions.rename(second, 'Tw');
    expect(steps()).toBe(2);
    actions.undo();
    actions.rename(first, 'One');
    expect(steps(), 'what is typed behind an undo is a step of its own').toBe(2);
    actions.dispose();
  });

  it('puts each new card where it hides no other one', () => {
    const tab = openTab({ log: [] });
    const { actions, state } = tab;
    actions.pick(['subagent:statistician'], []);
    for (const kind of ['mcp', 'subagent', 'hook', 'hook', 'subagent', 'subagent', 'mcp'] as const) {
      actions.add(kind, 'New');
    }
    const boxes = graphOf(state().history!.definition).cards.map(boxOf);
    const met = boxes.filter((a, at) =>
      boxes
        .slice(at + 1)
        .some(b => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height)
    );
    expect(met).toEqual([]);
    actions.dispose();
  });

  it('takes the names typed for a new card back at once, whatever it is called by', () => {
    const tab = openTab();
    const { actions, state } = tab;
    actions.add('subagent', 'New');
    const steps = state().history!.past.length;
    for (const name of ['A', 'Al', 'Ali']) {
      actions.rename(state().selected!, name);
    }
    expect(state().selected).toBe('subagent:ali');
    expect(state().history!.past.length).toBe(steps + 1);
    actions.undo();
    expect(state().history!.definition.subagents.map(each => each.name)).toContain('New');
    actions.dispose();
  });

  it.each([1, 2, 3, 4, 5])(
    'leads back through any acts, one by one, and redo to their end (%i)',
    async seed => {
      const tab = openTab();
      const { actions, state } = tab;
      const chance = chances(seed * 7919);
      const one = <T>(of: readonly T[]): T => of[Math.floor(chance() * of.length)];
      const definition = () => state().history!.definition;
      // In which order places are kept says nothing.
      const seenAs = (of: Definition) => ({
        ...of,
        ui: { ...of.ui, nodes: Object.fromEntries(of.ui.nodes.map(node => [node.id, node.position])) }
      });
      const cards = () => graphOf(definition()).cards.map(card => card.id);
      const some = () => cards().filter(() => chance() < 0.4);
      const sizes = () => new Map(cards().map(card => [card, { width: 240, height: 110 }]));
      const acts: Record<string, () => unknown> = {
        add: () => actions.add(one(KINDS), 'New', { x: Math.round(chance() * 900), y: 0 }),
        connect: () => actions.connect(one(cards()), one(cards())),
        disconnect: () => {
          const wire = one(graphOf(definition()).edges);
          if (wire) {
            actions.disconnect(wire.source, wire.target);
          }
        },
        wires: () => {
          actions.pick(
            [],
            graphOf(definition())
              .edges.filter(() => chance() < 0.3)
              .map(edge => edge.id)
          );
          actions.remove();
        },
        remove: () => {
          actions.pick(some().slice(0, 2), []);
          actions.remove();
        },
        duplicate: () => {
          actions.pick(some(), []);
          actions.duplicate();
        },
        align: () => {
          actions.pick(some(), []);
          actions.align(one(['left', 'right', 'top', 'bottom', 'across', 'down'] as const), sizes());
        },
        tidy: () => actions.tidy(sizes()),
        move: () => actions.move({ [one(cards())]: { x: Math.round(chance() * 900), y: 7 } }),
        rename: () => {
          const card = one(cards().filter(each => /^(subagent|hook|mcp):/.test(each)));
          if (card) {
            actions.rename(card, `Name ${chance()}`);
          }
        },
        property: () => actions.edit(['agent', 'max_tokens'], Math.round(chance() * 9000)),
        variable: () =>
          actions.edit(['variables'], {
            [`v${Math.round(chance() * 99)}`]: { default: 'x', required: false }
          }),
        limits: () => actions.edit(['limits', 'max_cost_usd'], chance())
      };
      const seen = [definition()];
      const used = new Set<string>();
      for (let n = 0; n < 80; n++) {
        const name = one(Object.keys(acts));
        const before = state().history!.past.length;
        await acts[name]();
        const steps = state().history!.past.length - before;
        // Typing on in one field is one step; every other act that changes something is one of its own.
        expect(steps, name).toBeLessThanOrEqual(1);
        if (steps === 1) {
          used.add(name);
          seen.push(definition());
        } else {
          seen[seen.length - 1] = definition();
        }
      }
      expect(used.size).toBeGreaterThan(Object.keys(acts).length - 4);
      for (const each of [...seen].reverse()) {
        expect(seenAs(definition())).toEqual(seenAs(each));
        actions.undo();
      }
      expect(seenAs(definition())).toEqual(seenAs(seen[0]));
      for (const each of seen) {
        expect(seenAs(definition())).toEqual(seenAs(each));
        actions.redo();
      }
      expect(seenAs(definition())).toEqual(seenAs(seen[seen.length - 1]));
      actions.dispose();
    }
  );
});
