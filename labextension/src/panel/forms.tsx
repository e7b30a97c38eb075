/**
 * The short forms: project, hook, MCP server, note.
 */
import type { Definition } from '../api/types';
import { actionFact, serverFact } from '../canvas/facts';
import { useActions, useUi } from '../ui/context';

import { CheckField, Fact, TextArea, TextField } from './fields';

interface ItemProps {
  definition: Definition;
  index: number;
}

export function ProjectForm({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const variables = Object.entries(definition.variables);
  return (
    <>
      <TextField
        label={trans.__('Name')}
        value={definition.name}
        onChange={value => actions.edit(['name'], value)}
      />
      <TextArea
        label={trans.__('Description')}
        value={definition.description}
        onChange={value => actions.edit(['description'], value)}
      />
      <h3 className="ca-Heading">{trans.__('Variables')}</h3>
      {variables.length === 0 && (
        <p className="ca-Field-help">
          {trans.__('None. Prompts name variables as {{name}}; callers hand in values.')}
        </p>
      )}
      {variables.map(([name, variable]) => (
        <TextField
          key={name}
          label={name}
          help={variable.description}
          placeholder={
            variable.required ? trans.__('no default: asked for at each run') : trans.__('no default')
          }
          value={variable.default ?? ''}
          onChange={value => actions.edit(['variables', name, 'default'], value || null)}
        />
      ))}
    </>
  );
}

export function HookForm({ definition, index }: ItemProps): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const hook = definition.hooks[index];
  const edit = (field: string, value: unknown) => actions.edit(['hooks', index, field], value);
  return (
    <>
      <TextField label={trans.__('Name')} value={hook.name} onChange={value => edit('name', value)} />
      <TextField
        label={trans.__('For which tools')}
        help={trans.__('Names separated by |; empty means all.')}
        value={hook.matcher}
        onChange={value => edit('matcher', value)}
      />
      <Fact label={trans.__('Event')} value={hook.event} />
      <Fact label={trans.__('Does')} value={actionFact(hook)} />
      <CheckField label={trans.__('On')} value={hook.enabled} onChange={value => edit('enabled', value)} />
    </>
  );
}

export function McpForm({ definition, index }: ItemProps): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const mcp = definition.mcps[index];
  const edit = (field: string, value: unknown) => actions.edit(['mcps', index, field], value);
  return (
    <>
      <TextField label={trans.__('Name')} value={mcp.name} onChange={value => edit('name', value)} />
      <Fact label={trans.__('Transport')} value={mcp.transport} />
      <Fact
        label={mcp.transport === 'stdio' ? trans.__('Command') : trans.__('Address')}
        value={serverFact(mcp)}
      />
      <CheckField
        label={trans.__('Essential')}
        help={trans.__('Its failure ends the whole run.')}
        value={mcp.essential}
        onChange={value => edit('essential', value)}
      />
      <CheckField
        label={trans.__('Connected')}
        value={mcp.enabled}
        onChange={value => edit('enabled', value)}
      />
    </>
  );
}

export function NoteForm({ definition, index }: ItemProps): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  return (
    <TextArea
      label={trans.__('Text')}
      help={trans.__('For people; no model reads it.')}
      value={definition.ui.notes[index].text}
      onChange={value => actions.edit(['ui', 'notes', index, 'text'], value)}
    />
  );
}
