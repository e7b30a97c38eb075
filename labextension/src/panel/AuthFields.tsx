/**
 * Signing in to an MCP server: not at all, with a bearer token, with user and password, or with secrets under
 * names of their own.
 */
import { useState } from 'react';

import type { McpServer } from '../api/types';
import { useUi } from '../ui/context';
import { Icon } from '../ui/Icon';

import type { AuthKind } from './auth';
import { authOf, withAuth } from './auth';
import { Below, Framed, useControl } from './fieldScope';
import { SelectField } from './listFields';
import { SecretSelect } from './SecretMenu';

interface Props {
  mcp: McpServer;
  edit: (change: Partial<McpServer>) => void;
}

/** Which variable or header gets which secret. */
function Keys({ mcp, edit }: Props): JSX.Element {
  const { trans } = useUi();
  const stdio = mcp.transport === 'stdio';
  const nameLabel = stdio ? trans.__('Variable') : trans.__('Header');
  const control = useControl({ label: '', name: 'credentials' });
  const [rows, setRows] = useState<[string, string][]>(() => {
    const kept = Object.entries(mcp.credentials);
    return kept.length ? kept : [['', '']];
  });
  const complete = (all: [string, string][]) => Object.fromEntries(all.filter(([name]) => name));
  const same = JSON.stringify(complete(rows)) === JSON.stringify(mcp.credentials);
  const now = same ? rows : Object.entries(mcp.credentials);
  const write = (next: [string, string][]) => {
    setRows(next);
    edit({ credentials: complete(next) });
  };
  return (
    <fieldset className="ca-Pairs" data-field={control.path} aria-describedby={control.describedBy}>
      <legend>{stdio ? trans.__('Variables from secrets') : trans.__('Headers from secrets')}</legend>
      {now.map(([name, secret], at) => (
        <div key={at} className="ca-Pair">
          <input
            type="text"
            aria-label={nameLabel}
            placeholder={nameLabel}
            value={name}
            spellCheck={false}
            data-lm-suppress-shortcuts="true"
            onChange={event =>
              write(now.map((row, index) => (index === at ? [event.target.value, row[1]] : row)))
            }
          />
          <SecretSelect
            label={trans.__('Secret of %1', name || nameLabel)}
            value={secret}
            suggested={name}
            onPick={picked => write(now.map((row, index) => (index === at ? [row[0], picked] : row)))}
          />
          <button
            type="button"
            className="ca-Button"
            aria-label={trans.__('Remove %1', name || nameLabel)}
            onClick={() => write(now.filter((_, index) => index !== at))}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
      <button type="button" className="ca-Link" onClick={() => setRows([...now, ['', '']])}>
        {trans.__('+ Add')}
      </button>
      <Below control={control} />
    </fieldset>
  );
}

function Token({ mcp, edit, kind }: Props & { kind: 'bearer' | 'basic' }): JSX.Element {
  const { trans } = useUi();
  const label = kind === 'bearer' ? trans.__('Token') : trans.__('User and password');
  const control = useControl({
    label,
    help:
      kind === 'bearer'
        ? trans.__('The secret that holds the token. Only this server gets it.')
        : trans.__('The secret that holds both, as HTTP sends them; a new one is made of the two.')
  });
  return (
    <Framed label={label} control={control}>
      <SecretSelect
        id={control.id}
        label={label}
        shape={kind === 'basic' ? 'basic' : 'value'}
        suggested={`${mcp.id.replace(/-/g, '_').toUpperCase()}_${kind === 'basic' ? 'LOGIN' : 'TOKEN'}`}
        value={authOf(mcp).secret}
        onPick={secret => edit(withAuth(mcp, { kind, secret }))}
      />
    </Framed>
  );
}

export function AuthFields({ mcp, edit }: Props): JSX.Element {
  const { trans } = useUi();
  const { kind } = authOf(mcp);
  const [wanted, setWanted] = useState<AuthKind>(kind);
  // A sign-in without a secret is only a wish; the definition holds it once one is chosen.
  const shown = kind === 'none' ? wanted : kind;
  const stdio = mcp.transport === 'stdio';
  const options: { value: AuthKind; label: string }[] = [
    { value: 'none', label: trans.__('none') },
    ...(stdio
      ? []
      : [
          { value: 'bearer' as const, label: trans.__('bearer token') },
          { value: 'basic' as const, label: trans.__('user and password (basic)') }
        ]),
    { value: 'keys', label: stdio ? trans.__('secrets as variables') : trans.__('secrets as headers') }
  ];
  return (
    <>
      <SelectField
        label={trans.__('Sign-in')}
        help={trans.__('What proves you to the server. It is read from secrets, never from the definition.')}
        value={shown}
        options={options}
        onChange={next => {
          setWanted(next);
          edit(withAuth(mcp, { kind: next, secret: '' }));
        }}
      />
      {(shown === 'bearer' || shown === 'basic') && <Token mcp={mcp} edit={edit} kind={shown} />}
      {shown === 'keys' && <Keys mcp={mcp} edit={edit} />}
    </>
  );
}
