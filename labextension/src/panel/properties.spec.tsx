import { act, fireEvent, screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import type { Backtest, ModelRow, Validation } from '../api/types';
import { filledIn, placesIn, previewValues } from '../graph/prompts';
import { fieldAt } from '../stores/fieldDocs';
import { shownDefinition } from '../stores/select';
import { NO_ESTIMATE, sampleDefinition, sampleProject } from '../testing/definition';
import { json } from '../testing/server';
import { openTab, trans } from '../testing/tab';
import { useProject } from '../ui/context';
import { authOf, plainHeaders, withAuth } from './auth';
import { verdictOf } from './HookTry';
import { Properties } from './Properties';
import { basicValue } from './SecretMenu';
import { fieldOf, pageOf } from './useWantedField';

const ID = sampleProject().id;
const Live = () => <Properties definition={useProject(shownDefinition)!} />;

describe('placeholders of a prompt', () => {
  it('are declared, built in, unknown, or a secret that no prompt may hold', () => {
    const text = '{{file}} {{ timestamp }} {{flie}} {{secret:KEY}} {{ not one }} {x}';
    expect(placesIn(text, new Set(['file'])).map(each => [each.name, each.kind])).toEqual([
      ['file', 'known'],
      ['timestamp', 'built-in'],
      ['flie', 'unknown'],
      ['KEY', 'secret']
    ]);
  });

  it('are filled in from the last run, else from defaults, and stay where they have no value', () => {
    const definition = sampleDefinition();
    definition.variables = {
      file: { description: '', default: 'a.csv', required: true },
      topic: { description: '', default: null, required: true }
    };
    const values = previewValues(definition, { file: 'b.csv' });
    const pieces = filledIn('Read {{file}} of {{project_name}} on {{topic}}.', values);
    expect(pieces.map(each => each.text).join('')).toBe('Read b.csv of Sales analyst on {{topic}}.');
    expect(pieces.filter(each => !each.filled).map(each => each.name)).toEqual(['topic']);
  });
});

describe('the sign-in of a server', () => {
  const http = { transport: 'http' as const, headers: { 'X-Team': 'a' }, credentials: {} };

  it('is read from its headers and credentials', () => {
    expect(authOf(http).kind).toBe('none');
    const bearer = { ...http, headers: { authorization: 'Bearer {{secret:T}}' } };
    expect(authOf(bearer)).toEqual({ kind: 'bearer', secret: 'T' });
    expect(authOf({ ...http, headers: { Authorization: 'Basic {{ secret:L }}' } }).kind).toBe('basic');
    expect(authOf({ ...http, headers: { Authorization: 'Digest x' } }).kind).toBe('none');
    expect(authOf({ ...http, credentials: { 'X-Key': 'K' } }).kind).toBe('keys');
    expect(authOf({ ...bearer, transport: 'stdio' }).kind).toBe('none');
  });

  it('is written without touching other headers, and not before there is a secret', () => {
    const signed = withAuth(http, { kind: 'bearer', secret: 'T' });
    expect(signed.headers).toEqual({ 'X-Team': 'a', Authorization: 'Bearer {{secret:T}}' });
    expect(plainHeaders({ ...http, ...signed })).toEqual({ 'X-Team': 'a' });
    expect(withAuth({ ...http, ...signed }, { kind: 'none', secret: '' }).headers).toEqual({ 'X-Team': 'a' });
    expect(withAuth(http, { kind: 'bearer', secret: '' }).headers).toEqual({ 'X-Team': 'a' });
  });

  it('with user and password is one secret, as HTTP sends it', () => {
    expect(basicValue('ann', 'pässword')).toBe('YW5uOnDDpHNzd29yZA==');
  });
});

describe('a field of the definition', () => {
  const docs = {
    Definition: {
      properties: {
        agent: { $ref: '#/components/schemas/Agent' },
        hooks: { items: { $ref: '#/components/schemas/Hook' } },
        variables: { patternProperties: { '^x': { properties: { default: { description: 'D' } } } } }
      }
    },
    Agent: { properties: { model: { description: 'Which model.' } } },
    Hook: { properties: { action: { oneOf: [{ $ref: '#/x/Command' }, { $ref: '#/x/Http' }] } } },
    Command: { properties: { command: { description: 'Program.' } } },
    Http: { properties: { url: { description: 'Address.' } } }
  };

  it('has its text from the schema, through references, lists, choices and maps', () => {
    expect(fieldAt(docs, ['agent', 'model'])?.description).toBe('Which model.');
    expect(fieldAt(docs, ['hooks', 3, 'action', 'url'])?.description).toBe('Address.');
    expect(fieldAt(docs, ['variables', 'file', 'default'])?.description).toBe('D');
    expect(fieldAt(docs, ['nothing', 'such'])).toBeUndefined();
  });

  it('shows the served help line where the form brings none', async () => {
    const tab = openTab({
      state: { selected: 'agent' },
      routes: { 'GET openapi.json': () => json({ components: { schemas: docs } }) }
    });
    docs.Agent.properties = {
      ...docs.Agent.properties,
      name: { description: 'What the `card` says.' }
    } as never;
    tab.show(<Live />);
    expect(await screen.findByText('What the card says.')).toBeTruthy();
    expect(screen.getByLabelText('Name').getAttribute('aria-describedby')).toBeTruthy();
  });

  it('says what the check found about it, and is where a problem leads', async () => {
    const validation: Validation = {
      ok: false,
      credentials: 'none',
      estimate: NO_ESTIMATE,
      problems: [
        { severity: 'error', code: 'X', node: 'agent', path: 'agent.tools.1', message: 'No such tool.' }
      ]
    };
    const tab = openTab({ state: { validation } });
    const { container } = tab.show(<Live />);
    act(() => tab.actions.mend(validation.problems[0]));
    expect(screen.getByRole('tab', { selected: true }).textContent).toBe('Tools');
    await waitFor(() => expect(document.activeElement?.closest('[data-field]')).not.toBeNull());
    expect(fieldOf(container, 'agent.tools.1')?.textContent).toContain('No such tool.');
    expect(pageOf('mcps.2.url')).toBe('mcp');
    expect(pageOf('agent.env.X')).toBe('advanced');
    expect(pageOf('limits.max_tokens')).toBe('limits');
  });
});

describe('undo', () => {
  it('takes back a property as it takes back a card, from inside the form', () => {
    const tab = openTab({ state: { selected: 'hook:guard' } });
    tab.show(<Live />);
    const name = screen.getByLabelText('Name');
    fireEvent.change(name, { target: { value: 'Other' } });
    fireEvent.keyDown(name, { key: 'z', ctrlKey: true });
    expect(tab.state().history!.definition.hooks[0].name).toBe('No deletes');
    fireEvent.keyDown(name, { key: 'y', ctrlKey: true });
    expect(tab.state().history!.definition.hooks[0].name).toBe('Other');
  });
});

describe('the model picker', () => {
  const model = (id: string, more: Partial<ModelRow> = {}): ModelRow => ({
    id,
    name: id,
    context_window: 1_000_000,
    max_output_tokens: 128_000,
    price: { input: 4, output: 20, cache_read: 0.4, cache_write_5m: 5 },
    thinking: 'always',
    efforts: [],
    sees: true,
    ...more
  });

  it('lists price, size and abilities, and takes an id that is not there', () => {
    const items = [model('claude-opus-5-5'), model('small', { price: null, sees: false, thinking: 'never' })];
    const models = { items, credentials: 'none' as const, base_url: null, next_cursor: null };
    const tab = openTab({ state: { selected: 'agent', models } });
    tab.show(<Live />);
    const field = screen.getByRole('combobox', { name: 'Model' });
    fireEvent.click(field);
    const texts = screen.getAllByRole('option').map(each => each.textContent);
    expect(texts[0]).toContain('$4.00 / $20.00');
    expect(texts[0]).toContain('1M context · 128k reply · always thinks · sees pictures');
    expect(texts[1]).toContain('price unknown');
    expect(texts[1]).not.toContain('pictures');
    fireEvent.keyDown(field, { key: 'ArrowDown' });
    fireEvent.keyDown(field, { key: 'Enter' });
    expect(tab.state().history!.definition.agent.model).toBe('small');
    fireEvent.change(field, { target: { value: 'house/own' } });
    expect(tab.state().history!.definition.agent.model).toBe('house/own');
    expect(screen.getByText(/Not among the models/)).toBeTruthy();
  });
});

describe('permissions', () => {
  it('take rules for some calls beside those of whole tools', () => {
    const tools = [
      {
        name: 'bash',
        description: '',
        touches: 'the workspace',
        read_only: false,
        default_permission: 'ask' as const,
        input_schema: {},
        source: 'builtin'
      }
    ];
    const tab = openTab({ state: { selected: 'agent', tools } });
    tab.show(<Live />);
    fireEvent.click(screen.getByRole('tab', { name: 'Tools' }));
    fireEvent.click(screen.getByText('+ Add a rule'));
    fireEvent.change(screen.getByLabelText('Rule'), { target: { value: 'bash(git *)' } });
    fireEvent.change(screen.getByLabelText('Permission of bash(git *)'), { target: { value: 'allow' } });
    expect(tab.state().history!.definition.agent.permissions).toEqual({
      bash: 'ask',
      'bash(git *)': 'allow'
    });
    fireEvent.click(screen.getByLabelText('Remove bash(git *)'));
    expect(tab.state().history!.definition.agent.permissions).toEqual({ bash: 'ask' });
  });
});

describe('secrets', () => {
  it('are picked by name, or made in place, for a variable of a server', async () => {
    const names: string[] = ['OLD'];
    const tab = openTab({
      state: { selected: 'mcp:time' },
      routes: {
        [`GET projects/${ID}/secrets`]: () =>
          json({ items: names.map(name => ({ name, locked: false })), next_cursor: null }),
        [`POST projects/${ID}/secrets`]: ({ body }) => {
          names.push((body as { name: string }).name);
          return json({}, { status: 201 });
        }
      }
    });
    tab.show(<Live />);
    fireEvent.change(screen.getByLabelText('Sign-in'), { target: { value: 'keys' } });
    fireEvent.change(await screen.findByLabelText('Variable'), { target: { value: 'TOKEN' } });
    const secret = await screen.findByLabelText('Secret of TOKEN');
    fireEvent.change(secret, { target: { value: '+' } });
    expect(screen.getByLabelText<HTMLInputElement>('Name of the secret').value).toBe('TOKEN');
    fireEvent.change(screen.getByLabelText('Value'), { target: { value: 'hush-hush' } });
    fireEvent.click(screen.getByText('Keep'));
    await waitFor(() =>
      expect(tab.state().history!.definition.mcps[0].credentials).toEqual({ TOKEN: 'TOKEN' })
    );
    expect(tab.server.sent('POST', `projects/${ID}/secrets`)[0].body).toEqual({
      name: 'TOKEN',
      value: 'hush-hush'
    });
  });
});

describe('a hook that is tried', () => {
  const tried = (more: Partial<Backtest>): Backtest => ({
    hook: 'guard',
    on: 'PreToolUse',
    executions: 7,
    seen: 41,
    allowed: 38,
    asked: 0,
    denied: 3,
    changed: 0,
    failed: 0,
    complete: true,
    skipped: [],
    rows: [],
    ...more
  });

  it('says in a sentence what it would have done', () => {
    expect(verdictOf(trans, tried({}))).toBe('Would have blocked 3 of 41 calls in the last 7 runs.');
    expect(verdictOf(trans, tried({ executions: 1, seen: 1, denied: 0, asked: 1 }))).toBe(
      'Would have blocked 0 of 1 call, asked for 1 in the last run.'
    );
    expect(verdictOf(trans, tried({ executions: 0, seen: 0 }))).toContain('no run to try it on yet');
    expect(verdictOf(trans, tried({ seen: 0 }))).toContain('told about nothing in the last 7 runs');
  });
});

describe('properties of an old version', () => {
  it('can be read and not changed', () => {
    const tab = openTab({
      state: {
        selected: 'hook:guard',
        frozen: { definition: sampleDefinition(), version: 1, executionId: 'e0' }
      }
    });
    const { container } = tab.show(<Live />);
    expect(container.querySelector<HTMLFieldSetElement>('.ca-Properties-form')!.disabled).toBe(true);
    expect(screen.queryByText('Unsaved changes')).toBeNull();
  });
});
