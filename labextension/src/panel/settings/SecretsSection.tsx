/**
 * The project's secrets: names, dates and who uses them. A value goes in and never comes out.
 */
import { useId, useState } from 'react';

import type { Definition, SecretRow } from '../../api/types';
import { secretUses } from '../../graph/secrets';
import { useActions, useProject, useUi } from '../../ui/context';
import { ago, dateAndTime } from '../../ui/dates';
import { Icon } from '../../ui/Icon';
import { useLoaded, useTask } from '../../ui/useLoaded';
import { Field } from '../fields';

import { AddButton, Entry, EntryButton, Inset, Trouble } from './parts';

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** The secret that calls of the model are paid with. */
const MODEL_KEY = 'ANTHROPIC_API_KEY';

/** Asks for a value, and for a name where it is a new secret. */
function SecretForm(props: {
  name: string | null;
  suggested?: string;
  /** Names that are taken: keeping one of them replaces its value. */
  known?: readonly string[];
  onKept: () => void;
  onCancel: () => void;
}): JSX.Element {
  const { trans, client } = useUi();
  const project = useProject(state => state.projectId);
  const id = useId();
  const [name, setName] = useState(props.name ?? props.suggested ?? '');
  const [value, setValue] = useState('');
  const { busy, trouble, run } = useTask();
  const replaces = props.name !== null || (props.known ?? []).includes(name);
  const keep = async () => {
    if (await run(() => client.admin.setSecret(project, name, value))) {
      props.onKept();
    }
  };
  return (
    <Inset
      accept={replaces ? trans.__('Replace') : trans.__('Keep')}
      complete={NAME.test(name) && value !== ''}
      busy={busy}
      trouble={trouble}
      onAccept={() => void keep()}
      onCancel={props.onCancel}
    >
      {props.name === null && (
        <Field
          id={`${id}-name`}
          label={trans.__('Name')}
          help={
            replaces
              ? trans.__('%1 is kept already: its value is replaced, and cannot be brought back.', name)
              : trans.__('As an environment variable: letters, digits and underscores.')
          }
        >
          {/* The person has just asked to write here. */}
          {/* eslint-disable jsx-a11y/no-autofocus */}
          <input
            id={`${id}-name`}
            type="text"
            value={name}
            pattern={NAME.source}
            autoComplete="off"
            autoFocus={!props.suggested}
            spellCheck={false}
            aria-describedby={`${id}-name-help`}
            data-lm-suppress-shortcuts="true"
            onChange={event => setName(event.target.value)}
          />
        </Field>
      )}
      <Field
        id={`${id}-value`}
        label={props.name === null ? trans.__('Value') : trans.__('New value of %1', props.name)}
        help={trans.__('Encrypted on the server. Nobody can read it back, here or elsewhere.')}
      >
        <input
          id={`${id}-value`}
          type="password"
          value={value}
          autoComplete="new-password"
          autoFocus={props.name !== null || Boolean(props.suggested)}
          aria-describedby={`${id}-value-help`}
          data-lm-suppress-shortcuts="true"
          onChange={event => setValue(event.target.value)}
        />
        {/* eslint-enable jsx-a11y/no-autofocus */}
      </Field>
    </Inset>
  );
}

function SecretItem(props: { row: SecretRow; users: readonly string[]; onChanged: () => void }): JSX.Element {
  const { trans, client, shell } = useUi();
  const project = useProject(state => state.projectId);
  const [replacing, setReplacing] = useState(false);
  const { trouble, run } = useTask();
  const { row, users, onChanged } = props;
  const forget = async () => {
    const used =
      row.name === MODEL_KEY
        ? trans.__('Runs call the model with it.')
        : users.length
          ? trans.__('%1 uses it and will not start without it.', users.join(', '))
          : trans.__('Nothing here names it.');
    const sure = await shell.confirm({
      title: trans.__('Delete the secret %1?', row.name),
      body: [used, trans.__('Its value cannot be brought back.')].join(' '),
      accept: trans.__('Delete'),
      danger: true
    });
    if (sure && (await run(() => client.admin.deleteSecret(project, row.name)))) {
      onChanged();
    }
  };
  const facts = [
    row.updated_at === row.created_at
      ? trans.__('kept %1', ago(row.created_at))
      : trans.__('replaced %1', ago(row.updated_at)),
    row.name === MODEL_KEY
      ? trans.__('used to call the model')
      : users.length
        ? trans.__('used by %1', users.join(', '))
        : trans.__('not used')
  ];
  return (
    <Entry
      name={
        <code className="ca-Clip" title={row.name}>
          {row.name}
        </code>
      }
      facts={facts}
      exact={trans.__('Kept %1', dateAndTime(row.created_at))}
      buttons={
        <>
          <EntryButton
            icon="refresh"
            label={trans.__('Replace %1', row.name)}
            title={trans.__('Replace its value')}
            disabled={row.locked}
            onClick={() => setReplacing(true)}
          />
          <EntryButton
            icon="trash"
            label={trans.__('Delete %1', row.name)}
            title={trans.__('Delete')}
            disabled={row.locked}
            onClick={() => void forget()}
          />
        </>
      }
      trouble={trouble}
    >
      {row.locked && (
        <p className="ca-Entry-warning">
          <Icon name="warning" />
          {trans.__(
            'Locked: the server does not have the key that it was encrypted with. Give that key back to the server, as the operators’ guide says.'
          )}
        </p>
      )}
      {replacing && (
        <SecretForm
          name={row.name}
          onCancel={() => setReplacing(false)}
          onKept={() => {
            setReplacing(false);
            onChanged();
          }}
        />
      )}
    </Entry>
  );
}

export function SecretsSection({ definition }: { definition: Definition }): JSX.Element {
  const { trans, client } = useUi();
  const project = useProject(state => state.projectId);
  const actions = useActions();
  const { data, trouble, reload } = useLoaded(() => client.admin.secrets(project), project);
  const changed = () => {
    reload();
    void actions.secretsChanged();
  };
  const [adding, setAdding] = useState<string | null>(null);
  const uses = secretUses(definition);
  const missing = [...uses.keys()].filter(name => data && !data.items.some(row => row.name === name));
  return (
    <section className="ca-Section" aria-label={trans.__('Secrets')}>
      <p className="ca-Field-help">
        {trans.__(
          'Values that MCP servers and hooks need and no model may see. Name one as {{secret:NAME}} in their environment or headers.'
        )}
      </p>
      <Trouble text={trouble} onRetry={reload} />
      {missing.map(name => (
        <p key={name} className="ca-Entry-warning">
          <Icon name="warning" />
          <span>
            {trans.__('%1 names %2, which is not kept here.', uses.get(name)!.join(', '), name)}{' '}
            <button
              type="button"
              className="ca-Link"
              aria-label={trans.__('Add it: %1', name)}
              onClick={() => setAdding(name)}
            >
              {trans.__('Add it')}
            </button>
          </span>
        </p>
      ))}
      {data && data.items.length > 0 && (
        <ul className="ca-Entries">
          {data.items.map(row => (
            <SecretItem key={row.name} row={row} users={uses.get(row.name) ?? []} onChanged={changed} />
          ))}
        </ul>
      )}
      {data?.items.length === 0 && adding === null && (
        <p className="ca-Field-help">
          {trans.__('None yet. A project’s own model key goes here as ANTHROPIC_API_KEY.')}
        </p>
      )}
      {adding === null ? (
        <AddButton label={trans.__('Add a secret')} onClick={() => setAdding('')} />
      ) : (
        <SecretForm
          key={adding}
          name={null}
          suggested={adding}
          known={data?.items.map(row => row.name)}
          onCancel={() => setAdding(null)}
          onKept={() => {
            setAdding(null);
            changed();
          }}
        />
      )}
    </section>
  );
}
