import { describe, expect, it } from 'vitest';

import { sampleDefinition, subagent, withSet } from '../testing/definition';
import { differences } from './differences';
import { merged, obvious, placeKey, undecided } from './merge';
import type { Choices } from './merge';

const BASE = sampleDefinition();
const mine = withSet(
  withSet(withSet(BASE, ['agent', 'task'], 'My task'), ['subagents', 1, 'prompt'], 'Check twice.'),
  ['variables', 'region'],
  { description: '', default: 'North', required: false }
);
const theirs = withSet(
  withSet(
    withSet(BASE, ['agent', 'task'], 'Their task'),
    ['subagents'],
    [subagent('first', 'First'), ...BASE.subagents]
  ),
  ['limits', 'max_turns'],
  9
);
const all = differences(BASE, mine, theirs);

function choosing(side: 'base' | 'mine' | 'theirs'): Choices {
  return Object.fromEntries(all.map(each => [placeKey(each), side]));
}

describe('a merge', () => {
  it('joins what does not touch, and leaves only the rest to the person', () => {
    const open = undecided(all, obvious(all));
    expect(open.map(each => each.place.join('.'))).toEqual(['agent.task']);
    const result = merged(BASE, mine, theirs, { ...obvious(all), [placeKey(open[0])]: 'mine' });
    expect(result.agent.task).toBe('My task');
    expect(result.limits.max_turns).toBe(9);
    expect(Object.keys(result.variables)).toEqual(['file', 'region']);
    expect(result.subagents.map(each => [each.id, each.prompt])).toEqual([
      ['first', ''],
      ['statistician', ''],
      ['checker', 'Check twice.']
    ]);
  });

  it('of one side only is that side, field for field', () => {
    expect(differences(BASE, merged(BASE, mine, theirs, choosing('mine')), mine)).toEqual([]);
    expect(differences(BASE, merged(BASE, mine, theirs, choosing('theirs')), theirs)).toEqual([]);
    expect(differences(BASE, merged(BASE, mine, theirs, choosing('base')), BASE)).toEqual([]);
  });

  it('takes nothing away that was not chosen away: theirs stand where nobody chose', () => {
    expect(differences(BASE, merged(BASE, mine, theirs, {}), theirs)).toEqual([]);
  });

  it('brings back a card that the other side removed, in its old place of the list', () => {
    const second = { ...BASE.hooks[0], id: 'audit', name: 'Audit' };
    const base = withSet(BASE, ['hooks'], [...BASE.hooks, second]);
    const changed = withSet(base, ['hooks', 0, 'matcher'], 'python');
    const without = withSet(base, ['hooks'], [second]);
    const found = differences(base, changed, without);
    const kept = merged(base, changed, without, { [placeKey(found[0])]: 'mine' });
    expect(kept.hooks.map(each => [each.id, each.matcher])).toEqual([
      ['guard', 'python'],
      ['audit', 'bash']
    ]);
  });

  it('orders a list as whoever was chosen for it', () => {
    const second = { ...BASE.hooks[0], id: 'audit' };
    const base = withSet(BASE, ['hooks'], [...BASE.hooks, second]);
    const turned = withSet(base, ['hooks'], [second, ...BASE.hooks]);
    const [order] = differences(base, turned, base);
    const result = (side: 'mine' | 'theirs') =>
      merged(base, turned, base, { [placeKey(order)]: side }).hooks.map(each => each.id);
    expect(result('mine')).toEqual(['audit', 'guard']);
    expect(result('theirs')).toEqual(['guard', 'audit']);
  });

  it('lets a card stand where it was moved to, whoever moved it', () => {
    const at = (x: number, id = 'agent') => ({ id, position: { x, y: 0 } });
    const base = withSet(BASE, ['ui', 'nodes'], [at(0), at(0, 'hook:guard')]);
    const a = withSet(base, ['ui', 'nodes'], [at(50), at(0, 'hook:guard')]);
    const b = withSet(base, ['ui', 'nodes'], [at(0), at(70, 'hook:guard')]);
    expect(merged(base, a, b, {}).ui.nodes).toEqual([at(50), at(70, 'hook:guard')]);
  });
});
