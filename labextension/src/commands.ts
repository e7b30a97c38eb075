/**
 * Ids of all commands; the schemas of their arguments (`commandArgs.ts`) are loaded when somebody asks.
 */
import type * as Args from './commandArgs';

export namespace CommandIDs {
  export const newProject = 'cloutagent:new-project';
  export const showProjects = 'cloutagent:show-projects';
  export const openDashboard = 'cloutagent:open-dashboard';
  export const openProject = 'cloutagent:open-project';
  export const openFromUrl = 'cloutagent:open-from-url';
  export const run = 'cloutagent:run-project';
  export const runWith = 'cloutagent:run-project-with';
  export const runAgain = 'cloutagent:run-again';
  export const openAsNotebook = 'cloutagent:open-execution-as-notebook';
  export const addCell = 'cloutagent:add-cell';
  export const stop = 'cloutagent:stop-execution';
  export const check = 'cloutagent:check-project';
  export const save = 'cloutagent:save-project';
  export const importProject = 'cloutagent:import-project';
  export const duplicateProject = 'cloutagent:duplicate-project';
  export const exportProject = 'cloutagent:export-project';
  export const deleteProject = 'cloutagent:delete-project';
  export const backUp = 'cloutagent:back-up';
  export const showBackups = 'cloutagent:show-backups';
  export const showVersions = 'cloutagent:show-versions';
  export const showApi = 'cloutagent:show-api';
  export const startTour = 'cloutagent:start-tour';
}

/** No arguments. */
export const NO_ARGS = { type: 'object', properties: {}, additionalProperties: false } as const;

/** Describes a command by the schema of that name. */
export function described<Name extends keyof typeof Args>(
  name: Name
): () => Promise<{ args: (typeof Args)[Name] }> {
  return async () => ({ args: (await import('./commandArgs'))[name] });
}
