import { describe, expect, it } from 'vitest';

import type { Definition } from '../api/types';
import { sampleDefinition, subagent } from '../testing/definition';
import { graphOf } from './graph';
import { connected, disconnected, refusal } from './wires';

const wires = (definition: Definition) => graphOf(definition).edges.map(edge => edge.id);
const pair = (wire: string) => {
  const [source, target] = wire.split('>');
  return { source, target };
};

/** A definition whose agent lists nothing, with subagents a, b and c, of which a calls b. */
function three(): Definition {
  return {
    ...sampleDefinition(),
    subagents: [subagent('a', 'A', ['b']), subagent('b', 'B'), subagent('c', 'C')]
  };
}

describe('a new wire', () => {
  it('adds that one edge and takes none, whether the agent lists its subagents or not', () => {
    for (const listed of [null, ['a', 'c']]) {
      const before = { ...three(), agent: { ...three().agent, subagents: listed } };
      for (const wire of [
        'agent>subagent:b',
        'subagent:a>subagent:c',
        'subagent:c>subagent:b',
        'subagent:a>mcp:time'
      ]) {
        const after = connected(before, pair(wire));
        expect(new Set(wires(after))).toEqual(new Set([...wires(before), wire]));
      }
    }
  });

  it('may be drawn from either end', () => {
    const after = connected(three(), { source: 'mcp:time', target: 'subagent:b' });
    expect(wires(after)).toContain('subagent:b>mcp:time');
  });

  it('switches on what was off, and an agent that lists nothing still lists nothing where that is the same', () => {
    const off = three();
    off.subagents[2] = { ...off.subagents[2], enabled: false };
    const after = connected(off, pair('agent>subagent:c'));
    expect(after.subagents[2].enabled).toBe(true);
    expect(after.agent.subagents).toBeNull();
  });

  it('is refused with its reason: circles, too deep, hooks of subagents, what makes no sense', () => {
    const deep = {
      ...three(),
      subagents: [
        subagent('a', 'A', ['b']),
        subagent('b', 'B', ['c']),
        subagent('c', 'C'),
        subagent('d', 'D')
      ]
    };
    const why = (wire: string) => refusal(deep, pair(wire));
    expect(why('subagent:c>subagent:d')).toBe('depth');
    expect(why('subagent:c>subagent:a')).toBe('circle');
    expect(why('subagent:a>subagent:a')).toBe('itself');
    expect(why('agent>subagent:a')).toBe('already');
    expect(why('subagent:a>hook:guard')).toBe('hook');
    expect(why('hook:guard>mcp:time')).toBe('kinds');
    expect(why('agent>note:how')).toBe('kinds');
    expect(why('agent>subagent:c')).toBeNull();
  });
});

describe('a wire taken away', () => {
  it('takes that one edge and draws none', () => {
    for (const wire of ['agent>subagent:a', 'subagent:a>subagent:b', 'agent>mcp:time', 'agent>hook:guard']) {
      const after = disconnected(three(), pair(wire));
      expect(new Set(wires(after))).toEqual(new Set(wires(three()).filter(each => each !== wire)));
    }
  });
});
