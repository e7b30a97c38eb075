import { describe, expect, it } from 'vitest';

import { sampleDefinition, subagent } from '../testing/definition';
import { find } from './find';
import { graphOf } from './graph';
import { outlineOf, unfolded } from './outline';

const lines = (rows: ReturnType<typeof outlineOf>) => rows.map(row => [row.level, row.card.id]);

describe('the graph as a tree', () => {
  it('goes from the agent down to what each uses, then to notes', () => {
    expect(lines(outlineOf(graphOf(sampleDefinition())))).toEqual([
      [1, 'agent'],
      [2, 'subagent:statistician'],
      [3, 'subagent:checker'],
      [2, 'hook:guard'],
      [2, 'mcp:time'],
      [1, 'note:how']
    ]);
  });

  it('shows what several use below each of them, and what nobody uses at the top', () => {
    const definition = sampleDefinition();
    definition.subagents[0].mcps = ['time'];
    definition.hooks[0] = { ...definition.hooks[0], enabled: false };
    const rows = outlineOf(graphOf(definition));
    expect(rows.filter(row => row.card.id === 'mcp:time').map(row => row.key)).toEqual([
      'agent>subagent:statistician>mcp:time',
      'agent>mcp:time'
    ]);
    expect(rows.find(row => row.card.id === 'hook:guard')).toMatchObject({ level: 1, loose: true });
    expect(new Set(rows.map(row => row.key)).size).toBe(rows.length);
  });

  it('ends where a definition on disk goes round in a circle', () => {
    const definition = sampleDefinition();
    definition.agent = { ...definition.agent, subagents: ['a'] };
    definition.subagents = [subagent('a', 'A', ['b']), subagent('b', 'B', ['a'])];
    const rows = outlineOf(graphOf(definition));
    expect(rows.filter(row => row.card.kind === 'subagent').map(row => row.card.id)).toEqual([
      'subagent:a',
      'subagent:b',
      'subagent:a'
    ]);
  });

  it('hides everything below a folded line', () => {
    const rows = outlineOf(graphOf(sampleDefinition()));
    expect(lines(unfolded(rows, new Set(['agent>subagent:statistician'])))).not.toContainEqual([
      3,
      'subagent:checker'
    ]);
    expect(unfolded(rows, new Set(['agent'])).map(row => row.card.id)).toEqual(['agent', 'note:how']);
  });

  it('says of each line which of how many it is', () => {
    const rows = outlineOf(graphOf(sampleDefinition()));
    expect(rows.filter(row => row.level === 2).map(row => [row.place, row.of])).toEqual([
      [1, 3],
      [2, 3],
      [3, 3]
    ]);
  });
});

describe('finding cards', () => {
  const definition = sampleDefinition();
  const found = (words: string) => find(definition, graphOf(definition).cards, words);

  it('puts names that begin with the words before names that hold them, and those before texts', () => {
    expect(found('st').map(each => each.card.id)[0]).toBe('subagent:statistician');
    expect(found('time').map(each => each.card.id)).toEqual(['mcp:time']);
    expect(found('analyst').map(each => each.name)).toEqual(['Sales analyst']);
  });

  it('finds text inside a card, shown with what is around it', () => {
    expect(found('{{topic}}')).toMatchObject([{ card: { id: 'agent' }, excerpt: 'You study {{topic}}.' }]);
    expect(found('guard.py')).toMatchObject([{ card: { id: 'hook:guard' }, excerpt: 'python guard.py' }]);
    expect(found('nothing such')).toEqual([]);
  });

  it('finds all cards without words', () => {
    expect(found('  ')).toHaveLength(6);
  });
});
