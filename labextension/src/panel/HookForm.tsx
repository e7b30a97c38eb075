/**
 * A hook: when it runs, for which tools, what it does, and what its failure means.
 */
import type { Definition, Hook } from '../api/types';
import { useActions, useProject, useUi } from '../ui/context';
import type { Translation } from '../ui/labels';

import { CheckField, NumberField, TextField } from './fields';
import { FieldScope, useBinding } from './fieldScope';
import { HookTry } from './HookTry';
import { LinesField, PairsField, SelectField } from './listFields';

type HookEvent = Hook['event'];

const EVENTS: HookEvent[] = [
  'PreToolUse',
  'PostToolUse',
  'PostToolUseFailure',
  'UserPromptSubmit',
  'Stop',
  'SubagentStart',
  'SubagentStop',
  'PreCompact',
  'SessionStart',
  'SessionEnd',
  'Notification',
  'Error'
];

/** When a hook runs, in words. */
export function hookEventLabel(trans: Translation, event: HookEvent): string {
  switch (event) {
    case 'PreToolUse':
      return trans.__('before a tool runs');
    case 'PostToolUse':
      return trans.__('after a tool has run');
    case 'PostToolUseFailure':
      return trans.__('after a tool has failed');
    case 'UserPromptSubmit':
      return trans.__('before the run begins');
    case 'Stop':
      return trans.__('when the agent is done');
    case 'SubagentStart':
      return trans.__('when a subagent begins');
    case 'SubagentStop':
      return trans.__('when a subagent is done');
    case 'PreCompact':
      return trans.__('before the conversation is summarised');
    case 'SessionStart':
      return trans.__('when the run starts');
    case 'SessionEnd':
      return trans.__('after the run');
    case 'Notification':
      return trans.__('when a person is waited for');
    case 'Error':
      return trans.__('when the run fails');
  }
}

/** What it may do there; undefined where it is only told. */
function hookPower(trans: Translation, event: HookEvent): string | undefined {
  switch (event) {
    case 'PreToolUse':
      return trans.__('It may refuse the call, or change it.');
    case 'UserPromptSubmit':
      return trans.__('It may refuse the prompt.');
    case 'Stop':
    case 'SubagentStop':
      return trans.__('It may send it on, with a reason.');
    default:
      return undefined;
  }
}

/** How a value names a secret. */
const asPlace = (name: string) => `{{secret:${name}}}`;

function ActionFields({
  hook,
  edit
}: {
  hook: Hook;
  edit: (field: string, value: unknown) => void;
}): JSX.Element {
  const { trans } = useUi();
  const { action } = hook;
  const secretHelp = trans.__('A value may name a secret of the project: {{secret:NAME}}.');
  return (
    <>
      <SelectField
        label={trans.__('What it does')}
        name="action"
        value={action.type}
        options={[
          { value: 'command', label: trans.__('run a program') },
          { value: 'http', label: trans.__('call an address') }
        ]}
        onChange={type =>
          edit('action', type === 'command' ? { type, command: [''] } : { type, url: '', headers: {} })
        }
      />
      {action.type === 'command' ? (
        <>
          <LinesField
            label={trans.__('Program and arguments')}
            name="action.command"
            help={trans.__(
              'One a line. It gets the event as JSON on its standard input; exit code 2 refuses, and what stands on standard error is the reason.'
            )}
            value={action.command}
            onChange={command => edit('action', { ...action, command: command.length ? command : [''] })}
          />
          <PairsField
            label={trans.__('Environment')}
            name="env"
            value={hook.env}
            onChange={env => edit('env', env)}
            nameLabel={trans.__('Variable')}
            valueLabel={trans.__('Value')}
            help={secretHelp}
            secret={asPlace}
          />
        </>
      ) : (
        <>
          <TextField
            label={trans.__('Address')}
            name="action.url"
            help={trans.__('Gets the event as JSON by POST.')}
            placeholder={trans.__('https://…')}
            value={action.url}
            onChange={url => edit('action', { ...action, url })}
          />
          <PairsField
            label={trans.__('Headers')}
            name="action.headers"
            nameLabel={trans.__('Header')}
            valueLabel={trans.__('Value')}
            help={secretHelp}
            secret={asPlace}
            value={action.headers}
            onChange={headers => edit('action', { ...action, headers })}
          />
        </>
      )}
    </>
  );
}

export function HookForm({ definition, index }: { definition: Definition; index: number }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const tools = useProject(state => state.tools);
  const hook = definition.hooks[index];
  const path = ['hooks', index];
  const edit = (field: string, value: unknown) => actions.edit([...path, field], value);
  const bind = useBinding(path, hook);
  const aboutTools = hook.event.includes('ToolUse');
  const guards = hook.event === 'PreToolUse';
  return (
    <FieldScope path={path}>
      <TextField
        label={trans.__('Name')}
        name="name"
        value={hook.name}
        onChange={name => actions.rename(`hook:${hook.id}`, name)}
      />
      <SelectField
        label={trans.__('When')}
        {...bind('event')}
        help={hookPower(trans, hook.event) ?? trans.__('It is told, and cannot refuse.')}
        options={EVENTS.map(value => ({ value, label: `${hookEventLabel(trans, value)} · ${value}` }))}
      />
      {aboutTools && (
        <TextField
          label={trans.__('For which tools')}
          {...bind('matcher')}
          help={trans.__('Names separated by |, * for anything; empty means all.')}
          placeholder={trans.__('all tools')}
          options={tools.map(tool => ({ value: tool.name, label: tool.touches }))}
        />
      )}
      <ActionFields key={hook.action.type} hook={hook} edit={edit} />
      <NumberField
        label={trans.__('Patience')}
        {...bind('timeout_s')}
        unit={trans.__('seconds')}
        help={trans.__('After this it counts as failed, and its processes are ended.')}
        min={1}
      />
      <SelectField
        label={trans.__('When it fails')}
        name="on_failure"
        help={
          guards && hook.on_failure === 'continue'
            ? trans.__('A guard that fails open guards nothing: choose this only for observers.')
            : undefined
        }
        value={hook.on_failure ?? 'usual'}
        options={[
          {
            value: 'usual',
            label: guards ? trans.__('as usual: refuse the call') : trans.__('as usual: go on')
          },
          { value: 'block', label: guards ? trans.__('refuse the call') : trans.__('stop the run') },
          { value: 'continue', label: trans.__('go on') }
        ]}
        onChange={value => edit('on_failure', value === 'usual' ? null : value)}
      />
      <CheckField label={trans.__('On')} {...bind('enabled')} />
      {/* Of another hook than the one that was tried, the answer says nothing. */}
      <HookTry key={JSON.stringify([hook.id, hook.event, hook.matcher, hook.action, hook.env])} hook={hook} />
    </FieldScope>
  );
}
