/**
 * What of a project's answer is its definition: pure.
 */
import type { Definition, Project } from './types';

/** Fields that GET gives and a save leaves out. */
const READ_ONLY = ['id', 'version', 'published_version', 'trusted', 'updated_at', 'api_key'];

/** What of `project` a person edits. */
export function definitionOf(project: Project): Definition {
  const rest = Object.entries(project).filter(([name]) => !READ_ONLY.includes(name));
  return Object.fromEntries(rest) as unknown as Definition;
}
