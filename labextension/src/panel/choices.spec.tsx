/**
 * What forms offer by name: kinds of servers, moments of hooks, variables with who uses them.
 */
import { act, fireEvent, screen, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { shownDefinition } from '../stores/select';
import { openTab } from '../testing/tab';
import type { Tab } from '../testing/tab';
import { useProject } from '../ui/context';
import { Properties } from './Properties';

const Live = () => <Properties definition={useProject(shownDefinition)!} />;

function at(selected: string | null, edits: (tab: Tab) => void = () => undefined): Tab {
  const tab = openTab({ state: { selected, propertiesOpen: true } });
  edits(tab);
  tab.show(<Live />);
  return tab;
}

const optionsOf = (name: string) =>
  within(screen.getByLabelText(name))
    .getAllByRole('option')
    .map(each => each.textContent);

describe('a new MCP server', () => {
  it.each([
    ['Time (mcp-server-time)', { transport: 'stdio', command: 'mcp-server-time' }],
    ['Browser (Playwright, by npx)', { command: 'npx', args: ['-y', '@playwright/mcp@latest'] }],
    ['A package of npm, by npx', { command: 'npx', args: ['-y', ''] }],
    ['A package of PyPI, by uvx', { command: 'uvx', args: [''] }],
    ['An address', { transport: 'http', url: 'http://', command: null }]
  ])('begins as %s', (label, made) => {
    const tab = at('mcp:time', ({ actions }) => actions.edit(['mcps', 0, 'command'], null));
    const begin = screen.getByLabelText<HTMLSelectElement>('Begin with');
    const option = [...begin.options].find(each => each.text === label);
    expect(option, [...begin.options].map(each => each.text).join(', ')).toBeDefined();
    fireEvent.change(begin, { target: { value: option!.value } });
    expect(tab.state().history?.definition.mcps[0]).toMatchObject(made);
  });

  it('is called after what it begins with, unless it has a name already', () => {
    const tab = at(null, ({ actions }) => actions.add('mcp', 'MCP server'));
    const begins = () => screen.getByLabelText<HTMLSelectElement>('Begin with');
    const named = () =>
      tab
        .state()
        .history?.definition.mcps.slice(1)
        .map(({ id, name }) => [id, name]);
    fireEvent.change(begins(), { target: { value: 'git' } });
    expect(named()).toEqual([['git', 'Git']]);
    expect(tab.state().history?.definition.mcps[1].command).toBe('mcp-server-git');
    act(() => tab.actions.undo());
    expect(named()).toEqual([['mcp-server', 'MCP server']]);
    expect(tab.state().history?.definition.mcps[1].command).toBeNull();
    act(() => tab.actions.redo());
    act(() => tab.actions.add('mcp', 'Clock'));
    fireEvent.change(begins(), { target: { value: 'browser' } });
    expect(named()?.[1]).toEqual(['clock', 'Clock']);
    act(() => tab.actions.add('mcp', 'MCP server'));
    fireEvent.change(begins(), { target: { value: 'git' } });
    expect(named()?.[2][1]).toBe('MCP server');
  });
});

describe('a hook', () => {
  it('says in words when it runs, and what it may do then', () => {
    const tab = at('hook:guard');
    expect(optionsOf('When').map(each => each?.split(' · ')[0])).toEqual(
      expect.arrayContaining([
        'before the run begins',
        'after the run',
        'before a tool runs',
        'after a tool has run',
        'when the run fails'
      ])
    );
    const when = screen.getByLabelText('When');
    fireEvent.change(when, { target: { value: 'PreToolUse' } });
    expect(screen.getByText('It may refuse the call, or change it.')).toBeTruthy();
    expect(screen.getByLabelText('For which tools')).toBeTruthy();
    fireEvent.change(when, { target: { value: 'Error' } });
    expect(tab.state().history?.definition.hooks[0].event).toBe('Error');
    expect(screen.getByText('It is told, and cannot refuse.')).toBeTruthy();
    expect(screen.queryByLabelText('For which tools')).toBeNull();
  });
});

describe('variables', () => {
  it('say who uses them, and which name in a prompt is none yet', () => {
    const tab = at(null, ({ actions }) => {
      actions.edit(['agent', 'task'], 'Read {{file}} about {{subject}}.');
      actions.edit(['variables'], {
        file: { description: '', default: 'a.csv', required: true },
        spare: { description: '', default: null, required: false }
      });
    });
    const uses = () => [...document.querySelectorAll('.ca-Variable legend')].map(each => each.textContent);
    const { name } = tab.state().history!.definition;
    expect(uses()).toEqual([`fileused by ${name}`, 'sparenot used']);
    const line = screen.getByText(/uses {{subject}}, which is no variable yet/);
    fireEvent.click(within(line).getByRole('button'));
    expect(uses()[2]).toBe(`subjectused by ${name}`);
    expect(tab.state().history?.definition.variables.subject).toMatchObject({
      default: null,
      required: true
    });
    fireEvent.change(screen.getAllByLabelText('Default')[0], { target: { value: 'b.csv' } });
    fireEvent.click(screen.getAllByLabelText('A run needs a value')[1]);
    fireEvent.click(screen.getByLabelText('Remove subject'));
    expect(tab.state().history?.definition.variables).toMatchObject({
      file: { default: 'b.csv' },
      spare: { required: true }
    });
    expect(uses()).toHaveLength(2);
  });
});
