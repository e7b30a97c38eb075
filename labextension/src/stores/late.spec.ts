/**
 * Answers that come late: what was heard, asked or drawn since then stands.
 */
import { describe, expect, it, vi } from 'vitest';

import { Client } from '../api/client';
import { LiveExecutions } from '../api/live';
import type { ExecutionState } from '../api/types';
import { AGENT, START, call, logOf, result } from '../testing/events';
import { sampleProject } from '../testing/definition';
import { METRICS } from '../testing/metrics';
import type { Answer } from '../testing/server';
import { FakeServer, json } from '../testing/server';
import { openTab } from '../testing/tab';
import { DashboardActions } from './dashboard';

const stateOf = (id: string, change: Partial<ExecutionState> = {}) =>
  ({
    execution_id: id,
    created_at: `2026-01-01T00:00:0${id.slice(1)}Z`,
    last_event_id: 1,
    ...change
  }) as ExecutionState;

/** Answers that the test gives when it likes, in the order of the questions. */
function held(): { answer: Answer; give: ((value: unknown) => void)[] } {
  const give: ((value: unknown) => void)[] = [];
  return { give, answer: () => new Promise(resolve => give.push(value => resolve(json(value)))) };
}

describe('a list of executions', () => {
  it('does not take back what was heard or deleted while it was on its way', async () => {
    const list = held();
    const live = new LiveExecutions(
      new Client(new FakeServer({ 'GET executions': list.answer }).transport, '')
    );
    ['e1', 'e2', 'e3'].forEach(id => live.note(stateOf(id, { status: 'running' })));
    const asked = live.refresh();
    live.note(stateOf('e2', { status: 'completed', last_event_id: 9 }));
    live.note(stateOf('e4', { status: 'running' }));
    live.forget('e3');
    list.give[0]({
      items: ['e3', 'e2', 'e1'].map(id => stateOf(id, { status: 'running' })),
      next_cursor: null
    });
    await asked;
    expect(live.states.map(state => [state.execution_id, state.status])).toEqual([
      ['e4', 'running'],
      ['e2', 'completed'],
      ['e1', 'running']
    ]);
    live.dispose();
  });
});

describe('the executions of a project that is opened', () => {
  it('are what was heard of them meanwhile, not what an older answer says', async () => {
    const list = held();
    const project = sampleProject();
    const of = (id: string, change: Partial<ExecutionState>) =>
      stateOf(id, { project_id: project.id, ...change });
    const tab = openTab({
      routes: {
        [`GET projects/${project.id}`]: () => json(project, { headers: { ETag: '"1"' } }),
        'GET executions': list.answer
      }
    });
    const loaded = tab.actions.load();
    await vi.waitFor(() => expect(list.give).toHaveLength(1), { timeout: 10_000 });
    tab.live.note(of('e1', { status: 'completed', last_event_id: 9 }));
    tab.live.note(of('e2', { status: 'completed', last_event_id: 1 }));
    list.give[0]({
      items: [of('e1', { status: 'running' }), of('e0', { status: 'failed' })],
      next_cursor: null
    });
    await loaded;
    expect(tab.state().executions.map(each => [each.execution_id, each.status])).toEqual([
      ['e2', 'completed'],
      ['e1', 'completed'],
      ['e0', 'failed']
    ]);
    // What is told again later may be older than what is known.
    tab.actions.store.setState({ executions: [of('e0', { status: 'completed', last_event_id: 5 })] });
    tab.live.note(of('e0', { status: 'running', last_event_id: 3 }));
    expect(tab.state().executions.find(each => each.execution_id === 'e0')?.status).toBe('completed');
    tab.actions.dispose();
  });
});

describe('the files of an execution', () => {
  const events = logOf([START, AGENT, call('main/1/c', 'bash', {}), result('main/1/c', 'bash', 'x')]);
  const file = (path: string) => ({ items: [{ path, size: 1, media_type: 'text/plain', modified_at: '' }] });

  it('are asked for again when more came while a look was on its way, whichever is shown then', async () => {
    const [first, second] = [held(), held()];
    const tab = openTab({
      routes: { 'GET executions/e1/files': first.answer, 'GET executions/e2/files': second.answer }
    });
    const watched = vi.spyOn(tab.live, 'watch');
    tab.actions.show('e1');
    watched.mock.calls[0][1].onEvents(events);
    tab.actions.show('e2');
    watched.mock.calls[1][1].onEvents(events);
    expect(second.give).toHaveLength(0);
    first.give[0](file('of-e1.txt'));
    await vi.waitFor(() => expect(second.give).toHaveLength(1), { timeout: 10_000 });
    second.give[0](file('of-e2.txt'));
    await vi.waitFor(() => expect(tab.state().files?.map(({ path }) => path)).toEqual(['of-e2.txt']));
    tab.actions.dispose();
  });
});

describe('a check', () => {
  it('of what was drawn before an edit is not shown as one of what is drawn now', async () => {
    const check = held();
    const tab = openTab();
    tab.server.routes[`POST projects/${tab.state().projectId}/validate`] = check.answer;
    const checked = tab.actions.check();
    tab.actions.edit(['name'], 'Another');
    check.give[0]({ ok: true, problems: [], estimate: null });
    await checked;
    expect(tab.state()).toMatchObject({ validation: null, checking: false });
    tab.actions.dispose();
  });
});

describe('more rows of the dashboard', () => {
  it('come once, however often they are asked for', async () => {
    const page = held();
    const client = new Client(new FakeServer({ 'GET executions': page.answer }).transport, '');
    const actions = new DashboardActions(client, new LiveExecutions(client));
    actions.store.setState({ metrics: METRICS, rows: [stateOf('e9')], next: 'c1' });
    const asked = [actions.more(), actions.more()];
    page.give.forEach(give => give({ items: [stateOf('e8')], next_cursor: 'c2' }));
    await Promise.all(asked);
    expect(actions.store.getState().rows.map(row => row.execution_id)).toEqual(['e9', 'e8']);
  });
});
