/**
 * The agent's essentials, and the limits of the whole execution.
 */
import type { Definition } from '../api/types';
import { useActions, useUi } from '../ui/context';

import { CheckField, NumberField, TextField } from './fields';
import { FieldScope } from './fieldScope';
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
  const actions = useActions();
  const { agent } = definition;
  return (
    <FieldScope path={AGENT}>
      <TextField
        label={trans.__('Name')}
        name="name"
        value={agent.name}
        onChange={value => actions.edit(['agent', 'name'], value)}
      />
      <ModelField value={agent.model} onChange={value => actions.edit(['agent', 'model'], value)} />
      <PromptField
        label={trans.__('System prompt')}
        name="system_prompt"
        help={trans.__('Who it is and how it works. Takes {{variables}}.')}
        definition={definition}
        value={agent.system_prompt}
        onChange={value => actions.edit(['agent', 'system_prompt'], value)}
      />
      <PromptField
        label={trans.__('Task')}
        name="task"
        help={trans.__('What a run asks for when it brings no prompt of its own. Takes {{variables}}.')}
        definition={definition}
        value={agent.task}
        onChange={value => actions.edit(['agent', 'task'], value)}
      />
      <CheckField
        label={trans.__('Always use the simulated model')}
        name="simulate"
        help={trans.__('Plays a scenario instead of asking a model; tools really run. Costs nothing.')}
        value={agent.simulate}
        onChange={value => actions.edit(['agent', 'simulate'], value)}
      />
    </FieldScope>
  );
}

export function LimitsForm({ definition }: Props): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const { limits } = definition;
  return (
    <FieldScope path={LIMITS}>
      <LimitsQuote />
      <NumberField
        label={trans.__('Cost')}
        name="max_cost_usd"
        unit={trans.__('US dollars')}
        help={trans.__('Most money one run may spend, subagents included. Empty: no money limit.')}
        min={0.01}
        step="any"
        optional
        value={limits.max_cost_usd}
        onChange={value => actions.edit(['limits', 'max_cost_usd'], value)}
      />
      <NumberField
        label={trans.__('Tokens')}
        name="max_tokens"
        unit={trans.__('tokens')}
        help={trans.__('Uncached input, cache writes and output over all turns.')}
        min={256}
        value={limits.max_tokens}
        onChange={value => actions.edit(['limits', 'max_tokens'], value)}
      />
      <NumberField
        label={trans.__('Time')}
        name="timeout_s"
        unit={trans.__('seconds')}
        help={trans.__('Running time; waiting in the queue or for a person does not count.')}
        min={1}
        value={limits.timeout_s}
        onChange={value => actions.edit(['limits', 'timeout_s'], value)}
      />
      <NumberField
        label={trans.__('Turns')}
        name="max_turns"
        unit={trans.__('turns')}
        help={trans.__('Most model turns of one agent.')}
        min={1}
        value={limits.max_turns}
        onChange={value => actions.edit(['limits', 'max_turns'], value)}
      />
    </FieldScope>
  );
}
