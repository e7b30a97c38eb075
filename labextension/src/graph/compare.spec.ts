import { describe, expect, it } from 'vitest';

import { sampleDefinition, subagent, withSet } from '../testing/definition';
import { compare, counted } from './compare';

const BASE = sampleDefinition();

describe('two definitions in one picture', () => {
  it('mark nothing when they are equal', () => {
    expect([...compare(BASE, sampleDefinition()).marks]).toEqual([]);
  });

  it('mark what was added, removed and changed, wires too', () => {
    let after = withSet(BASE, ['subagents'], [...BASE.subagents, subagent('writer', 'Writer')]);
    after = withSet(after, ['hooks'], []);
    after = withSet(after, ['mcps', 0, 'args'], ['--local-timezone', 'UTC']);
    const { graph, marks } = compare(BASE, after);
    expect(Object.fromEntries(marks)).toEqual({
      'subagent:writer': 'added',
      'agent>subagent:writer': 'added',
      'hook:guard': 'removed',
      'agent>hook:guard': 'removed',
      'mcp:time': 'changed'
    });
    expect(graph.cards.map(card => card.id)).toContain('hook:guard');
    expect(counted(compare(BASE, after))).toEqual({ added: 1, removed: 1, changed: 1 });
  });

  it('show what was removed where it can be seen', () => {
    const at = (id: string) => ({ id, position: { x: 0, y: 200 } });
    const before = withSet(BASE, ['ui', 'nodes'], [at('hook:guard')]);
    let after = withSet(before, ['hooks'], []);
    after = withSet(after, ['ui', 'nodes'], [at('mcp:time')]);
    const place = (id: string) => compare(before, after).graph.cards.find(card => card.id === id)?.position;
    expect(place('mcp:time')).toEqual({ x: 0, y: 200 });
    expect(place('hook:guard')).toMatchObject({ x: 0 });
    expect(place('hook:guard')!.y).toBeGreaterThanOrEqual(200 + 150);
  });

  it('show a change of limits on the agent', () => {
    expect(compare(BASE, withSet(BASE, ['limits', 'max_turns'], 3)).marks.get('agent')).toBe('changed');
  });
});
