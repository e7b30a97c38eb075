import axe from 'axe-core';
import { fireEvent, screen, waitFor } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import { Drawer } from '../monitor/Drawer';
import { NO_ESTIMATE, sampleProject } from '../testing/definition';
import { AGENT, START, WHOLE_RUN } from '../testing/events';
import { failure, json } from '../testing/server';
import type { Agreement, Estimate, Validation } from '../api/types';
import { openTab } from '../testing/tab';
import { useProject } from '../ui/context';
import { Notices } from './Notices';
import { Properties } from './Properties';
import { RunDialog } from './RunDialog';
import { Toolbar } from './Toolbar';

describe('toolbar', () => {
  it('offers Save only with edits and Stop only while something runs', () => {
    const tab = openTab();
    const view = tab.show(<Toolbar />);
    expect(screen.getByLabelText<HTMLButtonElement>('Save').disabled).toBe(true);
    expect(screen.getByLabelText<HTMLButtonElement>('Stop').disabled).toBe(true);
    view.unmount();
    const busy = openTab({ log: [START, AGENT] });
    busy.actions.edit(['name'], 'Other');
    busy.show(<Toolbar />);
    expect(screen.getByLabelText<HTMLButtonElement>('Save').disabled).toBe(false);
    expect(screen.getByLabelText<HTMLButtonElement>('Stop').disabled).toBe(false);
  });

  it('says before a run that the simulated model would play, or what a run costs', () => {
    const models = { items: [], next_cursor: null, base_url: null };
    const view = openTab({ state: { models: { ...models, credentials: 'none' } } }).show(<Toolbar />);
    expect(screen.getByText('simulated model')).toBeTruthy();
    view.unmount();
    const first = { input_tokens: 9, cost_usd: 0.03, cap_usd: 1 };
    const quote = (more: Partial<Estimate>) => {
      const estimate = { low_usd: null, high_usd: null, basis: 'sizes', executions: 0, ...first, ...more };
      const shown = openTab({
        state: {
          models: { ...models, credentials: 'environment' },
          validation: { ok: true, problems: [], estimate, credentials: 'environment' } as Validation,
          credentials: 'environment'
        }
      }).show(<Toolbar />);
      const found = shown.container.querySelector<HTMLElement>('.ca-Quote')!;
      const [text, title] = [found.textContent, found.title];
      shown.unmount();
      return [text, title];
    };
    expect(quote({ low_usd: 0.02, high_usd: 0.1, basis: 'history', executions: 7 })).toEqual([
      'about $0.020–0.10, cap $1.00',
      'Median and 90th percentile of the last 7 completed runs. A run never costs more than the cap.'
    ]);
    expect(quote({ low_usd: 0.03, high_usd: 0.03 })[0]).toBe('about $0.030, cap $1.00');
    expect(quote({})[0]).toBe('cap $1.00');
    expect(quote({ low_usd: 0, high_usd: 0, basis: 'local' })[0]).toBe('local model, no price');
  });
});

describe('the first key', () => {
  it('is copied, and the button says so, or what to do where the browser forbids it', async () => {
    const writeText = vi.fn().mockResolvedValueOnce(undefined).mockRejectedValueOnce(new Error('no'));
    vi.stubGlobal('navigator', { ...navigator, clipboard: { writeText } });
    openTab({ state: { firstKey: 'ca_1' } }).show(<Notices />);
    fireEvent.click(screen.getByText('Copy'));
    fireEvent.click(await screen.findByText('Copied'));
    expect(writeText).toHaveBeenCalledWith('ca_1');
    expect(await screen.findByText('Select it and press Ctrl+C')).toBeTruthy();
    vi.unstubAllGlobals();
  });
});

describe('the finer settings', () => {
  it('keep a schema once it is JSON, and folders with what may be written', () => {
    const tab = openTab({ state: { selected: 'agent', propertiesOpen: true } });
    const Live = () => <Properties definition={useProject(state => state.history!.definition)} />;
    tab.show(<Live />);
    const agent = () => tab.state().history!.definition.agent;
    fireEvent.click(screen.getByRole('tab', { name: 'Advanced' }));
    const schema = screen.getByLabelText('Schema of the answer');
    fireEvent.change(schema, { target: { value: '{"type": "obj' } });
    expect(agent().output_schema).toBeNull();
    expect(screen.getByText(/Not kept yet/)).toBeTruthy();
    fireEvent.change(schema, { target: { value: '{"type": "object"}' } });
    expect(agent().output_schema).toEqual({ type: 'object' });
    fireEvent.change(screen.getByLabelText('Folders it may read'), { target: { value: 'data\nout !' } });
    expect(agent().folders).toEqual([
      { path: 'data', mode: 'read' },
      { path: 'out', mode: 'write' }
    ]);
    fireEvent.change(screen.getByLabelText('Effort'), { target: { value: 'high' } });
    expect(agent().effort).toBe('high');
  });
});

describe('an MCP server', () => {
  const project = sampleProject();
  const row = (name: string) => ({ name, called: name, description: '', read_only: true, input_schema: {} });
  const answer = {
    server: 'time',
    name: 'mcp-time',
    version: '1.0',
    protocol_version: '',
    instructions: '',
    tools: [row('now'), row('zones'), row('third')],
    left_out: [],
    stderr: [],
    duration_ms: 120
  };

  it('is tried after a save, and its tools are ticked', async () => {
    const tab = openTab({
      state: { selected: 'mcp:time', propertiesOpen: true },
      routes: { [`POST projects/${project.id}/mcps/time/test`]: () => json(answer) }
    });
    const Live = () => <Properties definition={useProject(state => state.history!.definition)} />;
    tab.show(<Live />);
    fireEvent.click(screen.getByRole('button', { name: 'Test' }));
    expect(await screen.findByText(/Connected to mcp-time 1.0/)).toBeTruthy();
    expect(screen.getByLabelText<HTMLInputElement>('third').checked).toBe(false);
    fireEvent.click(screen.getByLabelText('zones'));
    expect(tab.state().history!.definition.mcps[0].enabled_tools).toEqual(['now']);
    fireEvent.click(screen.getByLabelText('zones'));
    fireEvent.click(screen.getByLabelText('third'));
    expect(tab.state().history!.definition.mcps[0].enabled_tools).toBeNull();
  });

  it('that cannot be reached says so in its own words', async () => {
    const path = `POST projects/${project.id}/mcps/time/test`;
    const tab = openTab({
      state: { selected: 'mcp:time', propertiesOpen: true },
      routes: { [path]: () => failure(502, 'MCP_CONNECTION_FAILED', 'no module named time') }
    });
    tab.show(<Properties definition={tab.state().history!.definition} />);
    fireEvent.click(screen.getByRole('button', { name: 'Test' }));
    expect(await screen.findByText('no module named time')).toBeTruthy();
  });
});

describe('a page that is older than its server', () => {
  it('says so and offers to load itself anew, once the server answers with another version', async () => {
    let version = '1.0.0';
    const tab = openTab({
      routes: {
        'GET stream': () => new Response('retry: 1\n\n', { headers: { 'X-CloutAgent-Version': version } })
      }
    });
    tab.show(<Notices />);
    await waitFor(() => expect(tab.state().connection).toBe('reconnecting'));
    expect(tab.state().outdated).toBe(false);
    version = '1.1.0';
    fireEvent.click(await screen.findByText('Reload the page', {}, { timeout: 10_000 }));
    expect(tab.shell.reloads).toBe(1);
    tab.actions.dispose();
  });
});

describe('a project that nobody trusts yet', () => {
  const agreement: Agreement = {
    trusted: false,
    hash: 'a'.repeat(64),
    would_run: {
      hooks: [
        {
          id: 'guard',
          name: 'No deletes',
          event: 'PreToolUse',
          command: ['python', 'guard.py'],
          url: null,
          headers: [],
          env: ['TOKEN']
        }
      ],
      mcps: [],
      scripts: [{ path: 'guard.py', sha256: 'b'.repeat(64), executable: false }]
    }
  };

  it('shows exactly what would run, and agrees to that hash alone', async () => {
    let trusted = false;
    const project = sampleProject();
    const tab = openTab({
      state: { saved: { ...project, trusted: false } },
      routes: {
        [`GET projects/${project.id}/trust`]: () => json(agreement),
        [`POST projects/${project.id}/trust`]: ({ body }) => {
          trusted = (body as { hash: string }).hash === agreement.hash;
          return trusted
            ? json(project, { headers: { ETag: '"2"' } })
            : failure(409, 'NOT_TRUSTED', 'Something else would run by now.');
        }
      }
    });
    tab.show(<Notices />);
    fireEvent.click(screen.getByText('Show what would run'));
    expect(await screen.findByText('python guard.py')).toBeTruthy();
    expect(screen.getByText(/TOKEN/)).toBeTruthy();
    expect(trusted).toBe(false);
    fireEvent.click(screen.getByText('Trust exactly this'));
    await waitFor(() => expect(screen.queryByText('Trust exactly this')).toBeNull());
    expect(trusted).toBe(true);
  });
});

describe('properties', () => {
  const at = (selected: string | null) => {
    const tab = openTab({ state: { selected, propertiesOpen: true } });
    const Live = () => <Properties definition={tab.state().history!.definition} />;
    return { tab, view: tab.show(<Live />) };
  };

  it.each([
    ['agent', ['Name', 'Model', 'System prompt', 'Task']],
    ['subagent:statistician', ['Name', 'When to delegate to it', 'Prompt', 'Model', 'At once']],
    [
      'hook:guard',
      ['Name', 'When', 'For which tools', 'What it does', 'Program and arguments', 'When it fails']
    ],
    ['mcp:time', ['Name', 'Reached by', 'Program', 'Arguments', 'Tools that may be called', 'Patience']],
    ['note:how', ['Text']],
    [null, ['Name', 'Description', 'What it is for', 'Default', 'Name of a new variable']]
  ])('of %s have their essential fields', (selected, fields) => {
    at(selected);
    fields.forEach(label => expect(screen.getByLabelText(label)).toBeTruthy());
  });

  it('write into the definition', () => {
    const { tab } = at('subagent:statistician');
    fireEvent.change(screen.getByLabelText('Name'), { target: { value: 'Counter' } });
    expect(tab.state().history?.definition.subagents[0].name).toBe('Counter');
  });

  it('tick tools and set what each may do', () => {
    const row = {
      name: 'bash',
      description: '',
      touches: '',
      read_only: false,
      source: 'builtin',
      default_permission: 'ask' as const,
      input_schema: {}
    };
    const tab = openTab({ state: { selected: 'agent', tools: [row] } });
    tab.show(<Properties definition={tab.state().history!.definition} />);
    fireEvent.click(screen.getByText('Tools'));
    fireEvent.change(screen.getByLabelText('Permission of bash'), { target: { value: 'allow' } });
    expect(tab.state().history?.definition.agent.permissions).toEqual({ bash: 'allow' });
    fireEvent.click(screen.getByLabelText('bash'));
    expect(tab.state().history?.definition.agent.tools).not.toContain('bash');
  });

  it('leave a limit as it was when its field is empty, unless it may be empty', () => {
    const { tab } = at('agent');
    fireEvent.click(screen.getByText('Limits'));
    fireEvent.change(screen.getByLabelText('Tokens'), { target: { value: '' } });
    fireEvent.change(screen.getByLabelText('Cost'), { target: { value: '' } });
    expect(tab.state().history?.definition.limits).toMatchObject({ max_tokens: 100_000, max_cost_usd: null });
  });
});

describe('run dialog', () => {
  it('asks for what is missing and runs with it', async () => {
    const { id } = sampleProject();
    const tab = openTab({
      routes: { [`POST projects/${id}/execute`]: () => json({ execution_id: 'e7', status: 'running' }) },
      state: { asking: true }
    });
    tab.show(<RunDialog definition={tab.state().history!.definition} />);
    expect(document.activeElement).toBe(screen.getByLabelText('file'));
    expect(screen.getByText<HTMLButtonElement>('Run').disabled).toBe(true);
    fireEvent.change(screen.getByLabelText('file'), { target: { value: 'sales.csv' } });
    fireEvent.click(screen.getByText('Run'));
    await waitFor(() =>
      expect(tab.server.sent('POST', `projects/${id}/execute`)[0].body).toEqual({
        variables: { file: 'sales.csv' }
      })
    );
  });

  it('goes away on Escape', () => {
    const tab = openTab({ state: { asking: true } });
    tab.show(<RunDialog definition={tab.state().history!.definition} />);
    fireEvent.keyDown(screen.getByLabelText('file'), { key: 'Escape' });
    expect(tab.state().asking).toBe(false);
  });
});

describe('notices', () => {
  it('offer to reload after a stale save, and say what to do about a failure', () => {
    openTab({ state: { stale: true, trouble: { code: 'OFFLINE', message: 'fetch failed' } } }).show(
      <Notices />
    );
    expect(screen.getByText(/Compare and choose/)).toBeTruthy();
    expect(screen.getByRole('alert').textContent).toContain('The Jupyter server does not answer');
  });

  it('lead from a problem to its card', () => {
    const problem = {
      severity: 'error' as const,
      code: 'X',
      node: 'hook:guard',
      path: null,
      message: 'Switch it off.'
    };
    const tab = openTab({
      state: {
        problemsOpen: true,
        validation: {
          ok: false,
          problems: [problem],
          estimate: NO_ESTIMATE,
          credentials: 'none'
        }
      }
    });
    tab.show(<Notices />);
    fireEvent.click(screen.getByText('No deletes'));
    expect(tab.state()).toMatchObject({ selected: 'hook:guard', propertiesOpen: true });
  });
});

describe('accessibility', () => {
  it('axe finds nothing in toolbar, properties, monitor and dialog', async () => {
    const tab = openTab({
      log: WHOLE_RUN,
      state: { selected: 'agent', drawer: { open: true, height: 200, tab: 'steps', file: null } }
    });
    const definition = tab.state().history!.definition;
    const { container } = tab.show(
      <main>
        <Toolbar />
        <Notices />
        <Properties definition={definition} />
        <Drawer />
        <RunDialog definition={definition} />
      </main>
    );
    const found = await axe.run(container, {
      rules: { 'color-contrast': { enabled: false }, region: { enabled: false } }
    });
    expect(
      found.violations.map(each => `${each.id}: ${each.nodes.map(node => node.html).join(' ')}`)
    ).toEqual([]);
  }, 30_000);
});
