import { describe, expect, it } from 'vitest';

import { sampleDefinition } from '../testing/definition';
import { apply, invert, moving, setting } from './changes';
import { begin, push, redo, undo } from './history';

describe('changes as data', () => {
  it('set one field and leave everything else the same object', () => {
    const before = sampleDefinition();
    const after = apply(before, setting(before, ['subagents', 1, 'name'], 'Second reader'));
    expect(after.subagents[1].name).toBe('Second reader');
    expect(after.subagents[0]).toBe(before.subagents[0]);
    expect(after.agent).toBe(before.agent);
  });

  it('are taken back by their inverse, places that were never saved included', () => {
    const before = sampleDefinition();
    const move = moving(before, { agent: { x: 1, y: 2 }, 'hook:guard': { x: 3, y: 4 } });
    const moved = apply(before, move);
    expect(moved.ui.nodes).toHaveLength(2);
    expect(apply(moved, invert(move))).toEqual(before);
    const named = setting(before, ['name'], 'Other');
    expect(apply(apply(before, named), invert(named))).toEqual(before);
  });
});

describe('undo and redo', () => {
  it('go through every change and come back', () => {
    let history = begin(sampleDefinition());
    history = push(history, setting(history.definition, ['name'], 'A'));
    history = push(history, setting(history.definition, ['agent', 'task'], 'B'));
    const end = history.definition;
    history = undo(undo(history));
    expect(history.definition).toEqual(sampleDefinition());
    expect(undo(history)).toBe(history);
    history = redo(redo(history));
    expect(history.definition).toEqual(end);
    expect(redo(history)).toBe(history);
  });

  it('take typing in one field as one step', () => {
    let history = begin(sampleDefinition());
    history = push(history, setting(history.definition, ['name'], 'A'), true);
    history = push(history, setting(history.definition, ['name'], 'AB'), true);
    expect(history.past).toHaveLength(1);
    expect(undo(history).definition.name).toBe('Sales analyst');
  });

  it('keep the last five hundred steps and forget the first, and an edit ends what could be redone', () => {
    const first = begin(sampleDefinition());
    let history = first;
    for (let n = 1; n <= 510; n++) {
      history = push(history, setting(history.definition, ['name'], `Name ${n}`));
    }
    let steps = 0;
    for (let back = undo(history); back !== history; back = undo(history)) {
      history = back;
      steps++;
    }
    expect([steps, history.definition.name]).toEqual([500, 'Name 10']);
    history = redo(history);
    history = push(history, setting(history.definition, ['name'], 'Another way'));
    expect(redo(history)).toBe(history);
    expect(undo(history).definition.name).toBe('Name 11');
  });
});
