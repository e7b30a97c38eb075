import { describe, expect, it } from 'vitest';

import { sampleDefinition } from '../testing/definition';
import { aligned, tidied } from './arrange';
import { graphOf } from './graph';

const graph = graphOf(sampleDefinition());
const sizes = new Map(graph.cards.map(card => [card.id, { width: 240, height: 100 }]));

describe('tidying up', () => {
  it('puts what the agent uses to its left, subagents to its right, notes below, none above another', async () => {
    const at = await tidied(graph, sizes);
    const agent = graph.cards.find(card => card.id === 'agent')!;
    expect(at.agent).toEqual(agent.position);
    expect(at['hook:guard'].x).toBeLessThan(at.agent.x);
    expect(at['mcp:time'].x).toBeLessThan(at.agent.x);
    expect(at['subagent:statistician'].x).toBeGreaterThan(at.agent.x);
    expect(at['subagent:checker'].x).toBeGreaterThan(at['subagent:statistician'].x);
    const places = Object.values(at);
    expect(Math.max(...places.map(each => each.y))).toBe(at['note:how'].y);
    for (const one of places) {
      const over = places.filter(other => Math.abs(other.x - one.x) < 240 && Math.abs(other.y - one.y) < 100);
      expect(over).toHaveLength(1);
    }
  });
});

describe('lining up', () => {
  const cards = ['hook:guard', 'mcp:time', 'agent'];

  it('brings edges to one line', () => {
    const left = Object.values(aligned(graph, cards, sizes, 'left'));
    expect(new Set(left.map(each => each.x)).size).toBe(1);
    const bottom = Object.values(aligned(graph, cards, sizes, 'bottom'));
    expect(new Set(bottom.map(each => each.y)).size).toBe(1);
  });

  it('spreads evenly, and never one above another', () => {
    const down = Object.values(aligned(graph, cards, sizes, 'down'))
      .map(each => each.y)
      .sort((a, b) => a - b);
    expect(down[1] - down[0]).toBe(down[2] - down[1]);
    expect(down[1] - down[0]).toBeGreaterThanOrEqual(100);
  });
});
