import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import { Client } from '../api/client';
import { LiveExecutions } from '../api/live';
import type { ExecutionState } from '../api/types';
import { failure, FakeServer, json } from '../testing/server';
import type { Answer } from '../testing/server';
import { trans } from '../testing/tab';
import { Sidebar } from './Sidebar';
import type { SidebarProps } from './Sidebar';

const ROW = {
  id: 'p1',
  name: 'Sales analyst',
  description: '',
  version: 3,
  updated_at: '',
  trusted: true,
  unreadable: null
};

function show(routes: Record<string, Answer>, states: Partial<ExecutionState>[] = []) {
  const server = new FakeServer({
    'GET executions': () => json({ items: states, next_cursor: null }),
    ...routes
  });
  const client = new Client(server.transport);
  const live = new LiveExecutions(client);
  states.forEach(state =>
    live.note({ last_event_id: 1, created_at: '2026-11-22T08:00:00.000Z', ...state } as ExecutionState)
  );
  const calls = {
    onOpen: vi.fn(),
    onCommand: vi.fn<SidebarProps['onCommand']>(),
    onFiles: vi.fn<SidebarProps['onFiles']>(),
    openMenu: vi.fn<SidebarProps['openMenu']>()
  };
  render(
    <Sidebar
      trans={trans}
      client={client}
      live={live}
      revision={0}
      openIds={new Set()}
      currentId={null}
      {...calls}
    />
  );
  return { server, ...calls };
}

describe('sidebar', () => {
  it('lists projects, searches on the server, opens on click', async () => {
    const { server, onOpen } = show({ 'GET projects': () => json({ items: [ROW], next_cursor: null }) });
    fireEvent.click(await screen.findByText('Sales analyst'));
    expect(onOpen).toHaveBeenCalledWith('p1');
    fireEvent.keyDown(screen.getByText('Projects'), { key: '/' });
    expect(document.activeElement).toBe(screen.getByRole('searchbox'));
    fireEvent.change(screen.getByRole('searchbox'), { target: { value: 'sal' } });
    await waitFor(() =>
      expect(server.asked.some(each => each.path === 'projects?q=sal&limit=100')).toBe(true)
    );
  });

  it('says what to do next where there is no project, no such project, and no execution', async () => {
    show({ 'GET projects': () => json({ items: [], next_cursor: null }) });
    expect(await screen.findByText(/^No projects yet. Start from a template/)).toBeTruthy();
    expect(screen.getByText(/^Runs appear here/)).toBeTruthy();
    fireEvent.change(screen.getByRole('searchbox'), { target: { value: 'zzz' } });
    expect(await screen.findByText('No project has "zzz" in its name.')).toBeTruthy();
  });

  it('leads to the templates, and to importing and backing up', async () => {
    const { onCommand, openMenu } = show({ 'GET projects': () => json({ items: [], next_cursor: null }) });
    expect(await screen.findByText(/runs without any account/)).toBeTruthy();
    fireEvent.click(screen.getByText('New from template'));
    expect(onCommand).toHaveBeenLastCalledWith('cloutagent:new-project');
    fireEvent.click(screen.getByLabelText('New, import, backups'));
    const [entries] = openMenu.mock.lastCall!;
    entries.forEach(entry => entry.run!());
    expect(onCommand.mock.calls.slice(1).map(([id]) => id)).toEqual([
      'cloutagent:new-project',
      'cloutagent:import-project',
      'cloutagent:back-up',
      'cloutagent:show-backups'
    ]);
  });

  it('duplicates, exports and deletes a project from its menu, by button and by right click', async () => {
    const { onCommand, openMenu } = show({ 'GET projects': () => json({ items: [ROW], next_cursor: null }) });
    fireEvent.click(await screen.findByLabelText('More about Sales analyst'));
    const [entries] = openMenu.mock.lastCall!;
    const entry = (label: string) => entries.find(each => each.label === label)!;
    const named = { id: 'p1', name: 'Sales analyst' };
    entry('Duplicate').run!();
    expect(onCommand).toHaveBeenLastCalledWith('cloutagent:duplicate-project', named);
    entry('Export').entries![3].run!();
    expect(onCommand).toHaveBeenLastCalledWith('cloutagent:export-project', {
      ...named,
      format: 'claude',
      executions: false
    });
    entry('Delete…').run!();
    expect(onCommand).toHaveBeenLastCalledWith('cloutagent:delete-project', named);
    fireEvent.contextMenu(screen.getByText('Sales analyst'));
    expect(openMenu).toHaveBeenCalledTimes(2);
  });

  it('imports archives that are dropped on it', async () => {
    const { onFiles } = show({ 'GET projects': () => json({ items: [ROW], next_cursor: null }) });
    const place = (await screen.findByText('Sales analyst')).closest('.ca-Sidebar')!;
    const file = new File(['zip'], 'project.zip');
    fireEvent.drop(place, { dataTransfer: { types: ['Files'], files: [file] } });
    expect(onFiles).toHaveBeenCalledWith([file]);
  });

  it('shows executions with status, cost and time, why one failed, and opens it', async () => {
    const { onOpen } = show({ 'GET projects': () => json({ items: [], next_cursor: null }) }, [
      {
        execution_id: 'e1',
        project_id: 'p1',
        project_name: 'One',
        status: 'completed',
        total_cost_usd: 0.07,
        duration_ms: 48_000
      },
      {
        execution_id: 'e2',
        project_id: 'p2',
        project_name: 'Two',
        status: 'failed',
        error: { code: 'COST_LIMIT_EXCEEDED', message: '', details: {} }
      }
    ]);
    expect(await screen.findByText('$0.070 · 48 s')).toBeTruthy();
    fireEvent.click(screen.getByText('cost limit'));
    expect(onOpen).toHaveBeenCalledWith('p2', 'e2');
  });

  it('says what to do when the server fails', async () => {
    show({ 'GET projects': () => failure(503, 'SHUTTING_DOWN', 'The server is stopping.') });
    expect((await screen.findByRole('alert')).textContent).toContain('The server is stopping.');
  });
});
