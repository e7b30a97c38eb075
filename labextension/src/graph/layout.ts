/**
 * Places for cards: the saved ones, and a calm default for those that nobody placed yet.
 *
 * Default columns: hooks, MCP servers and notes to the left of the agent, subagents to its right,
 * their own subagents further to the right. A column that would be too tall becomes several.
 */
import type { Definition, Position } from '../api/types';

import type { Edge } from './graph';

/** Grid that cards snap to, in canvas units. */
export const GRID = 20;
export const CARD_WIDTH = { agent: 264, subagent: 240, hook: 230, mcp: 230, note: 220 } as const;

/** From the agent to the cards beside it. */
export const COLUMN_STEP = 340;
/** From one column to the next of the same kind. */
const NARROW_COLUMN = 280;
const ROW = 160;
/** Most cards in one column. */
const MOST_ROWS = 6;

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

/** How many columns `count` cards take. */
function columnsOf(count: number): number {
  return Math.ceil(count / MOST_ROWS);
}

/** Columns of cards side by side from `x` on, each centred on the agent's height. */
function columns(ids: string[], x: number, step: number): [string, Position][] {
  const rows = Math.ceil(ids.length / Math.max(1, columnsOf(ids.length)));
  return ids.map((id, index) => {
    const at = Math.floor(index / rows);
    const inColumn = Math.min(rows, ids.length - at * rows);
    const top = -((inColumn - 1) * ROW) / 2;
    const y = Math.round((top + (index % rows) * ROW) / GRID) * GRID;
    return [id, { x: x + at * step, y }];
  });
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
  const levels = new Map<number, string[]>();
  for (const sub of subagents) {
    const id = `subagent:${sub.id}`;
    const level = depth.get(id) ?? 1;
    levels.set(level, [...(levels.get(level) ?? []), id]);
  }
  let x = COLUMN_STEP;
  for (const [, ids] of [...levels].sort(([a], [b]) => a - b)) {
    columns(ids, x, NARROW_COLUMN).forEach(([id, position]) => at.set(id, position));
    x += COLUMN_STEP + (columnsOf(ids.length) - 1) * NARROW_COLUMN;
  }
  columns(left, -COLUMN_STEP, -NARROW_COLUMN).forEach(([id, position]) => at.set(id, position));
  for (const node of ui.nodes) {
    at.set(node.id, node.position);
  }
  return at;
}
