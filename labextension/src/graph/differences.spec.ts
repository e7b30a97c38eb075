import { describe, expect, it } from 'vitest';

import { sampleDefinition, subagent, withSet } from '../testing/definition';
import { cardOf, changesBetween, differences, fieldOf } from './differences';

const BASE = sampleDefinition();

describe('what differs', () => {
  it('is nothing between equal definitions, and where both have made the same change', () => {
    expect(differences(BASE, sampleDefinition(), sampleDefinition())).toEqual([]);
    const both = withSet(BASE, ['agent', 'task'], 'Other');
    expect(differences(BASE, both, withSet(BASE, ['agent', 'task'], 'Other'))).toEqual([]);
  });

  it('says who has changed a field, and when both have', () => {
    const mine = withSet(withSet(BASE, ['name'], 'Mine'), ['agent', 'task'], 'My task');
    const theirs = withSet(withSet(BASE, ['agent', 'task'], 'Their task'), ['limits', 'max_turns'], 9);
    const by = Object.fromEntries(
      differences(BASE, mine, theirs).map(each => [each.place.join('.'), each.by])
    );
    expect(by).toEqual({ name: 'mine', 'agent.task': 'both', 'limits.max_turns': 'theirs' });
  });

  it('follows a subagent by its id, wherever it stands', () => {
    const mine = withSet(BASE, ['subagents', 1, 'prompt'], 'Check twice.');
    const theirs = withSet(BASE, ['subagents'], [subagent('first', 'First'), ...BASE.subagents]);
    const found = differences(BASE, mine, theirs);
    expect(found.map(each => [each.place.join('.'), each.by])).toEqual([
      ['subagents.checker.prompt', 'mine'],
      ['subagents.first', 'theirs']
    ]);
  });

  it('takes a thing that one removed and the other changed as one decision', () => {
    const mine = withSet(BASE, ['hooks', 0, 'matcher'], 'python');
    const found = differences(BASE, mine, withSet(BASE, ['hooks'], []));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ place: ['hooks', 'guard'], by: 'both', theirs: undefined });
  });

  it('tells of another order of hooks, which is the order they run in', () => {
    const second = { ...BASE.hooks[0], id: 'audit' };
    const base = withSet(BASE, ['hooks'], [...BASE.hooks, second]);
    const mine = withSet(base, ['hooks'], [second, ...BASE.hooks]);
    expect(differences(base, mine, base)).toMatchObject([
      { place: ['hooks'], kind: 'order', by: 'mine', mine: ['audit', 'guard'] }
    ]);
  });

  it('never splits what a hook does: a command is not half an address', () => {
    const http = { type: 'http', url: 'http://127.0.0.1:1/', headers: {} };
    const found = changesBetween(BASE, withSet(BASE, ['hooks', 0, 'action'], http));
    expect(found.map(each => each.place.join('.'))).toEqual(['hooks.guard.action']);
  });

  it('leaves out where cards stand', () => {
    expect(changesBetween(BASE, withSet(BASE, ['ui', 'nodes'], []))).toEqual([]);
    expect(changesBetween(BASE, withSet(BASE, ['ui', 'notes', 0, 'text'], 'New'))).toHaveLength(1);
  });

  it('knows the card that a field belongs to', () => {
    expect(cardOf(['agent', 'task'])).toBe('agent');
    expect(cardOf(['mcps', 'time', 'args'])).toBe('mcp:time');
    expect(cardOf(['ui', 'notes', 'how', 'text'])).toBe('note:how');
    expect(cardOf(['hooks'])).toBeNull();
    expect(cardOf(['limits', 'max_turns'])).toBeNull();
    expect(fieldOf(['mcps', 'time', 'args'])).toEqual(['args']);
    expect(fieldOf(['ui', 'notes', 'how', 'text'])).toEqual(['text']);
  });
});
