/**
 * A subagent's essentials.
 */
import type { Definition } from '../api/types';
import { useActions, useUi } from '../ui/context';

import { CheckField, NumberField, TextArea, TextField } from './fields';
import { FieldScope, useBinding } from './fieldScope';
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
  const path = ['subagents', index];
  const bind = useBinding(path, sub);
  return (
    <FieldScope path={path}>
      <TextField
        label={trans.__('Name')}
        name="name"
        value={sub.name}
        onChange={name => actions.rename(`subagent:${sub.id}`, name)}
      />
      <TextArea
        label={trans.__('When to delegate to it')}
        {...bind('description')}
        help={trans.__('The calling agent reads this to decide.')}
      />
      <PromptField
        label={trans.__('Prompt')}
        {...bind('prompt')}
        help={trans.__('Who it is and how it works. Takes {{variables}}.')}
        definition={definition}
      />
      <ModelField
        value={sub.model ?? ''}
        placeholder={trans.__("the agent's: %1", definition.agent.model)}
        onChange={value => bind('model').onChange(value || null)}
      />
      <NumberField
        label={trans.__('At once')}
        {...bind('max_parallel_instances')}
        unit={trans.__('instances')}
        help={trans.__('How many of it may run at the same time; more calls wait in order.')}
        min={1}
      />
      <CheckField label={trans.__('Several at once')} {...bind('parallel')} />
      <CheckField
        label={trans.__('Essential')}
        {...bind('essential')}
        help={trans.__('Its failure ends the whole run.')}
      />
      <CheckField
        label={trans.__('Connected')}
        {...bind('enabled')}
        help={trans.__('Off: it stays on the canvas, and no agent can call it.')}
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
