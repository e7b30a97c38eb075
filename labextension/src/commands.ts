/**
 * Ids of all commands, and the schemas of their arguments.
 */

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

export const CELL_ARGS = {
  type: 'object',
  properties: {
    id: { type: 'string', description: 'Id of the project; the one in front when missing.' }
  }
} as const;

export const NEW_PROJECT_ARGS = {
  type: 'object',
  properties: {
    template: { type: 'string', description: 'Id of the starter project; asked for when missing.' },
    name: { type: 'string', description: 'Name of the project; the template’s when missing.' },
    isMenu: { type: 'boolean', description: 'Whether the label stands in a menu that says New.' }
  }
} as const;

/** A project by its id; the one in front when missing. */
const NAMED = {
  id: { type: 'string', description: 'Id of the project; the one in front when missing.' },
  name: { type: 'string', description: 'What questions about it call it.' }
} as const;

export const PROJECT_ARGS = { type: 'object', properties: NAMED } as const;

export const EXPORT_ARGS = {
  type: 'object',
  properties: {
    ...NAMED,
    format: {
      type: 'string',
      enum: ['zip', 'tar.gz', 'claude', 'python'],
      description: 'Our archive, a Claude Code project, or one Python program; zip when missing.'
    },
    executions: { type: 'boolean', description: 'Whether the logs of its executions go with it.' }
  }
} as const;

export const OPEN_PROJECT_ARGS = {
  type: 'object',
  properties: {
    id: { type: 'string', description: 'Id of the project.' },
    name: { type: 'string', description: 'Name of the project, when its id is not known.' },
    execution: { type: 'string', description: 'Execution to show.' },
    notebook: { type: 'string', description: 'Notebook to open beside it, relative to the server’s root.' },
    mode: {
      type: 'string',
      description: 'Where to insert the tab, as in Lab’s shell: tab-after, split-right, …'
    }
  }
} as const;

/** Arguments of a router command. */
export const URL_ARGS = {
  type: 'object',
  properties: {
    path: { type: 'string', description: 'Path of the location.' },
    search: { type: 'string', description: 'Query of the location.' },
    hash: { type: 'string', description: 'Fragment of the location.' }
  }
} as const;
