/**
 * The agent's finer settings: how it thinks and answers, what it may reach, and what it keeps.
 */
import { useEffect, useState } from 'react';

import type { Agent, Definition } from '../api/types';
import { useActions, useUi } from '../ui/context';

import { CheckField, NumberField, TextArea, TextField } from './fields';
import { FieldScope, useBinding } from './fieldScope';
import { LinesField, PairsField, SelectField } from './listFields';
import { RestartField } from './settings/QueueSection';

const AGENT = ['agent'];

interface Props {
  definition: Definition;
}

/** Whether both texts hold the same value, however they are laid out. */
function sameJson(a: string, b: string): boolean {
  try {
    return JSON.stringify(JSON.parse(a || 'null')) === JSON.stringify(JSON.parse(b || 'null'));
  } catch {
    return false;
  }
}

/** The schema of the answer, as text that need not be JSON yet; it is kept once it is. */
function SchemaField({ agent, edit }: { agent: Agent; edit: (value: unknown) => void }): JSX.Element {
  const { trans } = useUi();
  const kept = agent.output_schema === null ? '' : JSON.stringify(agent.output_schema, null, 2);
  const [text, setText] = useState(kept);
  const [wrong, setWrong] = useState<string | null>(null);
  // Undo and reload change the schema from outside.
  useEffect(() => {
    if (!sameJson(text, kept)) {
      setText(kept);
      setWrong(null);
    }
    // What somebody is writing is compared once it is kept, and not before.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [kept]);
  const change = (next: string) => {
    setText(next);
    try {
      const value: unknown = next.trim() === '' ? null : JSON.parse(next);
      if (value !== null && (typeof value !== 'object' || Array.isArray(value))) {
        throw new Error(trans.__('A schema is a JSON object.'));
      }
      setWrong(null);
      edit(value);
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <TextArea
        label={trans.__('Schema of the answer')}
        name="output_schema"
        help={trans.__('JSON Schema; the answer is then JSON that fits it. Empty: free text.')}
        code
        value={text}
        onChange={change}
      />
      {wrong && (
        <p className="ca-Field-bad" role="status">
          {trans.__('Not kept yet: %1', wrong)}
        </p>
      )}
    </>
  );
}

/** Folders of the server, one a line; those that tools may write end with an exclamation mark. */
function FoldersField({ agent, edit }: { agent: Agent; edit: (value: unknown) => void }): JSX.Element {
  const { trans } = useUi();
  const lines = agent.folders.map(folder => (folder.mode === 'write' ? `${folder.path} !` : folder.path));
  return (
    <LinesField
      label={trans.__('Folders it may read')}
      name="folders"
      help={trans.__(
        'Below the folder that Jupyter serves, one a line. With " !" behind it, it may write there too.'
      )}
      value={lines}
      onChange={next =>
        edit(
          next.map(line => ({
            path: line.replace(/\s*!$/, ''),
            mode: /\s!$/.test(line) ? 'write' : 'read'
          }))
        )
      }
    />
  );
}

export function AdvancedForm({ definition }: Props): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const { agent } = definition;
  const edit = (field: keyof Agent, value: unknown) => actions.edit(['agent', field], value);
  const bind = useBinding(AGENT, agent);
  return (
    <FieldScope path={AGENT}>
      <SelectField
        label={trans.__('Thinking')}
        {...bind('thinking')}
        options={[
          { value: 'auto', label: trans.__("the model's own way") },
          { value: 'off', label: trans.__('off, where the model lets one choose') }
        ]}
      />
      <SelectField
        label={trans.__('Effort')}
        name="effort"
        value={agent.effort ?? 'usual'}
        options={[
          { value: 'usual', label: trans.__("the model's own") },
          ...(['low', 'medium', 'high', 'xhigh', 'max'] as const).map(value => ({ value, label: value }))
        ]}
        onChange={value => edit('effort', value === 'usual' ? null : value)}
      />
      <NumberField
        label={trans.__('Longest reply')}
        {...bind('max_tokens')}
        unit={trans.__('tokens')}
        min={256}
      />
      <SchemaField agent={agent} edit={value => edit('output_schema', value)} />
      <SelectField
        label={trans.__('When it must ask and nobody can answer')}
        {...bind('on_ask_unattended')}
        help={trans.__('Programs that call with a key cannot be asked.')}
        options={[
          { value: 'fail', label: trans.__('tell the model, and go on') },
          { value: 'wait', label: trans.__('wait for a person') }
        ]}
      />
      <TextField
        label={trans.__('Notebook')}
        name="notebook"
        help={trans.__(
          'The notebook that its notebook tool works on, relative to the folder Jupyter serves.'
        )}
        placeholder={trans.__('none')}
        value={agent.notebook ?? ''}
        onChange={value => edit('notebook', value || null)}
      />
      <SelectField
        label={trans.__('Python runs in')}
        {...bind('kernel')}
        options={[
          { value: 'own', label: trans.__('a fresh kernel for each run') },
          { value: 'notebook', label: trans.__("that notebook's open kernel") }
        ]}
      />
      <FoldersField agent={agent} edit={value => edit('folders', value)} />
      <CheckField
        label={trans.__('Commands may use the network')}
        {...bind('network')}
        help={trans.__('Held where the machine has a sandbox; a run says where it has none.')}
      />
      <PairsField
        label={trans.__('Environment of its commands')}
        {...bind('env')}
        nameLabel={trans.__('Variable')}
        valueLabel={trans.__('Value')}
        help={trans.__('A value may name a secret of the project: {{secret:NAME}}.')}
        secret={name => `{{secret:${name}}}`}
      />
      <CheckField
        label={trans.__('Keep a memory between runs')}
        {...bind('memory')}
        help={trans.__('Gives it the tool memory: files of the project that the next run finds again.')}
      />
      <NumberField
        label={trans.__('Summarise from')}
        {...bind('compact_at_tokens')}
        unit={trans.__('tokens')}
        help={trans.__('Size of the conversation at which it is summarised.')}
        min={10_000}
      />
      <NumberField
        label={trans.__('Silence')}
        {...bind('stall_s')}
        unit={trans.__('seconds')}
        help={trans.__('Without a sign of life for so long, it asks or ends.')}
        min={10}
      />
      <RestartField definition={definition} />
    </FieldScope>
  );
}
