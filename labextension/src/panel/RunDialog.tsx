/**
 * "Run with…": everything that a run may be given, what it still needs first. The last values are there.
 */
import { useId } from 'react';

import type { Definition } from '../api/types';
import type { RunDraft, RunLimits } from '../stores/drafts';
import { hasTask, missingVariables } from '../stores/drafts';
import { needsPrompt, variablesToAsk, willSimulate } from '../stores/select';
import { useActions, useProject, useUi } from '../ui/context';
import { Dialog } from '../ui/Dialog';
import { moment, money } from '../ui/format';
import { Icon } from '../ui/Icon';

import { CheckField, Field, NumberField, TextArea, TextField } from './fields';
import { RunFiles } from './RunFiles';

interface PartProps {
  definition: Definition;
  draft: RunDraft;
  edit: (change: Partial<RunDraft>) => void;
}

function Variables({ definition, draft, edit, names }: PartProps & { names: string[] }): JSX.Element {
  const { trans } = useUi();
  return (
    <>
      {names.map(name => {
        const { description, default: usual } = definition.variables[name];
        return (
          <TextField
            key={name}
            label={name}
            help={description || undefined}
            placeholder={usual === null ? undefined : trans.__('%1 (default)', usual)}
            value={draft.variables[name] ?? ''}
            onChange={value => edit({ variables: { ...draft.variables, [name]: value } })}
          />
        );
      })}
    </>
  );
}

/** What it still needs; then what it may cost, by the lower of the project's cap and this run's. */
function Quote(props: { definition: Definition; draft: RunDraft; needed: string }): JSX.Element {
  const { trans } = useUi();
  const { definition, draft, needed } = props;
  const estimate = useProject(state => state.validation?.estimate ?? null);
  const simulate = useProject(willSimulate);
  const own = definition.limits.max_cost_usd;
  const wished = draft.limits.max_cost_usd;
  const cap = wished !== null && (own === null || wished < own) ? wished : own;
  const [low, high] = [estimate?.low_usd ?? null, estimate?.high_usd ?? null];
  const most = cap === null ? trans.__('no money limit') : trans.__('never more than %1', money(cap));
  return (
    <p className="ca-Dialog-note" role="status">
      {needed ||
        (simulate
          ? trans.__('Simulated model: nothing is charged.')
          : draft.replay
            ? trans.__('Played from a cassette: nothing is charged.')
            : low !== null && high !== null
              ? trans.__('About %1 to %2, %3.', money(low), money(high), most)
              : trans.__('The cost is not known beforehand; %1.', most))}
    </p>
  );
}

function Limits({ definition, draft, edit }: PartProps): JSX.Element {
  const { trans } = useUi();
  const { limits } = draft;
  const own = definition.limits;
  const set = (name: keyof RunLimits) => (value: number | null) =>
    edit({ limits: { ...limits, [name]: value } });
  const common = { min: 0, optional: true };
  return (
    <div className="ca-Dialog-grid">
      <NumberField
        {...common}
        label={trans.__('Cost at most')}
        unit={trans.__('US dollars')}
        step="any"
        value={limits.max_cost_usd}
        placeholder={own.max_cost_usd === null ? undefined : String(own.max_cost_usd)}
        onChange={set('max_cost_usd')}
      />
      <NumberField
        {...common}
        label={trans.__('Tokens at most')}
        unit={trans.__('tokens')}
        value={limits.max_tokens}
        placeholder={String(own.max_tokens)}
        onChange={set('max_tokens')}
      />
      <NumberField
        {...common}
        label={trans.__('Time at most')}
        unit={trans.__('seconds')}
        value={limits.timeout_s}
        placeholder={String(own.timeout_s)}
        onChange={set('timeout_s')}
      />
      <NumberField
        {...common}
        label={trans.__('Turns at most')}
        unit={trans.__('turns')}
        value={limits.max_turns}
        placeholder={String(own.max_turns)}
        onChange={set('max_turns')}
      />
    </div>
  );
}

function More({ draft, edit }: PartProps): JSX.Element {
  const { trans } = useUi();
  const id = useId();
  const versions = useProject(state => state.runs.versions);
  const cassettes = useProject(state => state.runs.cassettes);
  return (
    <>
      <Field
        id={`${id}-version`}
        label={trans.__('Version')}
        help={trans.__('What is drawn now is saved and run; an older version runs as it was.')}
      >
        <select
          id={`${id}-version`}
          value={draft.version ?? ''}
          onChange={event => edit({ version: event.target.value ? Number(event.target.value) : null })}
        >
          <option value="">{trans.__('As it is drawn now')}</option>
          {draft.version !== null && !versions?.some(each => each.version === draft.version) && (
            <option value={draft.version}>{trans.__('v%1', draft.version)}</option>
          )}
          {versions?.map(each => (
            <option key={each.version} value={each.version}>
              {[trans.__('v%1', each.version), each.label, moment(each.created_at)]
                .filter(Boolean)
                .join(' · ')}
            </option>
          ))}
        </select>
      </Field>
      <Field
        id={`${id}-replay`}
        label={trans.__('Cassette')}
        help={trans.__('Plays recorded replies in place of the model: no key, no cost.')}
      >
        <select
          id={`${id}-replay`}
          value={draft.replay ?? ''}
          disabled={!cassettes?.length}
          onChange={event => edit({ replay: event.target.value || null })}
        >
          <option value="">
            {cassettes?.length ? trans.__('None: ask the model') : trans.__('There are none yet')}
          </option>
          {cassettes?.map(each => (
            <option key={each.id} value={each.id}>
              {[
                moment(each.created_at),
                trans.__('v%1', each.version),
                trans._n('%1 reply', '%1 replies', each.replies, each.replies),
                each.tool_results === null ? trans.__('tools run') : trans.__('with tools')
              ].join(' · ')}
            </option>
          ))}
        </select>
      </Field>
      <CheckField
        label={trans.__('Step by step')}
        help={trans.__('Every tool call asks before it runs.')}
        value={draft.step}
        onChange={step => edit({ step })}
      />
    </>
  );
}

export function RunDialog({ definition }: { definition: Definition }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const draft = useProject(state => state.runs.draft);
  const uploading = useProject(state => state.runs.uploading);
  const edit = (change: Partial<RunDraft>) => actions.runs.edit(change);
  const first = variablesToAsk(definition);
  const others = Object.keys(definition.variables).filter(name => !first.includes(name));
  // A recording brings what it was asked for.
  const missing = draft.replay === null ? missingVariables(definition, draft) : [];
  const complete = missing.length === 0 && hasTask(definition, draft) && uploading === 0;
  const limited = Object.values(draft.limits).some(value => value !== null);
  const parts = { definition, draft, edit };
  const needed =
    missing.length > 0
      ? trans.__('Still needed: %1', missing.join(', '))
      : hasTask(definition, draft)
        ? ''
        : trans.__('Say what it shall do.');
  const prompt = (
    <TextArea
      label={trans.__('What shall it do?')}
      help={
        needsPrompt(definition)
          ? trans.__('The project has no task of its own.')
          : trans.__('Empty: the project’s own task.')
      }
      placeholder={definition.agent.task}
      value={draft.prompt}
      onChange={value => edit({ prompt: value })}
    />
  );
  return (
    <Dialog
      title={trans.__('Run %1', definition.name)}
      onClose={() => actions.stopAsking()}
      onSubmit={() => complete && void actions.runs.submit()}
      foot={
        <>
          <Quote definition={definition} draft={draft} needed={needed} />
          <button type="button" className="ca-Secondary" onClick={() => actions.stopAsking()}>
            {trans.__('Cancel')}
          </button>
          <button type="submit" className="ca-Run" disabled={!complete}>
            <Icon name="run" solid />
            {trans.__('Run')}
          </button>
        </>
      }
    >
      {needsPrompt(definition) && prompt}
      <Variables {...parts} names={first} />
      {!needsPrompt(definition) && prompt}
      <Variables {...parts} names={others} />
      <RunFiles />
      <details open={limited || undefined}>
        <summary>{trans.__('Limits')}</summary>
        <p className="ca-Field-help">
          {trans.__('For this run only; they can only be lower than the project’s own.')}
        </p>
        <Limits {...parts} />
      </details>
      <details open={draft.version !== null || draft.replay !== null || draft.step || undefined}>
        <summary>{trans.__('Version, cassette, steps')}</summary>
        <div className="ca-Dialog-more">
          <More {...parts} />
        </div>
      </details>
    </Dialog>
  );
}
