/**
 * An MCP server: how it is reached, what it may know, and which of its tools may be called.
 */
import { useRef } from 'react';

import type { Definition, McpServer } from '../api/types';
import { useActions, useUi } from '../ui/context';
import { newName } from '../ui/labels';

import { plainHeaders, signingHeaders } from './auth';
import { AuthFields } from './AuthFields';
import { CheckField, NumberField, TextField } from './fields';
import { FieldScope, useBinding } from './fieldScope';
import { LinesField, PairsField, SelectField } from './listFields';
import { McpTest } from './McpTest';

/** A program line as people paste it: words, and what stands in quotes. */
export function wordsOf(line: string): string[] {
  const found = line.match(/"[^"]*"|'[^']*'|\S+/g) ?? [];
  return found.map(word => word.replace(/^(["'])(.*)\1$/, '$2'));
}

/** How a value names a secret. */
const asPlace = (name: string) => `{{secret:${name}}}`;

interface Preset {
  id: string;
  label: string;
  /** What the server is called, where that is known beforehand. */
  name?: string;
  server: Partial<McpServer>;
}

function usePresets(): Preset[] {
  const { trans } = useUi();
  return [
    {
      id: 'time',
      label: trans.__('Time (mcp-server-time)'),
      name: trans.__('Time'),
      server: { transport: 'stdio', command: 'mcp-server-time', args: [], url: null }
    },
    {
      id: 'git',
      label: trans.__('Git (mcp-server-git)'),
      name: trans.__('Git'),
      server: { transport: 'stdio', command: 'mcp-server-git', args: [], url: null }
    },
    {
      id: 'browser',
      label: trans.__('Browser (Playwright, by npx)'),
      name: trans.__('Browser'),
      server: { transport: 'stdio', command: 'npx', args: ['-y', '@playwright/mcp@latest'], url: null }
    },
    {
      id: 'npx',
      label: trans.__('A package of npm, by npx'),
      server: { transport: 'stdio', command: 'npx', args: ['-y', ''], url: null }
    },
    {
      id: 'uvx',
      label: trans.__('A package of PyPI, by uvx'),
      server: { transport: 'stdio', command: 'uvx', args: [''], url: null }
    },
    {
      id: 'address',
      label: trans.__('An address'),
      server: { transport: 'http', command: null, args: [], url: 'http://' }
    }
  ];
}

function ReachFields({
  mcp,
  edit
}: {
  mcp: McpServer;
  edit: (change: Partial<McpServer>) => void;
}): JSX.Element {
  const { trans } = useUi();
  const typed = useRef(false);
  const secretHelp = trans.__('A value may name a secret of the project: {{secret:NAME}}.');
  if (mcp.transport !== 'stdio') {
    return (
      <>
        <TextField
          label={trans.__('Address')}
          name="url"
          placeholder={trans.__('https://…')}
          value={mcp.url ?? ''}
          onChange={url => edit({ url: url || null })}
        />
        <PairsField
          label={trans.__('Headers')}
          name="headers"
          nameLabel={trans.__('Header')}
          valueLabel={trans.__('Value')}
          help={secretHelp}
          secret={asPlace}
          value={plainHeaders(mcp)}
          onChange={headers => edit({ headers: { ...signingHeaders(mcp), ...headers } })}
        />
      </>
    );
  }
  return (
    <>
      <TextField
        label={trans.__('Program')}
        name="command"
        help={trans.__(
          'A whole command may be written here: its words become arguments. Quote a path with spaces.'
        )}
        placeholder={trans.__('program')}
        value={mcp.command ?? ''}
        onChange={text => {
          typed.current = true;
          edit({ command: text || null });
        }}
        onDone={() => {
          // Not before: what is typed word by word would go to the arguments letter by letter.
          const words = typed.current ? wordsOf(mcp.command ?? '') : null;
          typed.current = false;
          if (words && words[0] !== mcp.command) {
            edit({ command: words[0] ?? null, args: [...words.slice(1), ...mcp.args] });
          }
        }}
      />
      <LinesField
        label={trans.__('Arguments')}
        name="args"
        value={mcp.args}
        onChange={args => edit({ args })}
        help={trans.__('One a line.')}
      />
      <PairsField
        label={trans.__('Environment')}
        name="env"
        value={mcp.env}
        onChange={env => edit({ env })}
        nameLabel={trans.__('Variable')}
        valueLabel={trans.__('Value')}
        help={secretHelp}
        secret={asPlace}
      />
    </>
  );
}

/** What a test was about: of another server its answer says nothing. */
function reachOf(mcp: McpServer): string {
  const { id, transport, command, args, env, url, headers, credentials } = mcp;
  return JSON.stringify([id, transport, command, args, env, url, headers, credentials]);
}

export function McpForm({ definition, index }: { definition: Definition; index: number }): JSX.Element {
  const { trans } = useUi();
  const actions = useActions();
  const presets = usePresets();
  const mcp = definition.mcps[index];
  const path = ['mcps', index];
  const edit = (change: Partial<McpServer>) => actions.edit(path, { ...mcp, ...change });
  const bind = useBinding(path, mcp);
  const empty = !mcp.command && !mcp.url;
  const unnamed = mcp.name.replace(/ \d+$/, '') === newName(trans, 'mcp');
  const begin = ({ name, server }: Preset) => {
    if (name && unnamed && !definition.mcps.some(each => each.name === name)) {
      actions.rename(`mcp:${mcp.id}`, name, server);
    } else {
      edit(server);
    }
  };
  return (
    <FieldScope path={path}>
      <TextField
        label={trans.__('Name')}
        name="name"
        value={mcp.name}
        onChange={name => actions.rename(`mcp:${mcp.id}`, name)}
      />
      {empty && (
        <SelectField
          label={trans.__('Begin with')}
          value=""
          options={[
            { value: '', label: trans.__('choose …') },
            ...presets.map(({ id, label }) => ({ value: id, label }))
          ]}
          onChange={id => {
            const preset = presets.find(each => each.id === id);
            if (preset) {
              begin(preset);
            }
          }}
        />
      )}
      <SelectField
        label={trans.__('Reached by')}
        {...bind('transport')}
        options={[
          { value: 'stdio', label: trans.__('a program on this machine') },
          { value: 'http', label: trans.__('an address (streamable HTTP)') },
          { value: 'sse', label: trans.__('an address (SSE, the older way)') }
        ]}
      />
      <ReachFields key={mcp.transport} mcp={mcp} edit={edit} />
      <AuthFields key={`${mcp.id} ${mcp.transport}`} mcp={mcp} edit={edit} />
      <McpTest key={reachOf(mcp)} mcp={mcp} onTools={names => edit({ enabled_tools: names })} />
      <LinesField
        label={trans.__('Tools that may be called')}
        name="enabled_tools"
        help={trans.__('One a line; empty means all.')}
        value={mcp.enabled_tools ?? []}
        onChange={names => edit({ enabled_tools: names.length ? names : null })}
      />
      <NumberField
        label={trans.__('Patience')}
        name="timeout_s"
        unit={trans.__('seconds')}
        help={trans.__('How long one call may take.')}
        min={1}
        value={mcp.timeout_s}
        onChange={value => value !== null && edit({ timeout_s: value })}
      />
      <CheckField
        label={trans.__('Essential')}
        {...bind('essential')}
        help={trans.__('Its failure ends the whole run.')}
      />
      <CheckField label={trans.__('Connected')} {...bind('enabled')} />
    </FieldScope>
  );
}
