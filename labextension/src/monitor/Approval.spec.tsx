import { act, fireEvent, screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { RunPill } from '../canvas/RunPill';
import { Toolbar } from '../panel/Toolbar';
import { fold } from '../stores/fold';
import { emptyMonitor } from '../stores/monitor';
import { AGENT, call, logOf, START } from '../testing/events';
import type { Sketch } from '../testing/events';
import { failure, json } from '../testing/server';
import { openTab } from '../testing/tab';

import { Tree } from './Tree';

const DIFF = '--- a.md\n+++ a.md\n@@ -1 +1 @@\n-old\n+new\n';
const PREVIEW = { kind: 'diff', content: DIFF, where: 'a.md', note: '', truncated: false };

function asks(more: object = {}): Sketch[] {
  const input = { path: 'a.md', old_str: 'old', new_str: 'new' };
  return [
    START,
    AGENT,
    call('main/1/c1', 'str_replace', input),
    {
      type: 'approval_required',
      span: 'main/1/c1',
      call_id: 'c1',
      tool: 'str_replace',
      input,
      preview: PREVIEW,
      reason: 'rule str_replace: ask',
      ...more
    },
    { type: 'waiting' }
  ];
}

const ANSWERED: Sketch = {
  type: 'approval',
  span: 'main/1/c1',
  call_id: 'c1',
  decision: 'allow',
  by: 'ada',
  message: '',
  input: null
};

const ROUTE = 'POST executions/e1/approvals/c1';

function sent(tab: ReturnType<typeof openTab>): unknown {
  return tab.server.sent('POST', 'executions/e1/approvals/c1')[0]?.body;
}

describe('a call that waits for a person', () => {
  it('shows the change line by line, why it asks, and where', () => {
    const tab = openTab({ log: asks() });
    const { container } = tab.show(<Tree />);
    const kinds = [...container.querySelectorAll('.ca-Diff-line')].map(line =>
      line.getAttribute('data-line')
    );
    expect(kinds).toEqual(['place', 'removed', 'added']);
    const question = screen.getByRole('region', { name: 'str_replace waits for you' });
    expect(question.textContent).toContain('a.md');
    expect(question.textContent).toContain('rule str_replace: ask');
    expect(container.querySelector('[data-kind=tool] .ca-Badge')?.textContent).toBe('waits for you');
  });

  it('shows a command as it would be typed, and arguments where nobody can tell the effect', () => {
    const preview = { ...PREVIEW, kind: 'command', content: 'make all', where: 'workspace' };
    const command = openTab({ log: asks({ preview }) }).show(<Tree />);
    expect(command.container.querySelector('.ca-mod-command')?.textContent).toBe('make all');
    command.unmount();
    const unknown = openTab({ log: asks({ preview: null, input: { a: 1 } }) }).show(<Tree />);
    expect(unknown.container.querySelector('.ca-Ask-content')?.textContent).toBe('{\n  "a": 1\n}');
  });

  it('sends yes as it is, and the question goes when the log says so', async () => {
    const tab = openTab({ log: asks(), routes: { [ROUTE]: () => json({}) } });
    tab.show(<Tree />);
    fireEvent.click(screen.getByRole('button', { name: 'Allow' }));
    await waitFor(() => expect(sent(tab)).toEqual({ decision: 'allow', message: '' }));
    const log = logOf([...asks(), ANSWERED]);
    act(() => tab.actions.store.setState({ monitor: fold(emptyMonitor('e1'), log) }));
    expect(screen.queryByRole('region', { name: /waits for you/ })).toBeNull();
    expect(screen.getByText('allowed').getAttribute('title')).toBe('by ada');
  });

  it('sends a no with its words, also by Enter in the message', async () => {
    const tab = openTab({ log: asks(), routes: { [ROUTE]: () => json({}) } });
    tab.show(<Tree />);
    const message = screen.getByLabelText('Message to the agent');
    fireEvent.change(message, { target: { value: 'Use b.md.' } });
    fireEvent.keyDown(message, { key: 'Enter' });
    await waitFor(() => expect(sent(tab)).toEqual({ decision: 'deny', message: 'Use b.md.' }));
  });

  it('takes changed arguments only as JSON objects, and shows what the server says against them', async () => {
    const tab = openTab({
      log: asks(),
      routes: { [ROUTE]: () => failure(400, 'INVALID_REQUEST', 'path: 3 is no text') }
    });
    tab.show(<Tree />);
    fireEvent.click(screen.getByRole('button', { name: 'Edit arguments' }));
    const box = screen.getByLabelText('Arguments, as JSON');
    const allow = screen.getByRole<HTMLButtonElement>('button', { name: 'Allow as changed' });
    for (const wrong of ['{', '[1]', 'null']) {
      fireEvent.change(box, { target: { value: wrong } });
      expect(allow.disabled).toBe(true);
    }
    fireEvent.change(box, { target: { value: '{"path": 3}' } });
    fireEvent.click(allow);
    await waitFor(() => expect(screen.getByRole('alert').textContent).toBe('path: 3 is no text'));
    expect(sent(tab)).toEqual({ decision: 'allow', message: '', input: { path: 3 } });
    fireEvent.click(screen.getByRole('button', { name: 'Undo the changes' }));
    expect(screen.queryByLabelText('Arguments, as JSON')).toBeNull();
  });

  it('is gone with the execution that was stopped', () => {
    const stopped: Sketch = { type: 'cancelled', by: 'ada', usage: {}, duration_ms: 1, result: null };
    openTab({ log: [...asks(), stopped] }).show(<Tree />);
    expect(screen.queryByRole('button', { name: 'Allow' })).toBeNull();
  });
});

describe('elsewhere in the tab', () => {
  it('the toolbar says that approval is waited for, and leads there', () => {
    const tab = openTab({ log: asks() });
    tab.show(
      <>
        <Toolbar />
        <Tree />
      </>
    );
    fireEvent.click(screen.getByRole('button', { name: 'waiting for approval' }));
    expect(tab.state().drawer.open).toBe(true);
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Allow' }));
  });

  it('the pill waits too, its clock stands, and Stop stays at hand', () => {
    const tab = openTab({ log: asks() });
    tab.show(<RunPill />);
    expect(screen.getByText('Waits for you')).toBeTruthy();
    // Started in second 0, waiting since second 4.
    expect(screen.getByText(/^4 s/)).toBeTruthy();
    expect(screen.getByRole('button', { name: 'Stop' })).toBeTruthy();
  });

  it('step by step asks the server to ask for every call', async () => {
    const tab = openTab();
    tab.server.routes[`POST projects/${tab.state().projectId}/execute`] = () => json({ execution_id: 'e2' });
    tab.show(<Toolbar />);
    fireEvent.click(screen.getByRole('button', { name: /step by step/ }));
    expect(tab.state().asking).toBe(true); // the project has a variable to be given first
    tab.actions.runs.edit({ variables: { file: 'a.csv' } });
    await act(() => tab.actions.runs.submit());
    expect(tab.server.sent('POST', 'projects/')[0]?.body).toMatchObject({ step: true });
  });
});
