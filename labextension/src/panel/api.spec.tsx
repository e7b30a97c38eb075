import axe from 'axe-core';
import { fireEvent, screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { sampleDefinition, sampleProject, withSet } from '../testing/definition';
import { json } from '../testing/server';
import { openTab } from '../testing/tab';
import { useProject } from '../ui/context';
import { Covers } from './Covers';
import { bodyOf, snippet } from './snippets';
import { Toolbar } from './Toolbar';

const ID = sampleProject().id;
const CALL = { root: 'http://h/api/v1', projectId: 'p1', key: 'ca_1', manner: 'wait' } as const;

describe('programs to paste', () => {
  it('bring what a run needs: values of variables, and a prompt where there is no task', () => {
    expect(bodyOf(sampleDefinition(), 'wait')).toEqual({ variables: { file: 'value of file' }, wait: true });
    const bare = withSet(withSet(sampleDefinition(), ['agent', 'task'], ''), ['variables'], {});
    expect(bodyOf(bare, 'stream')).toEqual({ prompt: 'What shall it do?', stream: true });
  });

  it('quote what a shell, Python and JavaScript would take otherwise', () => {
    const odd = withSet(sampleDefinition(), ['variables'], {
      "it's": { description: '', default: 'a "b" \\ $c', required: false }
    });
    const shell = snippet('curl', CALL, odd);
    expect(shell).toContain(`'{"variables":{"it'\\''s":"a \\"b\\" \\\\ $c"},"wait":true}'`);
    expect(snippet('python', CALL, odd)).toContain(`"it's": "a \\"b\\" \\\\ $c",`);
    expect(snippet('python', CALL, odd)).toContain('"wait": True,');
    const script = snippet('javascript', CALL, odd);
    expect(script).toContain('"http://h/api/v1/projects/p1/execute"');
  });

  it('follow events where that is wanted', () => {
    expect(snippet('curl', { ...CALL, manner: 'stream' }, sampleDefinition())).toMatch(/^curl -N /);
    expect(snippet('python', { ...CALL, manner: 'stream' }, sampleDefinition())).toContain('data: ');
  });
});

function show(routes = {}) {
  const tab = openTab({
    routes: { [`GET projects/${ID}/keys`]: () => json({ items: [], next_cursor: null }), ...routes }
  });
  const Live = () => {
    const definition = useProject(state => state.history!.definition);
    return (
      <>
        <Toolbar />
        <Covers definition={definition} />
      </>
    );
  };
  return { ...tab, view: tab.show(<Live />) };
}

describe('the API dialog', () => {
  it('names the real address, puts a new key into the programs, and closes with Escape', async () => {
    const tab = show({
      [`POST projects/${ID}/keys`]: () =>
        json({ id: 'k', name: 'x', scopes: ['read'], created_at: '', last_used_at: null, api_key: 'ca_new' })
    });
    fireEvent.click(screen.getByLabelText('API'));
    await screen.findByRole('dialog');
    const program = () => screen.getByLabelText('Program that calls the project').textContent!;
    expect(program()).toContain(`http://127.0.0.1:8888/cloutagent/api/v1/projects/${ID}/execute`);
    expect(program()).toContain('X-API-Key: ca_…');
    expect(await screen.findByText(/no program outside Jupyter/)).toBeTruthy();
    fireEvent.click(screen.getByText('Make a key'));
    fireEvent.change(screen.getByLabelText('Name'), { target: { value: 'x' } });
    fireEvent.click(screen.getByText('Make the key'));
    await waitFor(() => expect(program()).toContain('X-API-Key: ca_new'));
    fireEvent.click(screen.getByText('Python'));
    expect(program()).toContain('"X-API-Key": "ca_new"');
    const { violations } = await axe.run(tab.view.container, {
      rules: { 'color-contrast': { enabled: false } }
    });
    expect(violations.map(each => each.id)).toEqual([]);
    fireEvent.keyDown(screen.getByRole('dialog'), { key: 'Escape' });
    expect(screen.queryByRole('dialog')).toBeNull();
  });
});

describe('export', () => {
  it('offers every form, saves what is seen first, and keeps the file under its own name', async () => {
    const tab = show({
      [`PUT projects/${ID}`]: () => json(sampleProject(), { headers: { ETag: '"2"' } }),
      [`GET projects/${ID}/export`]: () =>
        new Response('bytes', { headers: { 'Content-Disposition': 'attachment; filename="Sales.zip"' } })
    });
    tab.actions.edit(['name'], 'Other');
    fireEvent.click(screen.getByLabelText('Export'));
    expect(tab.shell.menu.map(entry => entry.label)).toEqual([
      'Archive (.zip)',
      'Archive (.tar.gz)',
      'Archive with executions (.zip)',
      'Archive with executions (.tar.gz)',
      'Claude Code project (.zip)',
      'Python script (.py)'
    ]);
    tab.shell.menu[2].run!();
    await waitFor(() => expect(tab.shell.kept.map(each => each.name)).toEqual(['Sales.zip']));
    const asked = tab.server.asked.map(each => `${each.method} ${each.path}`);
    expect(asked.indexOf(`PUT projects/${ID}?draft=true`)).toBeLessThan(
      asked.indexOf(`GET projects/${ID}/export?format=zip&executions=true`)
    );
  });

  it('stands with versions and API in one menu, for where there is little room', () => {
    const tab = show();
    fireEvent.click(screen.getByLabelText('Versions, API, export'));
    expect(tab.shell.menu.map(entry => entry.label)).toEqual(['Versions', 'API', 'Export']);
    expect(tab.shell.menu[2].entries).toHaveLength(6);
    tab.shell.menu[0].run!();
    expect(tab.state().cover).toBe('versions');
  });
});
