/**
 * Connecting cards and taking connections away: from a definition to the next one. Pure.
 *
 * Edges follow from lists of ids, and an agent that lists nothing (null) has all that nobody else lists.
 * So one change of a list can draw or take edges elsewhere; here a connection adds that one edge and
 * nothing else, and taking one away takes that one. Not here: what edges there are (`graph.ts`).
 */
import type { Definition, Subagent } from '../api/types';

import { itemId, subagentsOfAgent } from './graph';

/** Why two cards cannot be connected. */
export type Refusal = 'itself' | 'already' | 'circle' | 'depth' | 'hook' | 'kinds';

/** Most subagents below one another. */
const DEEPEST = 3;

interface Wanted {
  source: string;
  target: string;
}

function kindOf(id: string): string {
  return id.split(':')[0];
}

function delegates(id: string): boolean {
  return id === 'agent' || kindOf(id) === 'subagent';
}

/** The same pair with the one that uses the other first: a wire may be drawn from either end. */
export function directed({ source, target }: Wanted): Wanted {
  const turned = target === 'agent' || (!delegates(source) && delegates(target));
  return turned ? { source: target, target: source } : { source, target };
}

function subagentsOf(definition: Definition, source: string): string[] {
  return source === 'agent'
    ? subagentsOfAgent(definition).map(each => each.id)
    : (definition.subagents.find(each => each.id === itemId(source))?.subagents ?? []);
}

function mcpsOf(definition: Definition, source: string): string[] {
  if (source !== 'agent') {
    return definition.subagents.find(each => each.id === itemId(source))?.mcps ?? [];
  }
  return definition.agent.mcps ?? definition.mcps.filter(each => each.enabled).map(each => each.id);
}

function isOn(definition: Definition, card: string): boolean {
  const lists = { subagent: definition.subagents, hook: definition.hooks, mcp: definition.mcps };
  const list = lists[kindOf(card) as keyof typeof lists] as { id: string; enabled: boolean }[] | undefined;
  return list?.find(each => each.id === itemId(card))?.enabled ?? false;
}

function isConnected(definition: Definition, { source, target }: Wanted): boolean {
  const id = itemId(target);
  if (!isOn(definition, target)) {
    return false;
  }
  switch (kindOf(target)) {
    case 'subagent':
      return subagentsOf(definition, source).includes(id);
    case 'mcp':
      return mcpsOf(definition, source).includes(id);
    default:
      return source === 'agent';
  }
}

/** How many delegations below `card` go on, the longest way; circles count as endless. */
function depthBelow(definition: Definition, card: string, seen: readonly string[] = []): number {
  if (seen.includes(card)) {
    return Infinity;
  }
  const below = subagentsOf(definition, card).map(id =>
    depthBelow(definition, `subagent:${id}`, [...seen, card])
  );
  return below.length ? 1 + Math.max(...below) : 0;
}

/** Why this connection cannot be made, null when it can. */
export function refusal(definition: Definition, wanted: Wanted): Refusal | null {
  const { source, target } = directed(wanted);
  if (source === target) {
    return 'itself';
  }
  const kind = kindOf(target);
  if (!delegates(source) || kind === 'note' || target === 'agent') {
    return 'kinds';
  }
  if (kind === 'hook' && source !== 'agent') {
    return 'hook';
  }
  if (isConnected(definition, { source, target })) {
    return 'already';
  }
  if (kind === 'subagent') {
    const depth = depthBelow(made(definition, { source, target }), 'agent');
    const circle = depthBelow(made(definition, { source, target }), target) === Infinity;
    return circle ? 'circle' : depth > DEEPEST ? 'depth' : null;
  }
  return null;
}

/** `definition` with the subagents `ids` of the agent: unlisted (null) where that means the same. */
function withSubagentsOfAgent(definition: Definition, ids: readonly string[]): Definition {
  const loose = { ...definition, agent: { ...definition.agent, subagents: null } };
  const implied = subagentsOfAgent(loose).map(each => each.id);
  const same = implied.length === ids.length && implied.every(id => ids.includes(id));
  if (definition.agent.subagents === null && same) {
    return definition;
  }
  return { ...definition, agent: { ...definition.agent, subagents: [...ids] } };
}

/**
 * `after`, with the agent's own delegations as they were in `before` (and `more`): what else changed
 * neither draws nor takes an edge of the agent.
 */
export function keepingAgentEdges(before: Definition, after: Definition, more: string[] = []): Definition {
  if (before.agent.subagents !== null) {
    const there = new Set(after.subagents.map(each => each.id));
    const listed = [...before.agent.subagents, ...more].filter(id => there.has(id));
    return { ...after, agent: { ...after.agent, subagents: [...new Set(listed)] } };
  }
  const on = new Set(after.subagents.filter(each => each.enabled).map(each => each.id));
  const wanted = [...subagentsOf(before, 'agent'), ...more].filter(id => on.has(id));
  return withSubagentsOfAgent(after, [...new Set(wanted)]);
}

function withSubagent(definition: Definition, id: string, change: (sub: Subagent) => Subagent): Definition {
  return {
    ...definition,
    subagents: definition.subagents.map(each => (each.id === id ? change(each) : each))
  };
}

function switchedOn<T extends { id: string; enabled: boolean }>(list: T[], id: string): T[] {
  return list.map(each => (each.id === id && !each.enabled ? { ...each, enabled: true } : each));
}

function made(definition: Definition, { source, target }: Wanted): Definition {
  const id = itemId(target);
  const from = itemId(source);
  switch (kindOf(target)) {
    case 'hook':
      return { ...definition, hooks: switchedOn(definition.hooks, id) };
    case 'mcp': {
      const on = { ...definition, mcps: switchedOn(definition.mcps, id) };
      if (source !== 'agent') {
        return withSubagent(on, from, sub => ({ ...sub, mcps: [...new Set([...sub.mcps, id])] }));
      }
      const { mcps } = on.agent;
      return mcps === null ? on : { ...on, agent: { ...on.agent, mcps: [...new Set([...mcps, id])] } };
    }
    default: {
      const on = { ...definition, subagents: switchedOn(definition.subagents, id) };
      if (source === 'agent') {
        return keepingAgentEdges(definition, on, [id]);
      }
      const listed = withSubagent(on, from, sub => ({
        ...sub,
        subagents: [...new Set([...sub.subagents, id])]
      }));
      return keepingAgentEdges(definition, listed);
    }
  }
}

/** `definition` with both cards connected; one that was switched off is switched on. Ask `refusal` first. */
export function connected(definition: Definition, wanted: Wanted): Definition {
  return made(definition, directed(wanted));
}

/** `definition` without that edge. A hook has no other edge, so it is switched off. */
export function disconnected(definition: Definition, wanted: Wanted): Definition {
  const { source, target } = directed(wanted);
  const id = itemId(target);
  const from = itemId(source);
  const without = (ids: readonly string[]) => ids.filter(each => each !== id);
  switch (kindOf(target)) {
    case 'hook':
      return {
        ...definition,
        hooks: definition.hooks.map(each => (each.id === id ? { ...each, enabled: false } : each))
      };
    case 'mcp':
      return source === 'agent'
        ? { ...definition, agent: { ...definition.agent, mcps: without(mcpsOf(definition, 'agent')) } }
        : withSubagent(definition, from, sub => ({ ...sub, mcps: without(sub.mcps) }));
    default: {
      if (source === 'agent') {
        return withSubagentsOfAgent(definition, without(subagentsOf(definition, 'agent')));
      }
      const after = withSubagent(definition, from, sub => ({ ...sub, subagents: without(sub.subagents) }));
      return keepingAgentEdges(definition, after);
    }
  }
}
