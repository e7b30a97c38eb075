/**
 * A subagent's essentials.
 */
import type { Definition } from '../api/types';
import { useActions, useUi } from '../ui/context';

import { CheckField, NumberField, TextArea, TextField } from './fields';
import { FieldScope } from './fieldScope';
import { ModelField } from './ModelPicker';
import { PromptField } from './PromptField';
import { ToolsField } from './ToolsField';

interface Props {
  definition: Definition;
  index: number;
}

export function SubagentForm({ definition, index }: Props): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const sub = definition.subagents[index];
  const edit = (field: string, value: unknown) => actions.edit(['subagents', index, field], value);
  return (
    <FieldScope path={['subagents', index]}>
      <TextField
        label={trans.__('Name')}
        name="name"
        value={sub.name}
        onChange={name => actions.rename(`subagent:${sub.id}`, name)}
      />
      <TextArea
        label={trans.__('When to delegate to it')}
        name="description"
        help={trans.__('The calling agent reads this to decide.')}
        value={sub.description}
        onChange={value => edit('description', value)}
      />
      <PromptField
        label={trans.__('Prompt')}
        name="prompt"
        help={trans.__('Who it is and how it works. Takes {{variables}}.')}
        definition={definition}
        value={sub.prompt}
        onChange={value => edit('prompt', value)}
      />
      <ModelField
        value={sub.model ?? ''}
        placeholder={trans.__("the agent's: %1", definition.agent.model)}
        onChange={value => edit('model', value || null)}
      />
      <NumberField
        label={trans.__('At once')}
        name="max_parallel_instances"
        unit={trans.__('instances')}
        help={trans.__('How many of it may run at the same time; more calls wait in order.')}
        min={1}
        value={sub.max_parallel_instances}
        onChange={value => edit('max_parallel_instances', value)}
      />
      <CheckField
        label={trans.__('Several at once')}
        name="parallel"
        value={sub.parallel}
        onChange={value => edit('parallel', value)}
      />
      <CheckField
        label={trans.__('Essential')}
        name="essential"
        help={trans.__('Its failure ends the whole run.')}
        value={sub.essential}
        onChange={value => edit('essential', value)}
      />
      <CheckField
        label={trans.__('Connected')}
        name="enabled"
        help={trans.__('Off: it stays on the canvas, and no agent can call it.')}
        value={sub.enabled}
        onChange={value => edit('enabled', value)}
      />
    </FieldScope>
  );
}

export function SubagentTools({ definition, index }: Props): JSX.Element {
  const actions = useActions();
  const sub = definition.subagents[index];
  return (
    <ToolsField
      path={`subagents.${index}`}
      tools={sub.tools}
      permissions={sub.permissions}
      onTools={value => actions.edit(['subagents', index, 'tools'], value)}
      onPermissions={value => actions.edit(['subagents', index, 'permissions'], value)}
    />
  );
}
