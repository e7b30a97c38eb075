import { act, fireEvent, screen } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import { sampleDefinition } from '../testing/definition';
import { START, WHOLE_RUN } from '../testing/events';
import { json } from '../testing/server';
import { openTab } from '../testing/tab';
import { shownDefinition } from '../stores/select';
import { useProject } from '../ui/context';
import { Canvas } from './Canvas';

const Live = () => <Canvas definition={useProject(shownDefinition)!} />;

/** Contrast needs a real page; the browser tests look at it. */
const complaints = async (root: Element) =>
  (
    await axe.run(root, { rules: { 'color-contrast': { enabled: false }, region: { enabled: false } } })
  ).violations.map(each => `${each.id}: ${each.nodes.map(node => node.html).join(' ')}`);

describe('search', () => {
  it('opens with Ctrl+F and with /, lists what holds the words, and Enter goes to the card', () => {
    const tab = openTab();
    const { container } = tab.show(<Live />);
    fireEvent.keyDown(container.querySelector('[data-id="agent"]')!, { key: 'f', ctrlKey: true });
    const input = screen.getByRole('combobox', { name: 'Find a card' });
    expect(document.activeElement).toBe(input);
    fireEvent.change(input, { target: { value: 'guard' } });
    expect(screen.getAllByRole('option').map(each => each.textContent)).toEqual(['No deletesguard']);
    fireEvent.keyDown(input, { key: 'Enter' });
    expect(tab.state()).toMatchObject({
      selected: 'hook:guard',
      searching: false,
      sought: { card: 'hook:guard' }
    });
    fireEvent.keyDown(container.querySelector('[data-id="agent"]')!, { key: '/' });
    expect(tab.state().searching).toBe(true);
    fireEvent.keyDown(screen.getByRole('combobox'), { key: '/' });
    fireEvent.keyDown(screen.getByRole('combobox'), { key: 'Escape' });
    expect(tab.state().searching).toBe(false);
  });

  it('leaves a slash to the text field in which it is written', () => {
    const tab = openTab();
    const { container } = tab.show(<Live />);
    const field = document.createElement('input');
    container.querySelector('.ca-Ground')!.append(field);
    fireEvent.keyDown(field, { key: '/' });
    expect(tab.state().searching).toBe(false);
  });
});

describe('outline', () => {
  const outlined = () => {
    const tab = openTab({ state: { outline: true } });
    const view = tab.show(<Live />);
    const line = (name: RegExp) => screen.getAllByRole('treeitem', { name })[0];
    return { tab, line, ...view };
  };

  it('holds every card, who uses it, and is walked with the arrow keys', () => {
    const { tab, line } = outlined();
    expect(screen.getAllByRole('treeitem').map(each => each.getAttribute('aria-label'))).toEqual([
      'agent: Sales analyst',
      'subagent: Statistician',
      'subagent: Checker',
      'hook: No deletes',
      'MCP server: Time',
      'note: How this works'
    ]);
    act(() => line(/Sales/).focus());
    fireEvent.keyDown(line(/Sales/), { key: 'ArrowDown' });
    expect(document.activeElement).toBe(line(/Statistician/));
    expect(tab.state().picked).toEqual(['subagent:statistician']);
    fireEvent.keyDown(line(/Statistician/), { key: 'ArrowLeft' });
    expect(screen.queryByRole('treeitem', { name: /Checker/ })).toBeNull();
    fireEvent.keyDown(line(/Statistician/), { key: 'ArrowRight' });
    expect(line(/Checker/)).toBeTruthy();
    fireEvent.keyDown(line(/Statistician/), { key: 'Enter' });
    expect(tab.state()).toMatchObject({ selected: 'subagent:statistician', propertiesOpen: true });
  });

  it('draws as the canvas does: adds, connects, disconnects, deletes, takes back', () => {
    const { tab, line } = outlined();
    const subagents = () => tab.state().history!.definition.subagents;
    act(() => line(/Checker/).focus());
    fireEvent.click(screen.getByRole('button', { name: 'Connect to …' }));
    fireEvent.click(screen.getByRole('menuitem', { name: /Time/ }));
    expect(subagents()[1].mcps).toEqual(['time']);
    const below = screen.getAllByRole('treeitem', { name: /Time/ });
    expect(below.map(each => each.getAttribute('aria-level'))).toEqual(['4', '2']);
    act(() => below[0].focus());
    fireEvent.click(screen.getByRole('button', { name: 'Disconnect' }));
    expect(subagents()[1].mcps).toEqual([]);
    act(() => line(/No deletes/).focus());
    fireEvent.keyDown(line(/No deletes/), { key: 'Delete' });
    expect(tab.state().history!.definition.hooks).toEqual([]);
    expect(document.activeElement, 'the focus fell to the page').toBe(line(/Time/));
    fireEvent.keyDown(line(/Sales/), { key: 'z', ctrlKey: true });
    expect(tab.state().history!.definition.hooks).toHaveLength(1);
    fireEvent.click(screen.getByRole('button', { name: 'Add Note' }));
    expect(tab.state().history!.definition.ui.notes).toHaveLength(2);
  });

  it('is remembered for the project, and has nothing that axe objects to', async () => {
    vi.useFakeTimers();
    const tab = openTab({ routes: { [`PATCH projects/${openTab().state().projectId}/ui`]: () => json({}) } });
    tab.actions.showOutline(true);
    await vi.advanceTimersByTimeAsync(200);
    vi.useRealTimers();
    expect(tab.server.sent('PATCH', 'projects')[0].body).toEqual({ folded: ['canvas'] });
    const { container } = tab.show(<Live />);
    act(() => tab.actions.search(true));
    expect(await complaints(container)).toEqual([]);
  });
});

describe('an old execution', () => {
  const old = { ...sampleDefinition(), name: 'As it was', subagents: [] };
  const frozenTab = () => {
    const tab = openTab({
      log: [START],
      state: {
        executions: [{ execution_id: 'e0', version: 2, status: 'completed', created_at: '' }] as never
      },
      routes: {
        [`GET projects/${openTab().state().projectId}/versions/2`]: () =>
          json({ version: 2, created_at: '', definition: old, files: [] })
      }
    });
    return tab;
  };

  it('shows the cards of its version, which nothing can change, and the way back', async () => {
    const tab = frozenTab();
    const { container } = tab.show(<Live />);
    await act(() => tab.actions.look('e0'));
    expect(screen.getByRole('status').textContent).toContain('version 2 (now 3), read-only');
    expect(container.querySelector('[data-id="subagent:statistician"]')).toBeNull();
    const before = tab.state().history;
    fireEvent.keyDown(container.querySelector('[data-id="hook:guard"]')!, { key: 'a', ctrlKey: true });
    fireEvent.keyDown(container.querySelector('[data-id="hook:guard"]')!, { key: 'Delete' });
    tab.actions.add('note', 'Note');
    tab.actions.edit(['name'], 'Mine');
    tab.actions.move({ agent: { x: 1, y: 1 } });
    tab.actions.undo();
    expect(tab.state().history).toBe(before);
    fireEvent.click(screen.getByText('Back to the project'));
    expect(container.querySelector('[data-id="subagent:statistician"]')).not.toBeNull();
    expect(tab.state().frozen).toBeNull();
  });

  it('is frozen with its version, also where that is drawn, and where it is not among those listed', async () => {
    const tab = openTab({
      log: WHOLE_RUN,
      state: {
        executions: [
          { execution_id: 'e2', version: 3, status: 'completed', created_at: '2' },
          { execution_id: 'e1', version: 3, status: 'completed', created_at: '1' }
        ] as never
      },
      routes: {
        'GET executions/e0': () => json({ execution_id: 'e0', version: 2, status: 'completed' }),
        [`GET projects/${openTab().state().projectId}/versions/2`]: () =>
          json({ version: 2, created_at: '', definition: old, files: [] }),
        [`GET projects/${openTab().state().projectId}/versions/3`]: () =>
          json({ version: 3, created_at: '', definition: sampleDefinition(), files: [] })
      }
    });
    tab.show(<Live />);
    await act(() => tab.actions.look('e1'));
    expect(tab.state().frozen).toMatchObject({ version: 3, executionId: 'e1' });
    expect(screen.getByRole('status').textContent).toContain('As it ran: version 3, read-only');
    await act(() => tab.actions.look('e0'));
    expect(tab.state().frozen).toMatchObject({ version: 2, executionId: 'e0' });
    // The newest ran what is drawn: it is shown on the project itself, until that is edited.
    await act(() => tab.actions.look('e2'));
    expect(tab.state().frozen).toBeNull();
    act(() => tab.actions.edit(['name'], 'Mine'));
    await act(() => tab.actions.look('e2'));
    expect(tab.state().frozen).toMatchObject({ version: 3, executionId: 'e2' });
  });
});
