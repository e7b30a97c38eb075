import { describe, expect, it } from 'vitest';

import { sampleDefinition } from '../testing/definition';
import type { Graph } from './graph';
import { graphOf } from './graph';
import { nextCard } from './walk';

const none = new Map();
const cards = (places: Record<string, [number, number]>, edges: [string, string][] = []): Graph =>
  ({
    cards: Object.entries(places).map(([id, [x, y]]) => ({ id, position: { x, y } })),
    edges: edges.map(([source, target]) => ({ source, target }))
  }) as unknown as Graph;

describe('walking by arrow keys', () => {
  it('goes along a wire, both ways, past a card that lies nearer', () => {
    const graph = cards({ agent: [0, 0], near: [300, 0], wired: [600, 200] }, [['agent', 'wired']]);
    expect(nextCard(graph, 'agent', 'right', none)).toBe('wired');
    expect(nextCard(graph, 'wired', 'left', none)).toBe('agent');
    expect(nextCard(graph, 'near', 'left', none)).toBe('agent');
  });

  it('takes the nearest of several wires, and what lies ahead rather than beside', () => {
    const graph = cards({ agent: [0, 0], ahead: [400, 20], beside: [380, 400] }, [
      ['agent', 'ahead'],
      ['agent', 'beside']
    ]);
    expect(nextCard(graph, 'agent', 'right', none)).toBe('ahead');
    expect(nextCard(graph, 'ahead', 'down', none)).toBe('beside');
    expect(nextCard(graph, 'beside', 'up', none)).toBe('ahead');
  });

  it('stays where nothing lies that way', () => {
    const graph = cards({ agent: [0, 0], right: [400, 0] });
    expect(nextCard(graph, 'agent', 'left', none)).toBeNull();
    expect(nextCard(graph, 'agent', 'up', none)).toBeNull();
    expect(nextCard(graph, 'gone', 'up', none)).toBeNull();
  });

  it('reaches every card of a project from the agent', () => {
    const graph = graphOf(sampleDefinition());
    const reached = new Set(['agent']);
    for (const id of reached) {
      for (const direction of ['left', 'right', 'up', 'down'] as const) {
        const next = nextCard(graph, id, direction, none);
        if (next) {
          reached.add(next);
        }
      }
    }
    expect([...reached].sort()).toEqual(graph.cards.map(card => card.id).sort());
  });
});
