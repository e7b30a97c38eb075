/**
 * A definition as cards and edges: pure, and the only place that knows what connects to what.
 *
 * Not here: how a card looks (`canvas/`), where it may stand when nobody placed it (`layout.ts`),
 * and how a definition changes (`changes.ts`).
 */
import type { Agent, Definition, Hook, McpServer, Note, Position, Subagent } from '../api/types';

import { placed } from './layout';

export type CardKind = 'agent' | 'subagent' | 'hook' | 'mcp' | 'note';

interface CardBase {
  /** `agent`, `subagent:<id>`, `hook:<id>`, `mcp:<id>` or `note:<id>`, as in `ui.nodes`. */
  id: string;
  position: Position;
}

export type Card = CardBase &
  (
    | { kind: 'agent'; item: Agent }
    | { kind: 'subagent'; item: Subagent }
    | { kind: 'hook'; item: Hook }
    | { kind: 'mcp'; item: McpServer }
    | { kind: 'note'; item: Note }
  );

export interface Edge {
  id: string;
  kind: 'subagent' | 'hook' | 'mcp';
  source: string;
  target: string;
}

export interface Graph {
  cards: Card[];
  edges: Edge[];
}

/** Id of the card that a log's agent label (`main`, `researcher#2`) belongs to. */
export function cardOfAgent(label: string): string {
  return label === 'main' ? 'agent' : `subagent:${label.replace(/#\d+$/, '')}`;
}

/** Id inside the definition of the thing that a card shows. */
export function itemId(cardId: string): string {
  return cardId.slice(cardId.indexOf(':') + 1);
}

/** What a card is called; its id where it has no name. */
export function cardName(definition: Definition, cardId: string): string {
  if (cardId === 'agent') {
    return definition.agent.name === 'main' ? definition.name : definition.agent.name;
  }
  const id = itemId(cardId);
  const named = { subagent: definition.subagents, hook: definition.hooks, mcp: definition.mcps };
  const list = named[cardId.split(':')[0] as keyof typeof named] ?? [];
  return list.find(each => each.id === id)?.name ?? id;
}

function edge(kind: Edge['kind'], source: string, target: string): Edge {
  return { id: `${source}>${target}`, kind, source, target };
}

/** Subagents that the agent delegates to: those it lists, or all that no other subagent lists. */
export function subagentsOfAgent(definition: Definition): Subagent[] {
  const { agent, subagents } = definition;
  const chosen = agent.subagents;
  if (chosen) {
    return subagents.filter(sub => sub.enabled && chosen.includes(sub.id));
  }
  const listed = new Set(subagents.filter(sub => sub.enabled).flatMap(sub => sub.subagents));
  return subagents.filter(sub => sub.enabled && !listed.has(sub.id));
}

function edgesOf(definition: Definition): Edge[] {
  const { agent, subagents, hooks, mcps } = definition;
  const enabledSubagents = new Set(subagents.filter(sub => sub.enabled).map(sub => sub.id));
  const enabledMcps = new Set(mcps.filter(mcp => mcp.enabled).map(mcp => mcp.id));
  const edges = subagentsOfAgent(definition).map(sub => edge('subagent', 'agent', `subagent:${sub.id}`));
  for (const mcp of mcps) {
    if (mcp.enabled && (agent.mcps === null || agent.mcps.includes(mcp.id))) {
      edges.push(edge('mcp', 'agent', `mcp:${mcp.id}`));
    }
  }
  for (const hook of hooks) {
    if (hook.enabled) {
      edges.push(edge('hook', 'agent', `hook:${hook.id}`));
    }
  }
  for (const sub of subagents.filter(each => each.enabled)) {
    for (const id of sub.subagents.filter(each => enabledSubagents.has(each))) {
      edges.push(edge('subagent', `subagent:${sub.id}`, `subagent:${id}`));
    }
    for (const id of sub.mcps.filter(each => enabledMcps.has(each))) {
      edges.push(edge('mcp', `subagent:${sub.id}`, `mcp:${id}`));
    }
  }
  return edges;
}

/** All cards, each with a place, and the edges that follow from the definition. */
export function graphOf(definition: Definition): Graph {
  const edges = edgesOf(definition);
  const at = placed(definition, edges);
  const position = (id: string): Position => at.get(id) ?? { x: 0, y: 0 };
  const cards: Card[] = [{ id: 'agent', kind: 'agent', item: definition.agent, position: position('agent') }];
  for (const item of definition.subagents) {
    const id = `subagent:${item.id}`;
    cards.push({ id, kind: 'subagent', item, position: position(id) });
  }
  for (const item of definition.hooks) {
    const id = `hook:${item.id}`;
    cards.push({ id, kind: 'hook', item, position: position(id) });
  }
  for (const item of definition.mcps) {
    const id = `mcp:${item.id}`;
    cards.push({ id, kind: 'mcp', item, position: position(id) });
  }
  for (const item of definition.ui.notes) {
    const id = `note:${item.id}`;
    cards.push({ id, kind: 'note', item, position: position(id) });
  }
  return { cards, edges };
}
