import { act, fireEvent, screen } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import { Toolbar } from '../panel/Toolbar';
import type { Sketch } from '../testing/events';
import { START, AGENT } from '../testing/events';
import { json } from '../testing/server';
import { openTab } from '../testing/tab';
import { sampleDefinition } from '../testing/definition';
import { graphOf } from '../graph/graph';
import { useProject } from '../ui/context';
import { Canvas } from './Canvas';
import { nodesOf, wiresOf } from './nodes';

describe('canvas', () => {
  it('shows every card with a name for screen readers, and opens the one that Enter is pressed on', () => {
    const tab = openTab();
    const { container } = tab.show(<Canvas definition={tab.state().history!.definition} />);
    const labels = [...container.querySelectorAll('.react-flow__node')].map(node =>
      node.getAttribute('aria-label')
    );
    expect(labels).toEqual([
      'agent: Sales analyst',
      'subagent: Statistician',
      'subagent: Checker',
      'hook: No deletes',
      'MCP server: Time',
      'note: How this works'
    ]);
    fireEvent.keyDown(container.querySelector('[data-id="hook:guard"]')!, { key: 'Enter' });
    expect(tab.state()).toMatchObject({ selected: 'hook:guard', propertiesOpen: true });
    fireEvent.click(container.querySelector('[data-id="agent"]')!);
    expect(tab.state().selected).toBe('agent');
  });

  it('floats the pill with Stop only while something runs', () => {
    const running = openTab({ log: [START, AGENT] });
    const view = running.show(<Canvas definition={running.state().history!.definition} />);
    expect(view.container.querySelector('.ca-Pill')?.textContent).toContain('Running');
    view.unmount();
    const idle = openTab();
    const quiet = idle.show(<Canvas definition={idle.state().history!.definition} />);
    expect(quiet.container.querySelector('.ca-Pill')).toBeNull();
  });

  it('says of a run that waits its place and Cancel, in the pill and in the toolbar, and takes it out', async () => {
    const queued = [{ type: 'queued', execution_id: 'e1', position: 2 } as Sketch];
    const tab = openTab({
      log: queued,
      routes: { 'POST executions/e1/cancel': () => json({ execution_id: 'e1', status: 'cancelled' }) }
    });
    const { container } = tab.show(
      <>
        <Toolbar />
        <Canvas definition={tab.state().history!.definition} />
      </>
    );
    expect(container.querySelector('.ca-Pill')?.textContent).toBe('Queuedplace 2Cancel');
    expect(screen.queryByText('Stop')).toBeNull();
    expect(screen.getAllByText('Cancel')).toHaveLength(2);
    fireEvent.click(screen.getAllByText('Cancel')[1]);
    await vi.waitFor(() => expect(tab.server.sent('POST', 'executions/e1/cancel')).toHaveLength(1));
  });

  it('offers to go on where an execution was left, and shows the one that does', async () => {
    const left = openTab({
      log: [START, AGENT, { type: 'interrupted', why: 'the server was stopped' }],
      state: { executionId: 'e1' },
      routes: {
        'POST executions/e1/resume': () => json({ execution_id: 'e2' }, { status: 202 }),
        'GET executions/e2': () => json({ execution_id: 'e2', status: 'running' })
      }
    });
    left.show(<Canvas definition={left.state().history!.definition} />);
    fireEvent.click(screen.getByText('Resume'));
    await vi.waitFor(() => expect(left.state().executionId).toBe('e2'));
    expect(left.server.sent('POST', 'executions/e1/resume')).toHaveLength(1);
  });
});

describe('drawing', () => {
  const opened = () => {
    const tab = openTab();
    const Live = () => <Canvas definition={useProject(state => state.history!.definition)} />;
    const { container } = tab.show(<Live />);
    const card = (id: string) => container.querySelector(`[data-id="${id}"]`)!;
    return {
      tab,
      container,
      card,
      ids: () => graphOf(tab.state().history!.definition).cards.map(each => each.id)
    };
  };

  it('adds a card by a press on the palette, used by the card that is chosen, and takes it back', () => {
    const { tab, card, ids } = opened();
    fireEvent.click(card('subagent:checker'));
    // 500 px wide: the palette is folded, and folds again when it was used.
    expect(screen.queryByRole('button', { name: 'Add MCP server' })).toBeNull();
    fireEvent.click(screen.getByRole('button', { name: 'Add to the canvas' }));
    fireEvent.click(screen.getByRole('button', { name: 'Add MCP server' }));
    expect(screen.queryByRole('button', { name: 'Add MCP server' })).toBeNull();
    expect(tab.state()).toMatchObject({ selected: 'mcp:mcp-server', propertiesOpen: true });
    const { subagents } = tab.state().history!.definition;
    expect(subagents.find(each => each.id === 'checker')?.mcps).toEqual(['mcp-server']);
    fireEvent.keyDown(card('agent'), { key: 'z', ctrlKey: true });
    expect(ids()).not.toContain('mcp:mcp-server');
  });

  it('connects by keyboard to what can be connected, and to nothing else', () => {
    const { tab, card } = opened();
    fireEvent.click(card('subagent:checker'));
    fireEvent.click(screen.getByRole('button', { name: 'Connect to …' }));
    const items = screen.getAllByRole('menuitem').map(item => item.textContent);
    expect(items).toEqual(['Sales analystagent', 'TimeMCP server']);
    fireEvent.click(screen.getByRole('menuitem', { name: /Time/ }));
    expect(tab.state().history!.definition.subagents[1].mcps).toEqual(['time']);
  });

  it('says why a wire cannot be', () => {
    const { tab } = opened();
    act(() => tab.actions.connect('subagent:checker', 'subagent:statistician'));
    expect(screen.getByRole('status').textContent).toContain('circle');
    expect(tab.state().history!.past).toHaveLength(0);
  });

  it('deletes, duplicates and pastes what is chosen, and keeps its hands off text fields', () => {
    const { tab, card, ids, container } = opened();
    fireEvent.click(card('hook:guard'));
    fireEvent.keyDown(card('hook:guard'), { key: 'd', ctrlKey: true });
    expect(ids()).toContain('hook:guard-2');
    fireEvent.keyDown(card('hook:guard-2'), { key: 'Delete' });
    expect(ids()).not.toContain('hook:guard-2');
    fireEvent.keyDown(card('agent'), { key: 'a', ctrlKey: true });
    expect(tab.state().picked).toHaveLength(6);
    const clipboard = new Map<string, string>();
    const clipboardData = {
      setData: (type: string, text: string) => clipboard.set(type, text),
      getData: (type: string) => clipboard.get(type) ?? ''
    };
    fireEvent.copy(card('agent'), { clipboardData });
    fireEvent.paste(card('agent'), { clipboardData });
    expect(ids()).toHaveLength(11);
    const field = document.createElement('input');
    container.querySelector('.react-flow')!.append(field);
    fireEvent.keyDown(field, { key: 'Delete' });
    expect(ids()).toHaveLength(11);
  });

  it('lines up what is chosen, as one step', () => {
    const { tab, card } = opened();
    const lefts = () => {
      const { cards } = graphOf(tab.state().history!.definition);
      return new Set(cards.filter(each => tab.state().picked.includes(each.id)).map(each => each.position.x));
    };
    act(() => tab.actions.pick(['subagent:checker', 'hook:guard', 'mcp:time'], []));
    expect(lefts().size).toBeGreaterThan(1);
    fireEvent.click(screen.getByRole('button', { name: 'Align left edges' }));
    expect(lefts().size).toBe(1);
    fireEvent.keyDown(card('agent'), { key: 'z', ctrlKey: true });
    expect(lefts().size).toBeGreaterThan(1);
  });

  it('never deletes the agent', () => {
    const { tab, card, ids } = opened();
    fireEvent.keyDown(card('agent'), { key: 'a', ctrlKey: true });
    fireEvent.keyDown(card('agent'), { key: 'Delete' });
    expect(ids()).toEqual(['agent']);
    expect(tab.state().selected).toBe('agent');
  });
});

describe('an agent without a task', () => {
  it('is told what to do next, until it has something', () => {
    const empty = openTab();
    const definition = {
      ...empty.state().history!.definition,
      subagents: [],
      hooks: [],
      mcps: [],
      ui: { ...empty.state().history!.definition.ui, notes: [] }
    };
    const fresh = { ...definition, agent: { ...definition.agent, task: ' ' } };
    const view = empty.show(<Canvas definition={fresh} />);
    fireEvent.click(screen.getByText('Write its task'));
    expect(empty.state()).toMatchObject({ selected: 'agent', propertiesOpen: true });
    view.unmount();
    openTab().show(<Canvas definition={definition} />);
    expect(screen.queryByText('Write its task')).toBeNull();
  });
});

describe('nodes for React Flow', () => {
  const label = (id: string) => id;

  it('stay the same objects when nothing about them changed', () => {
    const definition = sampleDefinition();
    const first = nodesOf(graphOf(definition), [], [], label);
    const edited = { ...definition, hooks: [{ ...definition.hooks[0], name: 'Other' }] };
    const second = nodesOf(graphOf(edited), first, [], label);
    const changed = second.filter((node, index) => node !== first[index]).map(node => node.id);
    expect(changed).toEqual(['hook:guard']);
  });

  it('get edges on the sides that face each other', () => {
    const wires = wiresOf(graphOf(sampleDefinition()), [], () => '');
    const sides = Object.fromEntries(
      wires.map(wire => [wire.target, [wire.sourceHandle, wire.targetHandle]])
    );
    expect(sides['subagent:statistician']).toEqual(['right', 'left']);
    expect(sides['hook:guard']).toEqual(['left', 'right']);
    // Where several meet, one draws the dot: a hundred on one spot cost as much to paint as a hundred cards.
    const begins = (side: string) =>
      wires.filter(wire => wire.source === 'agent' && wire.sourceHandle === side);
    for (const side of ['left', 'right']) {
      expect(begins(side).filter(wire => wire.data?.begins)).toHaveLength(1);
    }
    expect(wires.every(wire => !wire.data?.thin)).toBe(true);
  });
});
