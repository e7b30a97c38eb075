/**
 * Adding, removing, renaming and copying cards: from a definition to the next one. Pure.
 *
 * What a new card holds is the least that the contract takes; the check then names what is missing.
 * Not here: what connects to what (`wires.ts`), and undo (`history.ts`).
 */
import type { Definition, Hook, McpServer, Note, Position, Subagent } from '../api/types';

import type { CardKind } from './graph';
import { graphOf, itemId } from './graph';
import { GRID } from './layout';
import { connected, keepingAgentEdges, refusal } from './wires';

export type NewKind = Exclude<CardKind, 'agent'>;
export type Item = Subagent | Hook | McpServer | Note;

/** Longest id, as the contract has it. */
const LONGEST_ID = 64;
/** How far a copy lies from what it was copied from, in canvas units. */
const STEP = 2 * GRID;

/** Cards as they travel through the clipboard. */
export interface Clip {
  cloutagent: 'cards';
  cards: { kind: NewKind; item: Item; position: Position }[];
}

/** An id as the contract takes it, from a name; empty where the name has no letter for one. */
export function slug(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, LONGEST_ID)
    .replace(/-+$/, '');
}

function listOf(definition: Definition, kind: NewKind): readonly Item[] {
  switch (kind) {
    case 'subagent':
      return definition.subagents;
    case 'hook':
      return definition.hooks;
    case 'mcp':
      return definition.mcps;
    case 'note':
      return definition.ui.notes;
  }
}

function withList(definition: Definition, kind: NewKind, list: readonly Item[]): Definition {
  switch (kind) {
    case 'subagent':
      return { ...definition, subagents: list as Subagent[] };
    case 'hook':
      return { ...definition, hooks: list as Hook[] };
    case 'mcp':
      return { ...definition, mcps: list as McpServer[] };
    case 'note':
      return { ...definition, ui: { ...definition.ui, notes: list as Note[] } };
  }
}

/** `wanted`, or with a number behind it where that is taken. */
function free(taken: readonly string[], wanted: string, join: string): string {
  let found = wanted;
  for (let number = 2; taken.includes(found); number++) {
    found = `${wanted.slice(0, LONGEST_ID - 4)}${join}${number}`;
  }
  return found;
}

function blank(kind: NewKind, id: string, name: string): Item {
  switch (kind) {
    case 'subagent':
      return {
        id,
        name,
        description: '',
        prompt: '',
        model: null,
        tools: [],
        permissions: {},
        subagents: [],
        mcps: [],
        parallel: true,
        max_parallel_instances: 3,
        limits: null,
        essential: false,
        enabled: true
      };
    case 'hook':
      return {
        id,
        name,
        event: 'PreToolUse',
        matcher: '',
        enabled: true,
        action: { type: 'command', command: [''] },
        env: {},
        timeout_s: 60,
        on_failure: null
      };
    case 'mcp':
      return {
        id,
        name,
        transport: 'stdio',
        command: null,
        args: [],
        env: {},
        url: null,
        headers: {},
        credentials: {},
        enabled_tools: null,
        timeout_s: 60,
        essential: false,
        enabled: true
      };
    case 'note':
      return { id, text: '', width: 220, height: 120 };
  }
}

function placedAt(definition: Definition, card: string, position: Position): Definition {
  const snap = (value: number) => Math.round(value / GRID) * GRID;
  const at = { x: snap(position.x), y: snap(position.y) };
  const others = definition.ui.nodes.filter(node => node.id !== card);
  return { ...definition, ui: { ...definition.ui, nodes: [...others, { id: card, position: at }] } };
}

/** A place near `wanted` where no card begins. */
function freePlace(definition: Definition, wanted: Position): Position {
  const cards = graphOf(definition).cards;
  const near = (at: Position) =>
    cards.some(card => Math.abs(card.position.x - at.x) < STEP && Math.abs(card.position.y - at.y) < STEP);
  let at = wanted;
  for (let tries = 0; near(at) && tries < 50; tries++) {
    at = { x: at.x + STEP, y: at.y + STEP };
  }
  return at;
}

/**
 * A new card called `name` at `position`, used by the card `user` (an agent or a subagent) where that may be.
 */
export function added(
  definition: Definition,
  kind: NewKind,
  name: string,
  position: Position,
  user = 'agent'
): { definition: Definition; card: string } {
  const list = listOf(definition, kind);
  const id = free(
    list.map(each => each.id),
    slug(name) || kind,
    '-'
  );
  const names = list.map(each => ('name' in each ? each.name : ''));
  const item = blank(kind, id, free(names, name, ' '));
  const card = `${kind}:${id}`;
  let next = withList(definition, kind, [...list, item]);
  if (kind === 'subagent') {
    next = keepingAgentEdges(definition, next);
  }
  if (kind === 'mcp' && user !== 'agent' && definition.agent.mcps === null) {
    // An agent that lists no servers has all of them; this one is somebody else's.
    const mcps = definition.mcps.filter(each => each.enabled).map(each => each.id);
    next = { ...next, agent: { ...next.agent, mcps } };
  }
  for (const source of new Set([user, 'agent'])) {
    if (refusal(next, { source, target: card }) === null) {
      next = connected(next, { source, target: card });
      break;
    }
  }
  return { definition: placedAt(next, card, position), card };
}

/** `definition` without those cards and without whatever named them. The agent stays. */
export function removed(definition: Definition, cards: readonly string[]): Definition {
  const gone = new Set(cards.filter(card => card !== 'agent'));
  const stays = (kind: NewKind) => (each: { id: string }) => !gone.has(`${kind}:${each.id}`);
  const named = (kind: NewKind) => (id: string) => !gone.has(`${kind}:${id}`);
  const { agent, ui } = definition;
  const next: Definition = {
    ...definition,
    subagents: definition.subagents.filter(stays('subagent')).map(sub => ({
      ...sub,
      subagents: sub.subagents.filter(named('subagent')),
      mcps: sub.mcps.filter(named('mcp'))
    })),
    hooks: definition.hooks.filter(stays('hook')),
    mcps: definition.mcps.filter(stays('mcp')),
    agent: { ...agent, mcps: agent.mcps && agent.mcps.filter(named('mcp')) },
    ui: {
      ...ui,
      notes: ui.notes.filter(stays('note')),
      nodes: ui.nodes.filter(node => !gone.has(node.id))
    }
  };
  return keepingAgentEdges(definition, next);
}

/**
 * `definition` with another name on the card, and with `change` in it. Its id follows the name while `saved` does not know the card
 * yet: afterwards files, tools and logs bear the id.
 */
export function renamed(
  definition: Definition,
  card: string,
  name: string,
  saved: Definition | null,
  change: Partial<Item> = {}
): { definition: Definition; card: string } {
  const kind = card.split(':')[0] as NewKind;
  const id = itemId(card);
  const list = listOf(definition, kind);
  const known = saved !== null && listOf(saved, kind).some(each => each.id === id);
  const others = list.filter(each => each.id !== id).map(each => each.id);
  const now = known ? id : free(others, slug(name) || id, '-');
  const swap = (ids: readonly string[]) => ids.map(each => (each === id ? now : each));
  let next = withList(
    definition,
    kind,
    list.map(each => (each.id === id ? { ...each, ...change, name, id: now } : each))
  );
  if (now !== id) {
    const { agent } = next;
    next = {
      ...next,
      agent: {
        ...agent,
        subagents: kind === 'subagent' && agent.subagents ? swap(agent.subagents) : agent.subagents,
        mcps: kind === 'mcp' && agent.mcps ? swap(agent.mcps) : agent.mcps
      },
      subagents: next.subagents.map(sub => ({
        ...sub,
        subagents: kind === 'subagent' ? swap(sub.subagents) : sub.subagents,
        mcps: kind === 'mcp' ? swap(sub.mcps) : sub.mcps
      })),
      ui: {
        ...next.ui,
        nodes: next.ui.nodes.map(node => (node.id === card ? { ...node, id: `${kind}:${now}` } : node))
      }
    };
  }
  return { definition: next, card: `${kind}:${now}` };
}

/** Those cards, as they go to the clipboard; the agent does not. */
export function clipOf(definition: Definition, cards: readonly string[]): Clip {
  const chosen = graphOf(definition).cards.filter(card => card.kind !== 'agent' && cards.includes(card.id));
  return {
    cloutagent: 'cards',
    cards: chosen.map(card => ({
      kind: card.kind as NewKind,
      item: card.item as Item,
      position: card.position
    }))
  };
}

/** What the clipboard holds, null where that is not cards of ours. */
export function readClip(text: string): Clip | null {
  try {
    const clip = JSON.parse(text) as Clip;
    const kinds = ['subagent', 'hook', 'mcp', 'note'];
    const whole =
      clip?.cloutagent === 'cards' &&
      Array.isArray(clip.cards) &&
      clip.cards.every(
        each =>
          kinds.includes(each.kind) &&
          typeof each.item?.id === 'string' &&
          Number.isFinite(each.position?.x) &&
          Number.isFinite(each.position?.y)
      );
    return whole ? clip : null;
  } catch {
    return null;
  }
}

/** `definition` with copies of the clip's cards, connected among themselves as the originals were. */
export function pasted(definition: Definition, clip: Clip): { definition: Definition; cards: string[] } {
  const ids = new Map<string, string>();
  let next = definition;
  for (const { kind, item } of clip.cards) {
    const taken = listOf(next, kind).map(each => each.id);
    const id = free(taken, slug(item.id) || kind, '-');
    const names = listOf(next, kind).map(each => ('name' in each ? each.name : ''));
    const copy = { ...blank(kind, id, ''), ...item, id };
    if ('name' in copy) {
      copy.name = free(names, copy.name, ' ');
    }
    ids.set(`${kind}:${item.id}`, `${kind}:${id}`);
    next = withList(next, kind, [...listOf(next, kind), copy]);
  }
  const cards = [...ids.values()];
  const among = (kind: NewKind, wanted: readonly string[]) =>
    wanted.flatMap(id => (ids.has(`${kind}:${id}`) ? [itemId(ids.get(`${kind}:${id}`)!)] : []));
  next = {
    ...next,
    subagents: next.subagents.map(sub =>
      cards.includes(`subagent:${sub.id}`)
        ? { ...sub, subagents: among('subagent', sub.subagents), mcps: among('mcp', sub.mcps) }
        : sub
    )
  };
  next = keepingAgentEdges(definition, next);
  // What no other copy uses belongs to the agent, as a new card does.
  const used = new Set(
    next.subagents
      .filter(sub => cards.includes(`subagent:${sub.id}`))
      .flatMap(sub => [...sub.subagents.map(id => `subagent:${id}`), ...sub.mcps.map(id => `mcp:${id}`)])
  );
  for (const card of cards) {
    if (!used.has(card) && refusal(next, { source: 'agent', target: card }) === null) {
      next = connected(next, { source: 'agent', target: card });
    }
  }
  const [first] = clip.cards;
  const to = first && freePlace(definition, { x: first.position.x + STEP, y: first.position.y + STEP });
  clip.cards.forEach(({ kind, item, position }) => {
    const card = ids.get(`${kind}:${item.id}`)!;
    const at = { x: position.x - first.position.x + to.x, y: position.y - first.position.y + to.y };
    next = placedAt(next, card, at);
  });
  return { definition: next, cards };
}
