import axe from 'axe-core';
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { definitionOf } from '../api/definition';
import type { Definition } from '../api/types';
import { sampleDefinition, sampleProject, subagent, withSet } from '../testing/definition';
import { json } from '../testing/server';
import type { Answer } from '../testing/server';
import { openTab } from '../testing/tab';
import { useProject } from '../ui/context';
import { ConflictDialog } from './ConflictDialog';
import { Versions } from './Versions';

const ID = sampleProject().id;
/** The editor that compares texts is a chunk of its own. */
const SLOW = { timeout: 10_000 };
const row = (version: number, more = {}) => ({
  version,
  label: null,
  author: 'ada',
  created_at: '2026-11-20T08:00:00.000Z',
  unreadable: null,
  ...more
});

const FIRST = withSet(sampleDefinition(), ['hooks'], []);
const SECOND = withSet(sampleDefinition(), ['agent', 'system_prompt'], 'Line one\nLine two');
const NOW = sampleDefinition();

async function expectNoAxeFindings(node: Element) {
  const { violations } = await axe.run(node, { rules: { 'color-contrast': { enabled: false } } });
  expect(violations.map(each => `${each.id}: ${each.nodes[0].html}`)).toEqual([]);
}

function open(routes: Record<string, Answer> = {}) {
  const held: Record<number, Definition> = { 1: FIRST, 2: SECOND, 3: NOW };
  const tab = openTab({
    routes: {
      [`GET projects/${ID}/versions`]: () =>
        json({ items: [row(3), row(2, { label: 'Before the holidays' }), row(1)], next_cursor: null }),
      ...Object.fromEntries(
        [1, 2, 3].map(each => [
          `GET projects/${ID}/versions/${each}`,
          () => json({ ...row(each), definition: held[each], files: [] })
        ])
      ),
      [`GET projects/${ID}/versions/1/diff/2`]: () =>
        json({
          before: 1,
          after: 2,
          fields: [],
          files: [
            { path: 'files/data.csv', change: 'changed', diff: '@@ -1 +1 @@\n-a\n+b' },
            { path: 'prompts/main-prompt.txt', change: 'changed', diff: '' }
          ]
        }),
      [`GET projects/${ID}/versions/2/diff/3`]: () => json({ before: 2, after: 3, fields: [], files: [] }),
      ...routes
    },
    state: { cover: 'versions' }
  });
  const Live = () => <Versions definition={useProject(state => state.history!.definition)} />;
  return { ...tab, view: tab.show(<Live />) };
}

describe('versions', () => {
  it('are listed with label, author and what is published; each shows what it changed', async () => {
    const tab = open();
    tab.actions.store.setState({ saved: { ...sampleProject(), published_version: 2 } });
    const second = await screen.findByText('Before the holidays');
    expect(second.closest('button')!.textContent).toContain('ada');
    expect(within(second.closest('button')!).getByText('published')).toBeTruthy();
    fireEvent.click(second);
    expect(await screen.findByText('v1 → v2')).toBeTruthy();
    expect(screen.getByText('+1 added')).toBeTruthy();
    const mark = document.querySelector('.ca-Marked[data-mark="added"]')!;
    expect(mark.textContent).toContain('No deletes');
    expect(mark.querySelector('.ca-Mark')!.textContent).toBe('+ added');
    expect(screen.getByLabelText(/No deletes, added/)).toBeTruthy();
    await expectNoAxeFindings(tab.view.container);
  }, 20_000);

  it('compare prompts as texts, and list the project’s own files that differ', async () => {
    open();
    fireEvent.click(await screen.findByText('Before the holidays'));
    expect(await screen.findByLabelText('System prompt after', {}, SLOW)).toBeTruthy();
    const file = (await screen.findByText('data.csv')).closest('li')!;
    expect(file.querySelector('[data-sign="+"]')!.textContent).toBe('+b\n');
    expect(screen.queryByText('prompts/main-prompt.txt')).toBeNull();
  });

  it('are compared with any other, the older one first, or looked at alone', async () => {
    open();
    fireEvent.click(await screen.findByRole('button', { name: /^v1/ }));
    expect(await screen.findByText('v1, as it was')).toBeTruthy();
    fireEvent.click(screen.getByLabelText(/^agent: /));
    expect((await screen.findAllByText('You study {{topic}}.')).length).toBeGreaterThan(0);
    fireEvent.change(screen.getByLabelText('compare with'), { target: { value: '3' } });
    expect(await screen.findByText('v1 → v3')).toBeTruthy();
    fireEvent.change(screen.getByLabelText('compare with'), { target: { value: 'now' } });
    expect(await screen.findByText('v1 → now')).toBeTruthy();
  });

  it('show what is here now and in no version yet', async () => {
    const tab = open();
    tab.actions.edit(['subagents'], [...NOW.subagents, subagent('writer', 'Writer')]);
    expect(await screen.findByText('v3 → now')).toBeTruthy();
    expect(await screen.findByText('+1 added')).toBeTruthy();
    expect(screen.getByText('with edits that are not saved')).toBeTruthy();
  });

  it('are restored after a question; Undo brings back what was here', async () => {
    const tab = open({
      [`POST projects/${ID}/versions/1/restore`]: () =>
        json({ ...sampleProject(), ...FIRST, version: 4 }, { headers: { ETag: '"4"' } })
    });
    fireEvent.click(await screen.findByRole('button', { name: /^v1/ }));
    fireEvent.click(await screen.findByText('Restore'));
    await waitFor(() => expect(tab.state().saved!.version).toBe(4));
    expect(tab.shell.questions).toHaveLength(1);
    expect(tab.state().history!.definition.hooks).toEqual([]);
    tab.actions.undo();
    expect(tab.state().history!.definition.hooks).toHaveLength(1);
  });

  it('are published and unpublished', async () => {
    const answer = (published: number | null) => () =>
      json({ ...sampleProject(), published_version: published }, { headers: { ETag: '"1"' } });
    const tab = open({
      [`POST projects/${ID}/versions/2/publish`]: answer(2),
      [`DELETE projects/${ID}/versions/2/publish`]: answer(null)
    });
    fireEvent.click(await screen.findByText('Before the holidays'));
    fireEvent.click(await screen.findByText('Publish'));
    fireEvent.click(await screen.findByText('Unpublish'));
    await waitFor(() => expect(tab.state().saved!.published_version).toBeNull());
  });

  it('are labelled now, edits included', async () => {
    const tab = open({
      [`PUT projects/${ID}`]: ({ body }) =>
        json({ ...sampleProject(), ...(body as Definition) }, { headers: { ETag: '"2"' } }),
      [`POST projects/${ID}/versions`]: () => json(row(4, { label: 'Good' }), { status: 201 }),
      [`GET projects/${ID}`]: () => json({ ...sampleProject(), version: 4 }, { headers: { ETag: '"3"' } })
    });
    tab.actions.edit(['name'], 'Edited');
    fireEvent.change(screen.getByLabelText('Label for the project as it is now'), {
      target: { value: 'Good' }
    });
    fireEvent.click(screen.getByText('Label'));
    await waitFor(() => expect(tab.state().saved!.version).toBe(4));
    expect(tab.server.sent('PUT', 'projects')[0].path).toContain('draft=true');
    expect(tab.server.sent('POST', `projects/${ID}/versions`)[0].body).toEqual({ label: 'Good' });
  });
});

describe('a conflict', () => {
  const base = sampleDefinition();
  const theirs = withSet(
    withSet(base, ['agent', 'system_prompt'], 'Theirs,\nin two lines'),
    ['limits', 'max_turns'],
    9
  );

  function meet(routes: Record<string, Answer> = {}) {
    const project = { ...sampleProject(), ...theirs };
    const tab = openTab({ routes, state: { cover: 'conflict', stale: true } });
    tab.actions.store.setState({ conflict: { base, theirs: { project, etag: '"9"' } } });
    tab.actions.edit(['agent', 'system_prompt'], 'Mine,\nin two lines');
    tab.actions.edit(['hooks'], []);
    const Live = () => <ConflictDialog definition={useProject(state => state.history!.definition)} />;
    return { ...tab, view: tab.show(<Live />) };
  }

  it('shows mine, theirs and what was, and saves only when everything is chosen', async () => {
    const tab = meet({
      [`PUT projects/${ID}`]: ({ body }) =>
        json({ ...sampleProject(), ...(body as Definition) }, { headers: { ETag: '"10"' } })
    });
    const save = screen.getByText<HTMLButtonElement>('Save what is chosen');
    expect(screen.getByText('1 field to choose')).toBeTruthy();
    expect(save.disabled).toBe(true);
    const prompt = screen.getByRole('group', { name: /System prompt/ });
    expect(prompt.textContent).toContain('both changed it');
    expect(prompt.textContent).toContain('You study {{topic}}.');
    await expectNoAxeFindings(tab.view.container);
    fireEvent.click(within(prompt).getByLabelText(/^Mine/));
    fireEvent.click(save);
    await waitFor(() => expect(tab.server.sent('PUT', 'projects')).toHaveLength(1));
    const [put] = tab.server.sent('PUT', 'projects');
    expect(put.headers.get('If-Match')).toBe('"9"');
    expect(put.body).toMatchObject({
      agent: { system_prompt: 'Mine,\nin two lines' },
      limits: { max_turns: 9 },
      hooks: []
    });
  });

  it('takes all of one side at once', () => {
    meet();
    fireEvent.click(screen.getByText('All theirs'));
    expect(screen.getByText('Everything is chosen.')).toBeTruthy();
    const chosen = screen.getAllByRole<HTMLInputElement>('radio').filter(each => each.checked);
    expect(chosen).toHaveLength(3);
    expect(chosen.every(each => each.closest('label')!.textContent!.startsWith('Theirs'))).toBe(true);
    fireEvent.click(screen.getByText('Join both'));
    expect(screen.getByText('1 field to choose')).toBeTruthy();
  });

  it('compares prompts that both have changed word by word', async () => {
    meet();
    expect(await screen.findByLabelText('System prompt, mine', {}, SLOW)).toBeTruthy();
  });

  it('drops the edits only after a question, and can be put off', async () => {
    const project = { ...sampleProject(), ...theirs };
    const tab = meet({ [`GET projects/${ID}`]: () => json(project, { headers: { ETag: '"9"' } }) });
    tab.shell.answer = false;
    fireEvent.click(screen.getByText('Drop my edits'));
    await waitFor(() => expect(tab.shell.questions).toHaveLength(1));
    expect(tab.state().history!.definition.hooks).toEqual([]);
    fireEvent.click(screen.getByText('Decide later'));
    expect(tab.state()).toMatchObject({ cover: null, stale: true });
    expect(tab.state().history!.definition.agent.system_prompt).toContain('Mine');
    tab.shell.answer = true;
    tab.actions.cover('conflict');
    fireEvent.click(screen.getByText('Drop my edits'));
    await waitFor(() => expect(tab.state().stale).toBe(false));
    expect(definitionOf(tab.state().saved!).limits.max_turns).toBe(9);
  });
});
