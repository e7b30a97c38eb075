/**
 * Which secrets a definition names, and who uses each: pure.
 */
import type { Definition } from '../api/types';

const REFERENCE = /\{\{\s*secret:([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;

/** Names of secrets, with the names of the hooks and MCP servers that use them. */
export function secretUses(definition: Definition): Map<string, string[]> {
  const uses = new Map<string, string[]>();
  const note = (name: string, who: string) => {
    const known = uses.get(name) ?? [];
    if (!known.includes(who)) {
      uses.set(name, [...known, who]);
    }
  };
  const look = (who: string, ...values: Readonly<Record<string, string>>[]) => {
    for (const [, name] of values.flatMap(Object.values).join('\n').matchAll(REFERENCE)) {
      note(name, who);
    }
  };
  for (const mcp of definition.mcps) {
    look(mcp.name, mcp.env, mcp.headers);
    Object.values(mcp.credentials).forEach(name => note(name, mcp.name));
  }
  for (const hook of definition.hooks) {
    look(hook.name, hook.env, hook.action.type === 'http' ? hook.action.headers : {});
  }
  return uses;
}
