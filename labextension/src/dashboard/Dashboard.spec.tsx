import axe from 'axe-core';
import { fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import { Client } from '../api/client';
import { LiveExecutions } from '../api/live';
import type { Metrics } from '../api/types';
import { DashboardActions } from '../stores/dashboard';
import { METRICS, NOTHING, row } from '../testing/metrics';
import type { Answer } from '../testing/server';
import { failure, FakeServer, json } from '../testing/server';
import { trans } from '../testing/tab';
import { Dashboard } from './Dashboard';

const last = <T,>(found: readonly T[]): T | undefined => found[found.length - 1];

// Charts take a while to draw where nothing draws them.
const PATIENT = { timeout: 10_000 };

const page = (items: unknown[], next: string | null = null) => json({ items, next_cursor: next });

function show(metrics: Metrics | Answer = METRICS, routes: Record<string, Answer> = {}) {
  const server = new FakeServer({
    'GET metrics': typeof metrics === 'function' ? metrics : () => json(metrics),
    'GET projects': () => page([{ id: 'p1', name: 'Sales analyst' }]),
    'GET executions': () => page([row('e1')]),
    ...routes
  });
  const client = new Client(server.transport);
  const actions = new DashboardActions(client, new LiveExecutions(client));
  const calls = { onOpen: vi.fn(), onNew: vi.fn(), onProjects: vi.fn() };
  const view = render(<Dashboard trans={trans} actions={actions} visible {...calls} />);
  const asked = (route: string) =>
    server.sent('GET', `${route}?`).map(each => new URLSearchParams(each.path.split('?')[1]));
  return { ...view, server, actions, asked, ...calls };
}

describe('dashboard', () => {
  it('shows the figures with their units', async () => {
    show();
    const text = (name: string) => screen.getByText(name, { selector: 'dt' }).parentElement?.textContent;
    const tile = (name: string) => text(name)?.replace(/\u00a0/g, ' ');
    await screen.findByText('Cost', { selector: 'dt' });
    expect(tile('Cost')).toBe('Cost$1.75$0.17 per execution');
    expect(tile('Executions')).toBe('Executions1087.5 % succeeded');
    expect(tile('Tokens')).toBe('Tokens19.7k19.3k in, 450 out');
    expect(tile('Duration')).toBe('Duration12 smedian, p95 1 min 1 s');
    // In a narrow tile a figure does not part from its unit.
    expect(text('Duration')).toMatch(/ p95\u00a01\u00a0min\u00a01\u00a0s$/);
    expect(tile('Now')).toBe('Now3 running4 in the queue');
    expect(tile('Disk')).toBe('Disk310.0 MB21 GB free');
    const tools = screen.getByRole('region', { name: 'Most used tools' });
    const rows = within(tools)
      .getAllByRole('row')
      .map(each => each.textContent);
    expect(rows).toEqual(['ToolCallsFailedMean', 'bash1210.4 s', 'clerk309.0 s', 'nowtime20–']);
    expect(within(screen.getByRole('region', { name: 'Cost by project' })).getByText('$1.50')).toBeTruthy();
  });

  it('gives every chart as numbers, too', async () => {
    show();
    fireEvent.click(await screen.findByLabelText('Executions by status: as numbers'));
    const numbers = screen.getByRole('region', { name: 'Executions by status' });
    const newest = last(within(numbers).getAllByRole('row'))!;
    expect(
      within(newest)
        .getAllByRole('cell')
        .map(cell => cell.textContent)
    ).toEqual(['3', '1', '0', '2']);
  });

  it('draws a bar for each bucket, and for each cost that executions had', async () => {
    const { container } = show();
    const bars = (title: string) =>
      container.querySelectorAll(`[aria-label="${title}"] .recharts-bar-rectangle path`).length;
    await waitFor(() => expect([bars('Cost by day'), bars('Executions by cost')]).toEqual([2, 3]), PATIENT);
  });

  it('asks again for another window, project, kind and status', async () => {
    const { asked } = show();
    fireEvent.click(await screen.findByText('30 days'));
    await waitFor(() => expect(last(asked('metrics'))?.get('window')).toBe('30d'));
    fireEvent.change(screen.getByLabelText('Project'), { target: { value: 'p1' } });
    await waitFor(() => expect(last(asked('metrics'))?.get('project')).toBe('p1'));
    fireEvent.click(screen.getByText('Simulated'));
    await waitFor(() => expect(last(asked('metrics'))?.get('simulated')).toBe('true'));
    fireEvent.change(screen.getByLabelText('Status'), { target: { value: 'failed' } });
    await waitFor(() => {
      const wish = last(asked('executions'));
      expect([wish?.get('status'), wish?.get('project'), wish?.get('since'), wish?.get('expired')]).toEqual([
        'failed',
        'p1',
        METRICS.since,
        'true'
      ]);
    });
  });

  it('shows simulated executions where nothing was paid for, and says so', async () => {
    const { asked } = show(({ path }) =>
      json(
        path.includes('simulated=true')
          ? { ...METRICS, of_simulated: true, cost_usd: 0 }
          : { ...NOTHING, simulated: METRICS.simulated }
      )
    );
    expect(await screen.findByText(/no model was asked, nothing was charged/)).toBeTruthy();
    expect(screen.getByText('Simulated').getAttribute('aria-pressed')).toBe('true');
    expect(screen.queryByText('Cost', { selector: 'dt' })).toBeNull();
    expect(screen.getByRole('region', { name: 'Tokens by project' })).toBeTruthy();
    fireEvent.click(screen.getByText('Paid'));
    await waitFor(() => expect(last(asked('metrics'))?.get('simulated')).toBe('false'));
  });

  it('opens an execution by its row and by keyboard, but none that has expired', async () => {
    const { onOpen } = show(METRICS, {
      'GET executions': () =>
        page([row('e1'), row('e2', { expired: true, project_name: 'Old', status: 'failed' })])
    });
    const button = await screen.findByRole('button', { name: 'Sales analyst' });
    fireEvent.click(button.closest('tr')!);
    fireEvent.click(button);
    expect(onOpen.mock.calls).toEqual([
      ['p1', 'e1'],
      ['p1', 'e1']
    ]);
    const old = screen.getByRole<HTMLButtonElement>('button', { name: 'Old' });
    expect(old.disabled).toBe(true);
    fireEvent.click(old.closest('tr')!);
    expect(onOpen).toHaveBeenCalledTimes(2);
    expect(screen.getByText('expired')).toBeTruthy();
  });

  it('pins an execution and unpins it', async () => {
    const { server } = show(METRICS, {
      'POST executions/e1/pin': () => json(row('e1', { pinned: true })),
      'DELETE executions/e1/pin': () => json(row('e1'))
    });
    const pin = () => screen.getByLabelText('Keep this execution of Sales analyst');
    fireEvent.click(await screen.findByLabelText('Keep this execution of Sales analyst'));
    await waitFor(() => expect(pin().getAttribute('aria-pressed')).toBe('true'));
    fireEvent.click(pin());
    await waitFor(() => expect(pin().getAttribute('aria-pressed')).toBe('false'));
    expect(server.sent('DELETE', 'executions/e1/pin')).toHaveLength(1);
  });

  it('shows more executions below those that are there', async () => {
    const { asked } = show(METRICS, {
      'GET executions': ({ path }) =>
        path.includes('cursor=e1') ? page([row('e2')]) : page([row('e1')], 'e1')
    });
    fireEvent.click(await screen.findByText('More executions'));
    await waitFor(() => expect(screen.getAllByRole('button', { name: 'Sales analyst' })).toHaveLength(2));
    expect(last(asked('executions'))?.get('cursor')).toBe('e1');
    expect(screen.queryByText('More executions')).toBeNull();
  });

  it('says how to get the first run where there is none', async () => {
    const { onNew } = show({ ...NOTHING, projects: 0 });
    expect(await screen.findByText('Nothing has run yet')).toBeTruthy();
    fireEvent.click(screen.getByText('New agent project'));
    expect(onNew).toHaveBeenCalled();
  });

  it('offers a longer window where nothing ran in this one', async () => {
    const { onProjects, asked } = show(NOTHING);
    fireEvent.click(await screen.findByText('Show agent projects'));
    expect(onProjects).toHaveBeenCalled();
    fireEvent.click(screen.getByText('Look at 30 days'));
    await waitFor(() => expect(last(asked('metrics'))?.get('window')).toBe('30d'));
  });

  it('says what is wrong and tries again', async () => {
    let broken = true;
    show(() => (broken ? failure(503, 'READ_ONLY', 'The ledger cannot be used now.') : json(METRICS)));
    expect((await screen.findByRole('alert')).textContent).toContain('The ledger cannot be used now.');
    broken = false;
    fireEvent.click(screen.getByText('Try again'));
    expect(await screen.findByText('Cost', { selector: 'dt' })).toBeTruthy();
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('asks nothing while nobody looks', () => {
    const server = new FakeServer({});
    const client = new Client(server.transport);
    const actions = new DashboardActions(client, new LiveExecutions(client));
    const nobody = { onOpen: vi.fn(), onNew: vi.fn(), onProjects: vi.fn() };
    render(<Dashboard trans={trans} actions={actions} visible={false} {...nobody} />);
    expect(server.asked).toEqual([]);
  });

  it('axe finds nothing', async () => {
    const { container } = show();
    await waitFor(() => expect(container.querySelector('.recharts-surface')).toBeTruthy(), PATIENT);
    fireEvent.click(screen.getByLabelText('Tokens by kind: as numbers'));
    const found = await axe.run(container, {
      rules: { 'color-contrast': { enabled: false }, region: { enabled: false } }
    });
    expect(
      found.violations.map(each => `${each.id}: ${each.nodes.map(node => node.html).join(' ')}`)
    ).toEqual([]);
  });
});
