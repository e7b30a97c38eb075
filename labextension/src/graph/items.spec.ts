import { describe, expect, it } from 'vitest';

import type { Definition } from '../api/types';
import { sampleDefinition } from '../testing/definition';
import { graphOf } from './graph';
import { added, clipOf, pasted, readClip, removed, renamed, slug } from './items';

const wires = (definition: Definition) => graphOf(definition).edges.map(edge => edge.id);

describe('a new card', () => {
  it('stands on the grid where it was put, connected to who shall use it', () => {
    const { definition, card } = added(sampleDefinition(), 'subagent', 'Reader', { x: 101, y: 59 });
    expect(card).toBe('subagent:reader');
    expect(definition.ui.nodes).toContainEqual({ id: card, position: { x: 100, y: 60 } });
    expect(wires(definition)).toEqual(expect.arrayContaining(['agent>subagent:reader']));
    const below = added(sampleDefinition(), 'mcp', 'Git', { x: 0, y: 0 }, 'subagent:checker');
    expect(wires(below.definition).filter(each => each.includes('git'))).toEqual([
      'subagent:checker>mcp:git'
    ]);
  });

  it('gets an id and a name of its own', () => {
    const first = added(sampleDefinition(), 'hook', 'No deletes', { x: 0, y: 0 });
    const second = added(first.definition, 'hook', 'No deletes', { x: 0, y: 0 });
    expect([first.card, second.card]).toEqual(['hook:no-deletes', 'hook:no-deletes-2']);
    expect(second.definition.hooks.map(each => each.name)).toEqual([
      'No deletes',
      'No deletes 2',
      'No deletes 3'
    ]);
  });

  it('draws no edge of others', () => {
    const before = sampleDefinition();
    const { definition } = added(before, 'subagent', 'Reader', { x: 0, y: 0 }, 'subagent:checker');
    expect(wires(definition).filter(each => !each.includes('reader'))).toEqual(wires(before));
  });
});

describe('an id', () => {
  it('is made of the letters of a name that the contract takes', () => {
    expect(slug('Überprüfer Nº 2!')).toBe('uberprufer-no-2');
    expect(slug('日本')).toBe('');
    expect(slug('x'.repeat(100))).toHaveLength(64);
  });

  it('follows the name until the card was saved, in every list that names it', () => {
    const saved = sampleDefinition();
    const fresh = added(saved, 'subagent', 'Subagent', { x: 0, y: 0 }, 'subagent:checker').definition;
    const { definition, card } = renamed(fresh, 'subagent:subagent', 'Reader', saved);
    expect(card).toBe('subagent:reader');
    expect(wires(definition)).toContain('subagent:checker>subagent:reader');
    expect(definition.ui.nodes.map(node => node.id)).toContain('subagent:reader');
    const known = renamed(definition, card, 'Other', definition);
    expect(known.card).toBe(card);
    expect(known.definition.subagents.map(each => each.name)).toContain('Other');
  });
});

describe('removing', () => {
  it('takes cards, whatever named them and their places, and never the agent', () => {
    const after = removed(sampleDefinition(), ['agent', 'subagent:statistician', 'mcp:time', 'note:how']);
    expect(graphOf(after).cards.map(card => card.id)).toEqual(['agent', 'subagent:checker', 'hook:guard']);
    expect(wires(after)).toEqual(['agent>hook:guard']);
  });
});

describe('the clipboard', () => {
  it('copies cards with the edges among them, under ids of their own', () => {
    const before = sampleDefinition();
    const text = JSON.stringify(clipOf(before, ['agent', 'subagent:statistician', 'subagent:checker']));
    const { definition, cards } = pasted(before, readClip(text)!);
    expect(cards).toEqual(['subagent:statistician-2', 'subagent:checker-2']);
    expect(wires(definition).filter(each => each.includes('-2'))).toEqual([
      'agent>subagent:statistician-2',
      'subagent:statistician-2>subagent:checker-2'
    ]);
    expect(wires(definition)).toEqual(expect.arrayContaining(wires(before)));
  });

  it('takes nothing else for cards', () => {
    for (const text of [
      '',
      'hello',
      '{}',
      '[]',
      '{"cloutagent":"cards","cards":[{"kind":"agent"}]}',
      'null'
    ]) {
      expect(readClip(text)).toBeNull();
    }
  });
});
