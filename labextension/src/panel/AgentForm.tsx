/**
 * The agent's essentials, and the limits of the whole execution.
 */
import type { Definition } from '../api/types';
import { useActions, useProject, useUi } from '../ui/context';
import { money, tokens } from '../ui/format';

import { CheckField, NumberField, TextArea, TextField } from './fields';

/** Models to choose from, with price per million tokens and context size. */
export function useModelOptions(): { value: string; label: string }[] {
  const { trans } = useUi();
  const models = useProject(state => state.models?.items) ?? [];
  return models.map(model => ({
    value: model.id,
    label: [
      model.name,
      model.price ? `${money(model.price.input)} / ${money(model.price.output)}` : trans.__('price unknown'),
      trans.__('%1 context', tokens(model.context_window))
    ].join(' · ')
  }));
}

export function ModelField(props: {
  value: string;
  placeholder?: string;
  onChange: (value: string) => void;
}): JSX.Element {
  const { trans } = useUi();
  const options = useModelOptions();
  const known = options.find(option => option.value === props.value);
  return <TextField label={trans.__('Model')} options={options} help={known?.label} {...props} />;
}

interface Props {
  definition: Definition;
}

export function AgentForm({ definition }: Props): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const { agent } = definition;
  return (
    <>
      <TextField
        label={trans.__('Name')}
        value={agent.name}
        onChange={value => actions.edit(['agent', 'name'], value)}
      />
      <ModelField value={agent.model} onChange={value => actions.edit(['agent', 'model'], value)} />
      <TextArea
        label={trans.__('System prompt')}
        help={trans.__('Who it is and how it works. Takes {{variables}}.')}
        code
        value={agent.system_prompt}
        onChange={value => actions.edit(['agent', 'system_prompt'], value)}
      />
      <TextArea
        label={trans.__('Task')}
        help={trans.__('What a run asks for when it brings no prompt of its own. Takes {{variables}}.')}
        code
        value={agent.task}
        onChange={value => actions.edit(['agent', 'task'], value)}
      />
      <CheckField
        label={trans.__('Always use the simulated model')}
        help={trans.__('Plays a scenario instead of asking a model; tools really run. Costs nothing.')}
        value={agent.simulate}
        onChange={value => actions.edit(['agent', 'simulate'], value)}
      />
    </>
  );
}

export function LimitsForm({ definition }: Props): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const { limits } = definition;
  return (
    <>
      <NumberField
        label={trans.__('Cost')}
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
        unit={trans.__('tokens')}
        help={trans.__('Uncached input, cache writes and output over all turns.')}
        min={256}
        value={limits.max_tokens}
        onChange={value => actions.edit(['limits', 'max_tokens'], value)}
      />
      <NumberField
        label={trans.__('Time')}
        unit={trans.__('seconds')}
        help={trans.__('Running time; waiting in the queue or for a person does not count.')}
        min={1}
        value={limits.timeout_s}
        onChange={value => actions.edit(['limits', 'timeout_s'], value)}
      />
      <NumberField
        label={trans.__('Turns')}
        unit={trans.__('turns')}
        help={trans.__('Most model turns of one agent.')}
        min={1}
        value={limits.max_turns}
        onChange={value => actions.edit(['limits', 'max_turns'], value)}
      />
    </>
  );
}
