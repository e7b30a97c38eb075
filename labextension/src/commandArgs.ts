/**
 * The schemas of commands' arguments, for those who ask what a command takes.
 */

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
