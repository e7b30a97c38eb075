/**
 * The facts that cards show: short texts out of a definition. Pure.
 */
import type { Definition, Hook, Limits, McpServer } from '../api/types';
import { duration, money, tokens } from '../ui/format';
import type { Translation } from '../ui/labels';

/** Most names in one fact; more become a count. */
const MOST_NAMES = 3;

/** `python · bash · +2`, or a word for none. */
export function names(trans: Translation, all: readonly string[]): string {
  if (!all.length) {
    return trans.__('none');
  }
  const shown = all.slice(0, all.length > MOST_NAMES ? MOST_NAMES - 1 : MOST_NAMES);
  const more = all.length - shown.length;
  return [...shown, ...(more ? [`+${more}`] : [])].join(' · ');
}

/** `$1.00 · 100k tokens · 10 min` */
export function limitsFact(trans: Translation, limits: Limits): string {
  const cost = limits.max_cost_usd === null ? trans.__('no money limit') : money(limits.max_cost_usd);
  return [cost, trans.__('%1 tokens', tokens(limits.max_tokens)), duration(limits.timeout_s * 1_000)].join(
    ' · '
  );
}

/** Names of the variables that a run takes. */
export function variablesFact(trans: Translation, definition: Definition): string {
  return names(trans, Object.keys(definition.variables));
}

/** What a hook does, as one line. */
export function actionFact(hook: Hook): string {
  return hook.action.type === 'http' ? hook.action.url : hook.action.command.join(' ');
}

/** How a server is reached, as one line. */
export function serverFact(mcp: McpServer): string {
  return mcp.transport === 'stdio' ? [mcp.command ?? '', ...mcp.args].join(' ').trim() : (mcp.url ?? '');
}
