/**
 * The project's keys for programs outside Jupyter: made once, shown once, revoked at once.
 */
import { useState } from 'react';

import type { KeyRow, Scope } from '../../api/types';
import { useProject, useUi } from '../../ui/context';
import { Copy } from '../../ui/Copy';
import { ago, dateAndTime } from '../../ui/dates';
import type { Translation } from '../../ui/labels';
import { useLoaded, useTask } from '../../ui/useLoaded';
import { CheckField, TextField } from '../fields';

import { AddButton, Entry, EntryButton, Inset, Trouble } from './parts';

function scopeLabel(trans: Translation, scope: Scope): string {
  switch (scope) {
    case 'read':
      return trans.__('read');
    case 'execute':
      return trans.__('run');
    case 'approve':
      return trans.__('approve');
  }
}

/** The text of a new key, the only time that it is shown. */
export function FreshKey({ text, onDone }: { text: string; onDone: () => void }): JSX.Element {
  const { trans } = useUi();
  return (
    <div className="ca-Inset ca-FreshKey" role="status">
      <strong>{trans.__('Copy this key now: it will not be shown again.')}</strong>
      <code>{text}</code>
      <div className="ca-Inset-buttons">
        <Copy text={text} label={trans.__('Copy the key')} />
        <button type="button" className="ca-Secondary" onClick={onDone}>
          {trans.__('Done')}
        </button>
      </div>
    </div>
  );
}

function KeyForm(props: { onMade: (text: string) => void; onCancel: () => void }): JSX.Element {
  const { trans, client } = useUi();
  const project = useProject(state => state.projectId);
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState<readonly Scope[]>(['read', 'execute']);
  const { busy, trouble, run } = useTask();
  const choose = (scope: Scope, on: boolean) =>
    setScopes(on ? [...scopes, scope] : scopes.filter(each => each !== scope));
  const make = () =>
    run(async () => props.onMade((await client.admin.createKey(project, name.trim(), scopes)).api_key));
  return (
    <Inset
      accept={trans.__('Make the key')}
      complete={name.trim() !== '' && scopes.length > 0}
      busy={busy}
      trouble={trouble}
      onAccept={() => void make()}
      onCancel={props.onCancel}
    >
      <TextField
        label={trans.__('Name')}
        help={trans.__('Who will use it: a program, a colleague, a service.')}
        value={name}
        onChange={setName}
      />
      <fieldset className="ca-Choices">
        <legend>{trans.__('What it may do')}</legend>
        <CheckField
          label={trans.__('Read executions, events and files')}
          value={scopes.includes('read')}
          onChange={on => choose('read', on)}
        />
        <CheckField
          label={trans.__('Run and cancel')}
          value={scopes.includes('execute')}
          onChange={on => choose('execute', on)}
        />
        <CheckField
          label={trans.__('Approve tool calls that wait')}
          help={trans.__('Lets a program say yes where a person would be asked.')}
          value={scopes.includes('approve')}
          onChange={on => choose('approve', on)}
        />
      </fieldset>
    </Inset>
  );
}

function KeyItem({ row, onChanged }: { row: KeyRow; onChanged: () => void }): JSX.Element {
  const { trans, client, shell } = useUi();
  const project = useProject(state => state.projectId);
  const { trouble, run } = useTask();
  const revoke = async () => {
    const sure = await shell.confirm({
      title: trans.__('Revoke the key "%1"?', row.name),
      body: trans.__('Programs that use it are refused at once. It cannot be brought back.'),
      accept: trans.__('Revoke'),
      danger: true
    });
    if (sure && (await run(() => client.admin.revokeKey(project, row.id)))) {
      onChanged();
    }
  };
  const used = row.last_used_at ? trans.__('used %1', ago(row.last_used_at)) : trans.__('never used');
  return (
    <Entry
      name={
        <strong className="ca-Clip" title={row.name}>
          {row.name}
        </strong>
      }
      facts={[trans.__('made %1', ago(row.created_at)), used]}
      exact={
        row.last_used_at
          ? trans.__('Last used %1', dateAndTime(row.last_used_at))
          : trans.__('Made %1', dateAndTime(row.created_at))
      }
      chips={row.scopes.map(scope => (
        <span key={scope} className="ca-Chip" data-scope={scope}>
          {scopeLabel(trans, scope)}
        </span>
      ))}
      buttons={
        <EntryButton
          icon="trash"
          label={trans.__('Revoke %1', row.name)}
          title={trans.__('Revoke')}
          onClick={() => void revoke()}
        />
      }
      trouble={trouble}
    />
  );
}

/** `onKey`: what is done with the text of a key that was just made, besides showing it. */
export function KeysSection({ onKey }: { onKey?: (text: string) => void }): JSX.Element {
  const { trans, client } = useUi();
  const project = useProject(state => state.projectId);
  const { data, trouble, reload } = useLoaded(() => client.admin.keys(project), project);
  const [making, setMaking] = useState(false);
  const [fresh, setFresh] = useState<string | null>(null);
  return (
    <section className="ca-Section" aria-label={trans.__('Keys')}>
      <p className="ca-Field-help">
        {trans.__(
          'Programs outside Jupyter show one in the header X-API-Key. It opens this project and nothing else.'
        )}
      </p>
      <Trouble text={trouble} onRetry={reload} />
      {fresh && <FreshKey text={fresh} onDone={() => setFresh(null)} />}
      {data && data.items.length > 0 && (
        <ul className="ca-Entries">
          {data.items.map(row => (
            <KeyItem key={row.id} row={row} onChanged={reload} />
          ))}
        </ul>
      )}
      {data?.items.length === 0 && (
        <p className="ca-Field-help">{trans.__('None: no program outside Jupyter can call this project.')}</p>
      )}
      {making ? (
        <KeyForm
          onCancel={() => setMaking(false)}
          onMade={text => {
            setMaking(false);
            setFresh(text);
            onKey?.(text);
            reload();
          }}
        />
      ) : (
        <AddButton label={trans.__('Make a key')} onClick={() => setMaking(true)} />
      )}
    </section>
  );
}
