import axe from 'axe-core';
import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import { Client } from '../api/client';
import { sampleDefinition, withSet } from '../testing/definition';
import { failure, FakeServer, json } from '../testing/server';
import type { Answer } from '../testing/server';
import { FakeShell, trans } from '../testing/tab';
import { Backups } from './Backups';
import { Gallery } from './Gallery';
import { freeName } from './names';
import { contents, TemplatePicture } from './TemplatePicture';

const page = (items: unknown[]) => json({ items, next_cursor: null });
const EMPTY = withSet(withSet(withSet(sampleDefinition(), ['subagents'], []), ['hooks'], []), ['mcps'], []);

async function expectNoAxeFindings(node: Element) {
  const { violations } = await axe.run(node, { rules: { 'color-contrast': { enabled: false } } });
  expect(violations.map(each => `${each.id}: ${each.nodes[0].html}`)).toEqual([]);
}

describe('a template’s picture', () => {
  it('shows each card in the shape of its kind, and each wire, and is said in words', () => {
    const { container } = render(<TemplatePicture definition={sampleDefinition()} />);
    const kinds = [...container.querySelectorAll('.ca-Picture-card')].map(each =>
      each.getAttribute('data-kind')
    );
    expect(kinds).toEqual(['agent', 'subagent', 'subagent', 'hook', 'mcp']);
    expect(container.querySelectorAll('polygon')).toHaveLength(2);
    expect(container.querySelectorAll('.ca-Picture-wire')).toHaveLength(4);
    expect(contents(trans, sampleDefinition())).toBe('1 agent · 2 subagents · 1 hook · 1 MCP server');
  });

  it('keeps all cards in its frame', () => {
    const far = withSet(
      sampleDefinition(),
      ['ui', 'nodes'],
      [
        { id: 'agent', position: { x: -2000, y: 0 } },
        { id: 'mcp:time', position: { x: 3000, y: 900 } }
      ]
    );
    const { container } = render(<TemplatePicture definition={far} />);
    const [x, , width] = container.querySelector('svg')!.getAttribute('viewBox')!.split(' ').map(Number);
    expect(x).toBeLessThan(-2000);
    expect(x + width).toBeGreaterThan(3200);
  });
});

describe('the gallery', () => {
  const rows = [
    { id: 'sales', name: 'Sales analyst', description: 'Reads a file', definition: sampleDefinition() },
    { id: 'empty', name: 'Empty agent', description: 'Nothing yet', definition: EMPTY }
  ];

  function show(routes: Record<string, Answer> = { 'GET templates': () => page(rows) }) {
    const [onChoose, onDone] = [vi.fn(), vi.fn()];
    const client = new Client(new FakeServer(routes).transport);
    const view = render(
      <Gallery trans={trans} client={client} taken={['Empty agent']} onChoose={onChoose} onDone={onDone} />
    );
    return { onChoose, onDone, view };
  }

  it('chooses the first, then what is clicked, under a name that is free', async () => {
    const { onChoose, onDone, view } = show();
    await screen.findByText('Reads a file');
    await waitFor(() =>
      expect(onChoose).toHaveBeenLastCalledWith({ template: rows[0], name: 'Sales analyst' })
    );
    fireEvent.click(screen.getByLabelText(/Empty agent/));
    expect(onChoose).toHaveBeenLastCalledWith({ template: rows[1], name: 'Empty agent 2' });
    fireEvent.change(screen.getByLabelText('Name of the project'), { target: { value: 'Mine' } });
    expect(onChoose).toHaveBeenLastCalledWith({ template: rows[1], name: 'Mine' });
    fireEvent.doubleClick(screen.getByText('Nothing yet'));
    expect(onDone).toHaveBeenCalledOnce();
    await expectNoAxeFindings(view.container);
  });

  it('says when templates cannot be read', async () => {
    show({ 'GET templates': () => failure(503, 'SHUTTING_DOWN', 'The server is stopping.') });
    expect((await screen.findByRole('alert')).textContent).toContain('The server is stopping.');
  });

  it('finds a free name', () => {
    expect(freeName('A', ['A', 'A 2'])).toBe('A 3');
  });
});

describe('backups', () => {
  const row = (name: string, kind: string) => ({
    name,
    kind,
    created_at: '2026-11-24T03:00:00.000Z',
    size: 14_200
  });
  const project = {
    id: 'p1',
    name: 'Sales analyst',
    description: '',
    version: 3,
    updated_at: '',
    trusted: true,
    unreadable: null
  };

  function show(routes: Record<string, Answer> = {}) {
    let rows = [row('backup-2026-11-24.zip', 'daily'), row('deleted-x.zip', 'deleted')];
    const server = new FakeServer({
      'GET backups': () => page(rows),
      'GET projects': () => page([project]),
      'POST backups': () => {
        rows = [row('backup-2026-11-25T120000.zip', 'manual'), ...rows];
        return json(rows[0], { status: 201 });
      },
      'GET backups/backup-2026-11-24.zip': () => new Response('zip'),
      'POST backups/backup-2026-11-24.zip/restore': () => json({ restored: ['p1'], kept: [] }),
      ...routes
    });
    const shell = new FakeShell();
    const onRestored = vi.fn();
    const view = render(
      <Backups trans={trans} client={new Client(server.transport)} shell={shell} onRestored={onRestored} />
    );
    return { server, shell, onRestored, view };
  }

  it('are listed, made now, and downloaded', async () => {
    const { shell, view } = show();
    expect(await screen.findByText(/made by itself/)).toBeTruthy();
    expect(screen.getByText(/a project that was deleted/)).toBeTruthy();
    await expectNoAxeFindings(view.container);
    fireEvent.click(screen.getByText('Back up now'));
    expect(await screen.findByText(/made on demand/)).toBeTruthy();
    fireEvent.click(screen.getByLabelText('Download backup-2026-11-24.zip'));
    await waitFor(() => expect(shell.kept.map(each => each.name)).toEqual(['backup-2026-11-24.zip']));
  });

  it('are restored, all or one project, after saying what becomes of what is there', async () => {
    const { server, onRestored } = show();
    fireEvent.click(await screen.findByLabelText('Restore from backup-2026-11-24.zip'));
    expect(screen.getByText(/kept as a backup of its own/)).toBeTruthy();
    fireEvent.change(screen.getByLabelText('What to restore'), { target: { value: 'p1' } });
    fireEvent.click(screen.getByText('Restore now'));
    await waitFor(() => expect(onRestored).toHaveBeenCalledWith({ restored: ['p1'], kept: [] }));
    expect(server.sent('POST', 'backups/')[0].body).toEqual({ project: 'p1' });
  });

  it('say why one cannot be restored', async () => {
    show({
      'POST backups/backup-2026-11-24.zip/restore': () =>
        failure(409, 'CONFLICT', 'Executions of this project run.')
    });
    fireEvent.click(await screen.findByLabelText('Restore from backup-2026-11-24.zip'));
    fireEvent.click(screen.getByText('Restore now'));
    expect((await screen.findByRole('alert')).textContent).toContain('Executions of this project run.');
  });
});
