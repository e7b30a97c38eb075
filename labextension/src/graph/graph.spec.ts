import { describe, expect, it } from 'vitest';

import { sampleDefinition } from '../testing/definition';
import { cardName, cardOfAgent, graphOf } from './graph';

describe('graph of a definition', () => {
  it('connects what the lists of ids say: all, where the agent lists nothing', () => {
    const edges = graphOf(sampleDefinition()).edges.map(edge => edge.id);
    expect(edges).toEqual([
      'agent>subagent:statistician',
      'agent>mcp:time',
      'agent>hook:guard',
      'subagent:statistician>subagent:checker'
    ]);
  });

  it('keeps a card that is switched off, without its edges', () => {
    const definition = sampleDefinition();
    definition.subagents[0].enabled = false;
    const { cards, edges } = graphOf(definition);
    expect(cards.map(card => card.id)).toContain('subagent:statistician');
    expect(edges.map(edge => edge.id)).toEqual([
      'agent>subagent:checker',
      'agent>mcp:time',
      'agent>hook:guard'
    ]);
  });

  it('follows an explicit list of the agent', () => {
    const definition = sampleDefinition();
    definition.agent = { ...definition.agent, subagents: ['checker'], mcps: [] };
    const edges = graphOf(definition).edges.filter(edge => edge.source === 'agent');
    expect(edges.map(edge => edge.target)).toEqual(['subagent:checker', 'hook:guard']);
  });

  it('puts cards where they were saved, and the rest into columns beside the agent', () => {
    const at = Object.fromEntries(graphOf(sampleDefinition()).cards.map(card => [card.id, card.position]));
    expect(at.agent).toEqual({ x: 40, y: 60 });
    expect(at['subagent:statistician'].x).toBeGreaterThan(0);
    expect(at['subagent:checker'].x).toBeGreaterThan(at['subagent:statistician'].x);
    expect(at['hook:guard'].x).toBeLessThan(0);
    expect(at['hook:guard'].y).not.toBe(at['mcp:time'].y);
  });

  it('puts thirty subagents into columns that one look takes in, none above another', () => {
    const definition = sampleDefinition();
    const [one] = definition.subagents;
    definition.subagents = Array.from({ length: 30 }, (_, index) => ({
      ...one,
      id: `s${index}`,
      subagents: index === 0 ? ['s29'] : []
    }));
    definition.ui = { ...definition.ui, nodes: [] };
    const places = graphOf(definition).cards.filter(card => card.kind === 'subagent');
    const ys = places.map(card => card.position.y);
    expect(Math.max(...ys) - Math.min(...ys)).toBeLessThan(900);
    expect(new Set(places.map(card => `${card.position.x} ${card.position.y}`)).size).toBe(30);
    const last = Math.max(...places.map(card => card.position.x));
    expect(places.find(card => card.id === 'subagent:s29')?.position.x).toBe(last);
  });

  it('knows the card of an agent label and the name of a card', () => {
    expect(cardOfAgent('main')).toBe('agent');
    expect(cardOfAgent('statistician#12')).toBe('subagent:statistician');
    expect(cardName(sampleDefinition(), 'agent')).toBe('Sales analyst');
    expect(cardName(sampleDefinition(), 'mcp:time')).toBe('Time');
    expect(cardName(sampleDefinition(), 'subagent:gone')).toBe('gone');
  });
});
