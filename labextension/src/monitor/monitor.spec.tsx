import { act, fireEvent, screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import type { Sketch } from '../testing/events';
import { AGENT, call, cost, logOf, result, START, WHOLE_RUN } from '../testing/events';
import { fold } from '../stores/fold';
import { Log } from '../stores/log';
import { emptyMonitor } from '../stores/monitor';
import { drawerHeight } from '../stores/select';
import { openTab } from '../testing/tab';
import { Drawer } from './Drawer';
import { Events } from './Events';
import { inputLine, inputText, outputLine } from './summary';
import { Tree } from './Tree';

const rowTexts = (container: HTMLElement) =>
  [...container.querySelectorAll('[role=treeitem]')].map(row => row.textContent ?? '');

describe('tree of steps', () => {
  it('has a row for agent, turn, thinking, text, call and subagent, then the result', () => {
    const tab = openTab({ log: WHOLE_RUN });
    const { container } = tab.show(<Tree />);
    const rows = rowTexts(container);
    expect(rows[0]).toBe('Sales analyst120 tok · $0.020');
    expect(rows[1]).toContain('Turn 1');
    expect(rows[2]).toContain('ThinkingLook first.');
    expect(rows[3]).toContain('Reading.');
    expect(rows[4]).toContain('bashhead -5 sales.csv0.4 s');
    expect(rows[4]).toContain('a,b … 1,2');
    expect(rows.some(row => row.startsWith('StatisticianHow sure?'))).toBe(true);
    expect(container.querySelector('.ca-Outcome')?.textContent).toContain('South leads.');
    expect(container.querySelector('.ca-Outcome')?.textContent).toContain('Simulated model: no account used');
  });

  it('grows while events come in', () => {
    const log = logOf(WHOLE_RUN);
    const tab = openTab({ log: WHOLE_RUN.slice(0, 4) });
    const { container } = tab.show(<Tree />);
    const before = rowTexts(container).length;
    act(() => tab.actions.store.setState({ monitor: fold(tab.state().monitor ?? emptyMonitor('e1'), log) }));
    expect(rowTexts(container).length).toBeGreaterThan(before);
  });

  it('opens a call to its whole input and output, by mouse and by keyboard', () => {
    const tab = openTab({ log: WHOLE_RUN });
    const { container } = tab.show(<Tree />);
    const row = () => container.querySelectorAll<HTMLElement>('[role=treeitem]')[4];
    expect(row().getAttribute('aria-expanded')).toBe('false');
    fireEvent.click(row().querySelector('.ca-Row-line')!);
    expect(row().getAttribute('aria-expanded')).toBe('true');
    expect(row().querySelector('pre')?.textContent).toBe('head -5 sales.csv');
    expect(row().querySelector('[data-testid=rendered]')?.textContent).toBe('a,b\n1,2\n');
    fireEvent.keyDown(row(), { key: 'ArrowLeft' });
    expect(row().getAttribute('aria-expanded')).toBe('false');
    fireEvent.keyDown(row(), { key: 'ArrowDown' });
    expect(document.activeElement).toBe(container.querySelectorAll('[role=treeitem]')[5]);
  });

  it('marks what failed and says what to do about it', () => {
    const tab = openTab({
      log: [
        START,
        AGENT,
        call('main/1/c1', 'bash', { command: 'false' }),
        result('main/1/c1', 'bash', 'exit code 1', { is_error: true }),
        {
          type: 'error',
          code: 'COST_LIMIT_EXCEEDED',
          message: 'The run reached its cost limit.',
          details: {},
          usage: {},
          total_cost_usd: 1,
          duration_ms: 10,
          result: null
        }
      ]
    });
    const { container } = tab.show(<Tree />);
    expect(container.querySelector('[data-kind=tool][data-state=failed]')).not.toBeNull();
    expect(screen.getByRole('alert').textContent).toContain('Raise the cost limit');
  });

  it('stops following when the reader scrolls up, and follows again on the button', () => {
    const tab = openTab({ log: WHOLE_RUN });
    const { container } = tab.show(<Tree />);
    const scroller = container.querySelector('.ca-Tree-scroll')!;
    Object.defineProperties(scroller, { scrollHeight: { value: 1000 }, clientHeight: { value: 200 } });
    scroller.scrollTop = 800;
    fireEvent.scroll(scroller);
    scroller.scrollTop = 300;
    fireEvent.scroll(scroller);
    expect(tab.state().following).toBe(false);
    fireEvent.click(screen.getByText('Follow'));
    expect(tab.state().following).toBe(true);
  });

  it('fetches a picture of the output with the user’s proof of identity', async () => {
    const picture = { type: 'image', media_type: 'image/png', path: 'charts/a b.png', alt: 'Revenue' };
    const tab = openTab({
      routes: { 'GET executions/e1/files/charts/a%20b.png': () => new Response('png') },
      log: [
        START,
        AGENT,
        call('main/1/c1', 'python', { code: 'plot()' }),
        result('main/1/c1', 'python', '', { output: [picture] })
      ]
    });
    tab.show(<Tree />);
    await waitFor(() => expect(screen.getByAltText('Revenue')).toBeTruthy());
  });
});

describe('a run without steps', () => {
  it.each([
    ['starting', [], 'Starting…'],
    ['queued', [{ type: 'queued', execution_id: 'e1', position: 2 }], 'Waiting in the queue, place 2'],
    ['started', [START], 'Starting…'],
    ['cancelled in the queue', [{ type: 'cancelled', usage: {} }], 'Stopped before its first step.']
  ])('that is %s says what is waited for', (_, log, words) => {
    openTab({ log: log as Sketch[] }).show(<Tree />);
    expect(screen.getByRole('status').textContent).toBe(words);
  });

  it('says nothing more once there are steps', () => {
    openTab({ log: [START, AGENT] }).show(<Tree />);
    expect(screen.queryByText('Starting…')).toBeNull();
  });
});

describe('what is waited for', () => {
  /** A log whose last event came so many seconds ago. */
  const since = (seconds: number, ...sketches: Sketch[]) => {
    const log = sketches.map(each => ({ ...each, ts: new Date(Date.now() - seconds * 1_000).toISOString() }));
    return openTab({ log, state: { drawer: { open: true, height: 300, tab: 'steps', file: null } } });
  };

  it('is said with its time: a server by its name, and the model', () => {
    const slow = call('main/1/c1', 'mcp__time__now', {}, { source: 'mcp:time' });
    const { container, unmount } = since(34, START, AGENT, slow).show(<Tree />);
    expect(container.querySelector('.ca-Row[data-kind=tool]')?.textContent).toMatch(
      /waiting 3[4-9] s for MCP server time/i
    );
    unmount();
    since(75, START, AGENT).show(<Tree />);
    expect(screen.getByText(/^waiting 1 min \d+ s for the model$/)).toBeTruthy();
  });
});

describe('long outputs', () => {
  it.each([
    ['many lines', 'row\n'.repeat(500), 'Show 489 more lines'],
    ['one endless line', 'x'.repeat(90_000), 'Show all, 90.0 kB']
  ])('of %s fold, and unfold', (_, text, words) => {
    const tab = openTab({
      log: [START, AGENT, call('main/1/c1', 'bash', { command: 'x' }), result('main/1/c1', 'bash', text)]
    });
    const { container } = tab.show(<Tree />);
    fireEvent.click(container.querySelector('[data-kind=tool] .ca-Row-line')!);
    const shown = () => container.querySelector('[data-testid=rendered]')!.textContent!.length;
    expect(shown()).toBeLessThan(5_000);
    fireEvent.click(screen.getByText(words));
    expect(shown()).toBe(text.length);
  });
});

describe('the log', () => {
  it('does not draw a row again because another event has come', async () => {
    const tab = openTab({ log: WHOLE_RUN.slice(0, 4) });
    const { container } = tab.show(<Events />);
    const rows = () => [...container.querySelectorAll('.ca-Event')];
    const before = rows();
    const changed: MutationRecord[] = [];
    const observer = new MutationObserver(records => changed.push(...records));
    before.forEach(row => observer.observe(row, { attributes: true, childList: true, subtree: true }));
    const log = logOf(WHOLE_RUN);
    const grow = (count: number) =>
      act(() =>
        tab.actions.store.setState(({ runs, monitor }) => ({
          runs: { ...runs, events: Log.of(log.slice(0, count)) },
          monitor: fold(monitor ?? emptyMonitor('e1'), log.slice(0, count))
        }))
      );
    grow(6);
    await waitFor(() => expect(rows()).toHaveLength(6));
    observer.takeRecords().forEach(record => changed.push(record));
    expect(changed).toEqual([]);
    expect(rows()[5].getAttribute('aria-setsize')).toBe('-1');
    // Once it has ended, a screen reader is told how many there are.
    grow(log.length);
    expect(rows()[0].getAttribute('aria-setsize')).toBe(String(log.length));
    observer.disconnect();
  });
});

describe('drawer', () => {
  it('says how it stands, what it costs of what it may, and that nobody pays', () => {
    const tab = openTab({
      log: WHOLE_RUN,
      state: { drawer: { open: true, height: 200, tab: 'steps', file: null } }
    });
    const { container } = tab.show(<Drawer />);
    expect(screen.getAllByRole('status')[0].textContent).toContain('completed');
    expect(screen.getByText('Simulated model: no account used')).toBeTruthy();
    const cost = container.querySelector('[role=meter]');
    expect(cost?.getAttribute('aria-valuetext')).toBe('$0.020 / $1.00');
    expect(cost?.getAttribute('aria-valuenow')).toBe('2');
  });

  it('teaches the next step when nothing has run', () => {
    const tab = openTab({ state: { drawer: { open: true, height: 200, tab: 'steps', file: null } } });
    tab.show(<Drawer />);
    expect(screen.getByText(/Press Run/)).toBeTruthy();
  });

  it('lists files, opens one beside the list', async () => {
    const file = { path: 'report.md', size: 1200, modified_at: '', media_type: 'text/markdown' };
    const tab = openTab({
      routes: { 'GET executions/e1/files/report.md': () => new Response('# South leads') },
      log: WHOLE_RUN,
      state: { files: [file], drawer: { open: true, height: 200, tab: 'files', file: null } }
    });
    tab.show(<Drawer />);
    fireEvent.click(screen.getByText('report.md'));
    await waitFor(() => expect(screen.getByText('# South leads')).toBeTruthy());
  });

  it('takes little more than a third of the tab until somebody resizes it', () => {
    expect(drawerHeight(openTab({ state: { height: 712 } }).state())).toBe(230);
    const drawer = { open: true, height: 600, tab: 'steps' as const, file: null };
    // In a lower window the canvas keeps its room; where there is none for both, both have less.
    expect(drawerHeight(openTab({ state: { height: 500, drawer } }).state())).toBe(218);
    expect(drawerHeight(openTab({ state: { height: 318, drawer } }).state())).toBe(153);
  });

  it('says in a tooltip what the meters have no room for', () => {
    openTab({ log: WHOLE_RUN }).show(<Drawer />);
    expect(screen.getAllByRole('status')[0].title).toBe(
      'Cost: $0.020 / $1.00\n' +
        'Tokens: 120 / 1k (100 fresh · 0 written · 0 cached · 20 output)\n' +
        'Time: 9.0 s / 1 min'
    );
  });

  it('tells tokens apart by what they cost, at the meter and beside the line of the cost', () => {
    const usage = {
      input_tokens: 1_200,
      cache_creation_input_tokens: 300,
      cache_read_input_tokens: 64_000,
      output_tokens: 40
    };
    const tab = openTab({
      log: [START, AGENT, cost('main/1', 0.01, { usage })],
      state: { drawer: { open: true, height: 200, tab: 'cost', file: null } }
    });
    const { container } = tab.show(<Drawer />);
    const told = [...container.querySelectorAll('.ca-TokenKinds > div')].map(each => each.textContent);
    expect(told).toEqual(['fresh1.2k tok', 'written300 tok', 'cached64k tok', 'output40 tok']);
    expect(container.querySelector('[data-meter=tokens]')?.getAttribute('title')).toBe(
      'Tokens: 1.5k / 1k (1.2k fresh · 300 written · 64k cached · 40 output)'
    );
  });

  it('shows how full the context window is, and that a summary emptied it', () => {
    const full = cost('main/1', 0.01, { context: { tokens: 850_000, window: 1_000_000 } });
    const { container } = openTab({ log: [START, AGENT, full] }).show(<Drawer />);
    const meter = container.querySelector('[data-meter=context]');
    expect(meter?.textContent).toBe('Context850k / 1M');
    expect(meter?.querySelector('[role=meter]')?.getAttribute('aria-valuenow')).toBe('85');
    expect(meter?.querySelector('[data-warn]')).not.toBeNull();
    const compacted: Sketch = {
      type: 'warning',
      span: 'main/2',
      code: 'COMPACTED',
      message: 'Summarised.',
      details: { tokens_before: 850_000, tokens_after: 12_000 }
    };
    const emptied = fold(emptyMonitor('e1'), logOf([START, AGENT, full, compacted]));
    expect(emptied.context).toEqual({ tokens: 12_000, window: 1_000_000 });
  });

  it('shows no share of a window that nobody knows', () => {
    const unknown = cost('main/1', 0.01, { context: { tokens: 900, window: null } });
    const { container } = openTab({ log: [START, AGENT, unknown] }).show(<Drawer />);
    expect(container.querySelector('[data-meter=context]')?.textContent).toBe('Context900');
  });

  it('lists no pictures that a row shows already, but opens them', () => {
    const made = (path: string) => ({ path, size: 9, modified_at: '', media_type: 'application/x' });
    const files = [made('chart.bin'), made('.artifacts/c1-0.bin')];
    const tab = openTab({
      log: WHOLE_RUN,
      state: { files, drawer: { open: true, height: 200, tab: 'files', file: null } }
    });
    tab.show(<Drawer />);
    expect(screen.getByRole('tab', { name: 'Files 1' })).toBeTruthy();
    expect(screen.queryByTitle('.artifacts/c1-0.bin')).toBeNull();
    act(() => tab.actions.showTab('files', '.artifacts/c1-0.bin'));
    expect(screen.getByRole('region', { name: '.artifacts/c1-0.bin' })).toBeTruthy();
  });

  it('is resized by keyboard', () => {
    const tab = openTab({ state: { drawer: { open: true, height: 200, tab: 'steps', file: null } } });
    tab.show(<Drawer />);
    fireEvent.keyDown(screen.getByRole('separator'), { key: 'ArrowDown' });
    expect(tab.state().drawer.height).toBe(168);
  });
});

describe('one line for a call', () => {
  it('is its telling field, without comments and imports', () => {
    expect(inputLine({ code: '# look\nimport pandas as pd\ndf.describe()' })).toBe('df.describe()');
    expect(inputLine({ path: '.', pattern: 'x.*y' })).toBe('x.*y');
    expect(inputLine({ n: 3 })).toBe('{"n":3}');
    expect(inputText({ command: 'ls\npwd' })).toBe('ls\npwd');
    expect(outputLine([{ type: 'text', text: '\u001b[1mone\u001b[0m\ntwo\nthree', path: null }])).toBe(
      'one … three'
    );
  });
});
