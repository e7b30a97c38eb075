/**
 * The agent's essentials, and the limits of the whole execution.
 */
import type { Definition } from '../api/types';
import { useUi } from '../ui/context';

import { CheckField, NumberField, TextField } from './fields';
import { FieldScope, useBinding } from './fieldScope';
import { ModelField } from './ModelPicker';
import { PromptField } from './PromptField';
import { LimitsQuote } from './Quote';

const AGENT = ['agent'];
const LIMITS = ['limits'];

interface Props {
  definition: Definition;
}

export function AgentForm({ definition }: Props): JSX.Element {
  const { trans } = useUi();
  const bind = useBinding(AGENT, definition.agent);
  return (
    <FieldScope path={AGENT}>
      <TextField label={trans.__('Name')} {...bind('name')} />
      <ModelField {...bind('model')} />
      <PromptField
        label={trans.__('System prompt')}
        {...bind('system_prompt')}
        help={trans.__('Who it is and how it works. Takes {{variables}}.')}
        definition={definition}
      />
      <PromptField
        label={trans.__('Task')}
        {...bind('task')}
        help={trans.__('What a run asks for when it brings no prompt of its own. Takes {{variables}}.')}
        definition={definition}
      />
      <CheckField
        label={trans.__('Always use the simulated model')}
        {...bind('simulate')}
        help={trans.__('Plays a scenario instead of asking a model; tools really run. Costs nothing.')}
      />
    </FieldScope>
  );
}

export function LimitsForm({ definition }: Props): JSX.Element {
  const { trans } = useUi();
  const bind = useBinding(LIMITS, definition.limits);
  return (
    <FieldScope path={LIMITS}>
      <LimitsQuote />
      <NumberField
        label={trans.__('Cost')}
        {...bind('max_cost_usd')}
        unit={trans.__('US dollars')}
        help={trans.__('Most money one run may spend, subagents included. Empty: no money limit.')}
        min={0.01}
        step="any"
        optional
      />
      <NumberField
        label={trans.__('Tokens')}
        {...bind('max_tokens')}
        unit={trans.__('tokens')}
        help={trans.__('Uncached input, cache writes and output over all turns.')}
        min={256}
      />
      <NumberField
        label={trans.__('Time')}
        {...bind('timeout_s')}
        unit={trans.__('seconds')}
        help={trans.__('Running time; waiting in the queue or for a person does not count.')}
        min={1}
      />
      <NumberField
        label={trans.__('Turns')}
        {...bind('max_turns')}
        unit={trans.__('turns')}
        help={trans.__('Most model turns of one agent.')}
        min={1}
      />
    </FieldScope>
  );
}
