import { ReactFlowProvider } from '@xyflow/react';
import type { NodeProps } from '@xyflow/react';
import { act, fireEvent, screen } from '@testing-library/react';
import type { ComponentType } from 'react';
import { describe, expect, it } from 'vitest';

import type { Sketch } from '../testing/events';
import { AGENT, call, START, WHOLE_RUN } from '../testing/events';
import { NO_ESTIMATE, sampleDefinition } from '../testing/definition';
import { openTab } from '../testing/tab';
import type { Tab } from '../testing/tab';
import type { ProjectState } from '../stores/project';
import { AgentCard, HookCard, McpCard, NoteCard, SubagentCard } from './cards';

function showCard(Card: unknown, id: string, item: object, log?: Sketch[], state?: Partial<ProjectState>) {
  const View = Card as ComponentType<Partial<NodeProps>>;
  const tab = openTab({ log, state });
  shown = tab;
  return tab.show(
    <ReactFlowProvider>
      <View id={id} data={{ item }} selected={false} />
    </ReactFlowProvider>
  ).container;
}

let shown: Tab;

const definition = sampleDefinition();

describe('cards', () => {
  it('agent: name of the project, model, tools, limits, variables', () => {
    const card = showCard(AgentCard, 'agent', definition.agent);
    expect(card.textContent).toContain('Sales analyst');
    expect(card.textContent).toContain('agent · opus 5.5');
    expect(card.textContent).toContain('python · bash · +2');
    expect(card.textContent).toContain('$1.00 · 100k tokens · 10 min');
    expect(card.textContent).toContain('file');
  });

  it('agent: while it runs, turn and current tool', () => {
    const card = showCard(AgentCard, 'agent', definition.agent, [
      START,
      AGENT,
      call('main/2/c1', 'bash', {})
    ]);
    expect(card.querySelector('.ca-Card')?.getAttribute('data-state')).toBe('running');
    expect(card.textContent).toContain('turn 2');
    expect(card.textContent).toContain('bash ·');
  });

  it('agent: finishes when its work is done but the execution has not ended', () => {
    const card = showCard(AgentCard, 'agent', definition.agent, WHOLE_RUN.slice(0, -1));
    expect(card.querySelector('.ca-Card')?.getAttribute('data-state')).toBe('running');
    expect(card.textContent).toContain('finishes');
  });

  it('subagent: instances that run at once are a stack with their number', () => {
    const start = (number: number): Sketch => ({
      ...AGENT,
      agent: `statistician#${number}`,
      span: `main/2/c${number}/statistician#${number}`,
      name: 'Statistician',
      subagent: 'statistician'
    });
    const log = [START, AGENT, call('main/2/c1', 'agent__statistician', {}), start(1), start(2), start(3)];
    const card = showCard(SubagentCard, 'subagent:statistician', definition.subagents[0], log);
    expect(card.querySelector('.ca-Card')?.hasAttribute('data-stack')).toBe(true);
    expect(card.querySelector('.ca-Card-count')?.textContent).toBe('×3');
  });

  it('agent: numbers stay after the run until the next edit', () => {
    const card = showCard(AgentCard, 'agent', definition.agent, WHOLE_RUN);
    expect(card.querySelector('.ca-Card')?.getAttribute('data-state')).toBe('done');
    expect(card.textContent).toContain('9.0 s');
    expect(card.textContent).toContain('120 tok');
    expect(card.textContent).toContain('$0.020');
    act(() => shown.actions.move({ agent: { x: 0, y: 0 } }));
    expect(card.textContent).toContain('$0.020');
    act(() => shown.actions.edit(['agent', 'task'], 'Another one'));
    expect(card.textContent).not.toContain('$0.020');
    expect(card.querySelector('.ca-Card')?.getAttribute('data-state')).toBe('idle');
  });

  it('subagent: how many at once, own cost after its call', () => {
    const card = showCard(SubagentCard, 'subagent:statistician', definition.subagents[0], WHOLE_RUN);
    expect(card.textContent).toContain('subagent · up to 3');
    expect(card.textContent).toContain('done');
    expect(card.textContent).toContain('$0.005');
  });

  it('subagent: waits while others run, and says when it is off', () => {
    expect(
      showCard(SubagentCard, 'subagent:checker', definition.subagents[1], [START, AGENT]).textContent
    ).toContain('waits');
    const off = { ...definition.subagents[1], enabled: false };
    expect(showCard(SubagentCard, 'subagent:checker', off).querySelector('[data-off]')).not.toBeNull();
  });

  it('hook: event, tools, what it does', () => {
    const card = showCard(HookCard, 'hook:guard', definition.hooks[0]);
    expect(card.querySelector('[data-kind=hook]')).not.toBeNull();
    expect(card.textContent).toContain('PreToolUse · bash');
    expect(card.textContent).toContain('python guard.py');
  });

  it('MCP server: transport, tools, command', () => {
    const card = showCard(McpCard, 'mcp:time', definition.mcps[0]);
    expect(card.textContent).toContain('MCP · stdio · 2 tools');
    expect(card.textContent).toContain('mcp-server-time');
  });

  it('note: first line as its title', () => {
    showCard(NoteCard, 'note:how', definition.ui.notes[0]);
    expect(screen.getByText('How this works').tagName).toBe('STRONG');
  });

  it('any: a badge counts its problems and leads to the field of the worst', () => {
    const problem = {
      severity: 'error' as const,
      code: 'X',
      node: 'hook:guard',
      path: 'hooks.0.name',
      message: 'no'
    };
    const mild = { ...problem, severity: 'warning' as const, path: 'hooks.0.matcher' };
    showCard(HookCard, 'hook:guard', definition.hooks[0], undefined, {
      validation: {
        ok: false,
        problems: [mild, problem],
        estimate: NO_ESTIMATE,
        credentials: 'none'
      }
    });
    const badge = screen.getByRole('button', { name: '2 problems: show the worst' });
    expect(badge.dataset.severity).toBe('error');
    fireEvent.click(badge);
    expect(shown.state()).toMatchObject({
      selected: 'hook:guard',
      propertiesOpen: true,
      wantedField: { path: 'hooks.0.name' }
    });
  });
});
