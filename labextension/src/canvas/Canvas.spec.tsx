import { fireEvent, screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { START, AGENT } from '../testing/events';
import { openTab } from '../testing/tab';
import { sampleDefinition } from '../testing/definition';
import { graphOf } from '../graph/graph';
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
      'note: how'
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
    const first = nodesOf(graphOf(definition), [], null, label);
    const edited = { ...definition, hooks: [{ ...definition.hooks[0], name: 'Other' }] };
    const second = nodesOf(graphOf(edited), first, null, label);
    const changed = second.filter((node, index) => node !== first[index]).map(node => node.id);
    expect(changed).toEqual(['hook:guard']);
  });

  it('get edges on the sides that face each other', () => {
    const wires = wiresOf(graphOf(sampleDefinition()), () => '');
    const sides = Object.fromEntries(
      wires.map(wire => [wire.target, [wire.sourceHandle, wire.targetHandle]])
    );
    expect(sides['subagent:statistician']).toEqual(['right', 'left']);
    expect(sides['hook:guard']).toEqual(['left', 'right']);
  });
});
