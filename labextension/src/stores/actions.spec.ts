import { afterEach, describe, expect, it, vi } from 'vitest';

import type { Definition, ExecutionState } from '../api/types';
import { sampleProject } from '../testing/definition';
import { failure, json } from '../testing/server';
import type { Answer } from '../testing/server';
import { openTab } from '../testing/tab';
import type { Tab } from '../testing/tab';
import { isDirty } from './select';

const ID = sampleProject().id;
const OK: Answer = () => json({ ok: true, problems: [], estimate: { input_tokens: 10, cost_usd: 0.01 } });
const saved: Answer = ({ body }) =>
  json({ ...sampleProject(), ...(body as Definition), version: 4 }, { headers: { ETag: '"2"' } });

let tab: Tab;
afterEach(() => tab.actions.dispose());

describe('saving', () => {
  it('sends edits with the tag that was read, and takes the new one', async () => {
    tab = openTab({ routes: { [`PUT projects/${ID}`]: saved, [`POST projects/${ID}/validate`]: OK } });
    tab.actions.edit(['agent', 'task'], 'New task');
    expect(isDirty(tab.state())).toBe(true);
    expect(await tab.actions.save()).toBe(true);
    const [put] = tab.server.sent('PUT', 'projects');
    expect(put.headers.get('If-Match')).toBe('"1"');
    expect((put.body as Definition).agent.task).toBe('New task');
    expect(put.body).not.toHaveProperty('version');
    expect(tab.state()).toMatchObject({ etag: '"2"', stale: false });
    expect(isDirty(tab.state())).toBe(false);
  });

  it('says that a save is stale, keeps the edits, and overwrites nothing', async () => {
    const routes = {
      [`PUT projects/${ID}`]: () => failure(412, 'PRECONDITION_FAILED', 'changed'),
      [`GET projects/${ID}`]: () =>
        json({ ...sampleProject(), name: 'Theirs' }, { headers: { ETag: '"9"' } }),
      [`POST projects/${ID}/validate`]: OK
    };
    tab = openTab({ routes });
    tab.actions.edit(['name'], 'Mine');
    expect(await tab.actions.save()).toBe(false);
    expect(tab.state()).toMatchObject({ stale: true, trouble: null });
    expect(tab.state().history?.definition.name).toBe('Mine');
    await tab.actions.reloadAfterConflict();
    expect(tab.state()).toMatchObject({ stale: false, etag: '"9"' });
    expect(tab.state().history?.definition.name).toBe('Theirs');
  });

  it('saves where cards stand by itself, without unsaved edits', async () => {
    vi.useFakeTimers();
    tab = openTab({ routes: { [`PUT projects/${ID}`]: saved } });
    tab.actions.edit(['name'], 'Not yet');
    tab.actions.move({ agent: { x: 20, y: 20 } });
    tab.actions.move({ agent: { x: 100, y: 80 } });
    await vi.advanceTimersByTimeAsync(400);
    vi.useRealTimers();
    const puts = tab.server.sent('PUT', 'projects');
    expect(puts).toHaveLength(1);
    const body = puts[0].body as Definition;
    expect(body.name).toBe('Sales analyst');
    expect(body.ui.nodes).toContainEqual({ id: 'agent', position: { x: 100, y: 80 } });
    expect(isDirty(tab.state())).toBe(true);
  });

  it('forgets a view that a person had, and writes nothing when there was none', async () => {
    vi.useFakeTimers();
    tab = openTab({ routes: { [`PUT projects/${ID}`]: saved, [`PATCH projects/${ID}/ui`]: OK } });
    const before = tab.state().saved!;
    tab.actions.store.setState({ saved: { ...before, ui: { ...before.ui, viewport: null } } });
    tab.actions.forgetView();
    await vi.advanceTimersByTimeAsync(400);
    expect(tab.server.sent('PUT', 'projects')).toHaveLength(0);
    tab.actions.rememberView({ viewport: { x: 1, y: 2, zoom: 0.5 } });
    tab.actions.forgetView();
    await vi.advanceTimersByTimeAsync(400);
    vi.useRealTimers();
    const [put] = tab.server.sent('PUT', 'projects');
    expect((put.body as Definition).ui.viewport).toBeNull();
    expect(tab.server.sent('PATCH', 'projects')).toHaveLength(0);
  });
});

describe('running', () => {
  const accepted: Answer = () =>
    json({ execution_id: 'e7', status: 'running', position: null, stream_url: '' });

  it('asks for a required variable without a default before anything is sent', async () => {
    tab = openTab();
    await tab.actions.run();
    expect(tab.state().asking).toBe(true);
    expect(tab.server.sent('POST', 'projects')).toHaveLength(0);
  });

  it('saves first, says that the panel asks, and shows the execution', async () => {
    tab = openTab({
      routes: {
        [`PUT projects/${ID}`]: saved,
        [`POST projects/${ID}/validate`]: OK,
        [`POST projects/${ID}/execute`]: accepted
      }
    });
    tab.actions.edit(['name'], 'Edited');
    await tab.actions.runWith({ variables: { file: 'a.csv' } });
    const methods = tab.server.asked.map(each => `${each.method} ${each.path}`);
    expect(methods.indexOf(`PUT projects/${ID}`)).toBeLessThan(
      methods.indexOf(`POST projects/${ID}/execute`)
    );
    const [execute] = tab.server.sent('POST', `projects/${ID}/execute`);
    expect(execute.body).toEqual({ variables: { file: 'a.csv' } });
    expect(execute.headers.get('X-CloutAgent-Origin')).toBe('panel');
    expect(tab.state()).toMatchObject({ executionId: 'e7', drawer: { open: true } });
  });

  it('shows the problems when the project cannot run', async () => {
    tab = openTab({
      routes: {
        [`POST projects/${ID}/execute`]: () => failure(400, 'INVALID_PROJECT', 'no'),
        [`POST projects/${ID}/validate`]: () =>
          json({
            ok: false,
            problems: [
              { severity: 'error', code: 'NOT_SUPPORTED', node: 'hook:guard', path: null, message: 'off' }
            ],
            estimate: { input_tokens: 1, cost_usd: null }
          })
      }
    });
    await tab.actions.runWith({ variables: { file: 'a.csv' } });
    expect(tab.state()).toMatchObject({ problemsOpen: true, trouble: null, starting: false });
  });

  it('says what failed in the server’s own words', async () => {
    tab = openTab({
      routes: { [`POST projects/${ID}/execute`]: () => failure(503, 'QUEUE_FULL', '50 wait') }
    });
    await tab.actions.runWith({ variables: { file: 'a.csv' } });
    expect(tab.state().trouble).toEqual({ code: 'QUEUE_FULL', message: '50 wait' });
  });
});

describe('opening', () => {
  it('shows a run that a notebook starts, unless another one goes on', async () => {
    const none = () => json({ items: [], next_cursor: null });
    tab = openTab({
      routes: {
        [`GET projects/${ID}`]: () => json(sampleProject(), { headers: { ETag: '"1"' } }),
        'GET models': none,
        'GET tools': none,
        'GET executions': none,
        [`POST projects/${ID}/validate`]: OK
      }
    });
    await tab.actions.load();
    const state = { project_id: ID, status: 'running', last_event_id: 1 } as ExecutionState;
    tab.live.note({ ...state, execution_id: 'n1', created_at: '2026-11-22T08:00:01.000Z' });
    expect(tab.state()).toMatchObject({ executionId: 'n1', drawer: { open: true } });
    tab.live.note({ ...state, execution_id: 'n2', created_at: '2026-11-22T08:00:02.000Z' });
    expect(tab.state().executionId).toBe('n1');
  });

  it('leaves the monitor folded when it was folded and nothing runs', async () => {
    const project = sampleProject();
    project.ui.folded = ['monitor'];
    const done = {
      execution_id: 'e1',
      project_id: ID,
      status: 'completed',
      created_at: '',
      last_event_id: 1
    };
    tab = openTab({
      routes: {
        [`GET projects/${ID}`]: () => json(project, { headers: { ETag: '"1"' } }),
        [`POST projects/${ID}/validate`]: OK,
        'GET executions': () => json({ items: [done], next_cursor: null })
      }
    });
    await tab.actions.load();
    expect(tab.state()).toMatchObject({ executionId: 'e1', drawer: { open: false } });
  });

  it('finds the execution that goes on again', async () => {
    const execution = (id: string, status: string) => ({
      execution_id: id,
      project_id: ID,
      project_name: 'x',
      status,
      created_at: `2026-11-22T08:00:0${id}.000Z`,
      last_event_id: 1
    });
    tab = openTab({
      routes: {
        [`GET projects/${ID}`]: () => json(sampleProject(), { headers: { ETag: '"1"' } }),
        'GET models': () => json({ items: [], next_cursor: null, credentials: 'none', base_url: null }),
        'GET tools': () => json({ items: [], next_cursor: null }),
        [`POST projects/${ID}/validate`]: OK,
        'GET executions': () =>
          json({ items: [execution('2', 'completed'), execution('1', 'running')], next_cursor: null })
      }
    });
    await tab.actions.load();
    expect(tab.state().executionId).toBe('1');
  });

  it('says why a project cannot be opened', async () => {
    tab = openTab({
      state: { history: null },
      routes: { [`GET projects/${ID}`]: () => failure(409, 'UNREADABLE_FILE', 'metadata.json, line 3') }
    });
    await tab.actions.load();
    expect(tab.state().loadTrouble).toEqual({ code: 'UNREADABLE_FILE', message: 'metadata.json, line 3' });
  });
});

describe('room', () => {
  it('opens properties where there is room, and folds them when a notebook takes it', () => {
    tab = openTab();
    tab.actions.setSize(1000, 700);
    expect(tab.state()).toMatchObject({ propertiesOpen: true, selected: 'agent' });
    tab.actions.setSize(540, 700);
    expect(tab.state().propertiesOpen).toBe(false);
    tab.actions.select('hook:guard');
    expect(tab.state()).toMatchObject({ propertiesOpen: false, selected: 'hook:guard' });
    tab.actions.openProperties('hook:guard');
    expect(tab.state().propertiesOpen).toBe(true);
  });
});
