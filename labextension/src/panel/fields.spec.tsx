import { act, fireEvent, screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import type { McpTest } from '../api/types';
import { shownDefinition } from '../stores/select';
import { sampleProject } from '../testing/definition';
import { json } from '../testing/server';
import { openTab } from '../testing/tab';
import type { Tab } from '../testing/tab';
import { useProject } from '../ui/context';
import { linesEdited } from './lines';
import { Properties } from './Properties';

const ID = sampleProject().id;
const Live = () => <Properties definition={useProject(shownDefinition)!} />;

type Routes = NonNullable<Parameters<typeof openTab>[0]>['routes'];

function at(selected: string, routes: Routes = {}): Tab {
  const tab = openTab({ routes, state: { selected, propertiesOpen: true } });
  tab.show(<Live />);
  return tab;
}

describe('a field that is being written', () => {
  it('lets a number be emptied to write another one, and shows what is kept when somebody goes on', () => {
    const tab = at('agent');
    fireEvent.click(screen.getByText('Limits'));
    const tokens = screen.getByLabelText<HTMLInputElement>('Tokens');
    fireEvent.change(tokens, { target: { value: '' } });
    expect(tokens.value).toBe('');
    fireEvent.change(tokens, { target: { value: '9' } });
    expect(tab.state().history?.definition.limits.max_tokens).toBe(9);
    fireEvent.change(tokens, { target: { value: '' } });
    fireEvent.blur(tokens);
    expect(tokens.value).toBe('9');
  });

  it('makes arguments of a command once it is written, not letter by letter', () => {
    const tab = at('mcp:time');
    const program = screen.getByLabelText('Program');
    for (const value of ['npx', 'npx ', 'npx -', 'npx -y', 'npx -y "my server"']) {
      fireEvent.change(program, { target: { value } });
      expect(tab.state().history?.definition.mcps[0]).toMatchObject({ command: value, args: [] });
    }
    fireEvent.blur(program);
    const { command, args } = tab.state().history!.definition.mcps[0];
    expect([command, args]).toEqual(['npx', ['-y', 'my server']]);
    fireEvent.change(program, { target: { value: '"/opt/my tools/server" ' } });
    fireEvent.blur(program);
    expect(tab.state().history?.definition.mcps[0].command).toBe('/opt/my tools/server');
    // A path with spaces is not taken apart by somebody who only looks at it.
    fireEvent.blur(program);
    expect(tab.state().history?.definition.mcps[0].command).toBe('/opt/my tools/server');
  });

  it('keeps an argument of several lines whole, whatever is edited around it', () => {
    const script = 'set -e\n\nexit 2';
    const tab = at('hook:guard');
    act(() => tab.actions.edit(['hooks', 0, 'action'], { type: 'command', command: ['bash', '-c', script] }));
    const field = screen.getByLabelText<HTMLTextAreaElement>('Program and arguments');
    fireEvent.change(field, { target: { value: `${field.value}\nlast` } });
    const { action } = tab.state().history!.definition.hooks[0];
    expect(action).toMatchObject({ command: ['bash', '-c', script, 'last'] });
    expect(field.value).toBe(`bash\n-c\n${script}\nlast`);
  });

  it.each([
    [['bash', '-c', 'a\n\nb'], 'bash\n-x\n-c\na\n\nb', ['bash', '-x', '-c', 'a\n\nb']],
    [['bash', '-c', 'a\n\nb', 'c'], 'bash\n-c\na\n\nb\nc\nd', ['bash', '-c', 'a\n\nb', 'c', 'd']],
    [['bash', '-c', 'a\n\nb'], 'bash\n-c\na\n\nB', ['bash', '-c', 'a\n\nB']],
    [['bash', '-c', 'a\nb'], 'bash\n-c\n', ['bash', '-c']],
    [['a', 'b'], 'a\n\nnew\nb\n', ['a', 'new', 'b']],
    [['a', 'a'], 'a\na\na', ['a', 'a', 'a']],
    [['a'], 'a\nb', ['a', 'b']],
    [['a', ''], '\n x\n', [' x']]
  ])('makes of %j and %j the list %j', (before, text, after) => {
    expect(linesEdited(before, text)).toEqual(after);
  });

  it('says nothing any more of a server that was tested and is another one now', async () => {
    const tested: McpTest = {
      name: 'Time',
      version: '1',
      duration_ms: 5,
      left_out: [],
      tools: [{ name: 'now', description: '', read_only: true, input_schema: {} }]
    } as unknown as McpTest;
    at('mcp:time', {
      [`PUT projects/${ID}`]: () => json(sampleProject()),
      [`POST projects/${ID}/mcps/time/test`]: () => json(tested)
    });
    fireEvent.click(screen.getByText('Test'));
    await waitFor(() => expect(screen.getByText(/Connected to Time/)).toBeTruthy());
    fireEvent.change(screen.getByLabelText('Program'), { target: { value: 'other-server' } });
    expect(screen.queryByText(/Connected to Time/)).toBeNull();
    expect(screen.queryByLabelText('now')).toBeNull();
  });
});
