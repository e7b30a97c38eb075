/**
 * Places for cards: the saved ones, and a calm default for those that nobody placed yet.
 *
 * Default columns: hooks, MCP servers and notes to the left of the agent, subagents to its right,
 * their own subagents one column further.
 */
import type { Definition, Position } from '../api/types';

import type { Edge } from './graph';

/** Grid that cards snap to, in canvas units. */
export const GRID = 20;
export const CARD_WIDTH = { agent: 264, subagent: 240, hook: 230, mcp: 230, note: 220 } as const;

const COLUMN = 340;
const ROW = 160;

/** How many delegations away from the agent each subagent is, at most three. */
function depths(edges: Edge[]): Map<string, number> {
  const depth = new Map<string, number>();
  let frontier = ['agent'];
  for (let level = 1; frontier.length && level <= 3; level++) {
    const next: string[] = [];
    for (const { kind, source, target } of edges) {
      if (kind === 'subagent' && frontier.includes(source) && !depth.has(target)) {
        depth.set(target, level);
        next.push(target);
      }
    }
    frontier = next;
  }
  return depth;
}

/** A column of cards, centred on the agent's height. */
function column(ids: string[], x: number): [string, Position][] {
  const top = -((ids.length - 1) * ROW) / 2;
  return ids.map((id, row) => [id, { x, y: Math.round((top + row * ROW) / GRID) * GRID }]);
}

/** A place for every card of `definition`. */
export function placed(definition: Definition, edges: Edge[]): Map<string, Position> {
  const { subagents, hooks, mcps, ui } = definition;
  const depth = depths(edges);
  const at = new Map<string, Position>([['agent', { x: 0, y: 0 }]]);
  const left = [
    ...hooks.map(hook => `hook:${hook.id}`),
    ...mcps.map(mcp => `mcp:${mcp.id}`),
    ...ui.notes.map(note => `note:${note.id}`)
  ];
  const columns = new Map<number, string[]>();
  for (const sub of subagents) {
    const id = `subagent:${sub.id}`;
    const level = depth.get(id) ?? 1;
    columns.set(level, [...(columns.get(level) ?? []), id]);
  }
  for (const [level, ids] of columns) {
    column(ids, level * COLUMN).forEach(([id, position]) => at.set(id, position));
  }
  column(left, -COLUMN).forEach(([id, position]) => at.set(id, position));
  for (const node of ui.nodes) {
    at.set(node.id, node.position);
  }
  return at;
}
