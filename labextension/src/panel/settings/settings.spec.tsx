import axe from 'axe-core';
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import type { Agreement } from '../../api/types';
import { sampleProject, withSet } from '../../testing/definition';
import { failure, json } from '../../testing/server';
import type { Answer } from '../../testing/server';
import { openTab } from '../../testing/tab';
import { useProject } from '../../ui/context';
import { Properties } from '../Properties';

const ID = sampleProject().id;
const OLD = '2026-11-20T08:00:00.000Z';
const secret = (name: string, more = {}) => ({
  name,
  created_at: OLD,
  updated_at: OLD,
  locked: false,
  ...more
});
const page = (items: unknown[]) => json({ items, next_cursor: null });

function open(section: string, routes: Record<string, Answer>) {
  const tab = openTab({ routes, state: { propertiesOpen: true } });
  const Live = () => <Properties definition={useProject(state => state.history!.definition)} />;
  const view = tab.show(<Live />);
  fireEvent.click(screen.getByRole('tab', { name: section }));
  return { ...tab, view };
}

async function expectNoAxeFindings(node: Element) {
  const { violations } = await axe.run(node, { rules: { 'color-contrast': { enabled: false } } });
  expect(violations.map(each => `${each.id}: ${each.nodes[0].html}`)).toEqual([]);
}

describe('secrets', () => {
  it('show names, dates and who uses them, and that one is locked', async () => {
    const tab = open('Secrets', {
      [`GET projects/${ID}/secrets`]: () =>
        page([
          secret('TIME_TOKEN'),
          secret('OLD_ONE', { updated_at: '2026-11-21T08:00:00.000Z', locked: true })
        ])
    });
    tab.actions.edit(['mcps', 0, 'credentials'], { TOKEN: 'TIME_TOKEN' });
    const row = (await screen.findByText('TIME_TOKEN')).closest('li')!;
    expect(row.textContent).toMatch(/kept .*used by Time/);
    const locked = screen.getByText('OLD_ONE').closest('li')!;
    expect(locked.textContent).toContain('replaced');
    expect(within(locked).getByText(/Locked/)).toBeTruthy();
    expect(within(locked).getByLabelText<HTMLButtonElement>('Delete OLD_ONE').disabled).toBe(true);
    await expectNoAxeFindings(tab.view.container);
  });

  it('are made and replaced; the value goes out once and is shown nowhere', async () => {
    let kept: unknown[] = [];
    const tab = open('Secrets', {
      [`GET projects/${ID}/secrets`]: () => page(kept),
      [`POST projects/${ID}/secrets`]: () => {
        kept = [secret('API_TOKEN')];
        return json(kept[0], { status: 201 });
      }
    });
    fireEvent.click(await screen.findByText('Add a secret'));
    fireEvent.change(screen.getByLabelText('Name'), { target: { value: '1 bad' } });
    fireEvent.change(screen.getByLabelText('Value'), { target: { value: 'hunter22' } });
    expect(screen.getByText<HTMLButtonElement>('Keep').disabled).toBe(true);
    fireEvent.change(screen.getByLabelText('Name'), { target: { value: 'API_TOKEN' } });
    fireEvent.click(screen.getByText('Keep'));
    expect(await screen.findByText('API_TOKEN')).toBeTruthy();
    const secrets = () => tab.server.sent('POST', `projects/${ID}/secrets`);
    expect(secrets()[0].body).toEqual({ name: 'API_TOKEN', value: 'hunter22' });
    // What needed it is checked again.
    await waitFor(() => expect(tab.server.sent('POST', `projects/${ID}/validate`)).toHaveLength(1));
    expect(document.body.innerHTML).not.toContain('hunter22');
    // The same name again would replace it, which cannot be taken back: that is said before.
    fireEvent.click(await screen.findByText('Add a secret'));
    fireEvent.change(screen.getByLabelText('Name'), { target: { value: 'API_TOKEN' } });
    expect(screen.getByText(/API_TOKEN is kept already/)).toBeTruthy();
    expect(screen.getByRole('button', { name: 'Replace' })).toBeTruthy();
    fireEvent.click(screen.getByText('Cancel'));
    fireEvent.click(screen.getByLabelText('Replace API_TOKEN'));
    fireEvent.change(screen.getByLabelText('New value of API_TOKEN'), { target: { value: 'hunter33' } });
    fireEvent.click(screen.getByRole('button', { name: 'Replace' }));
    await waitFor(() => expect(secrets()).toHaveLength(2));
  });

  it('are deleted only after a question that says who needs them', async () => {
    const tab = open('Secrets', {
      [`GET projects/${ID}/secrets`]: () => page([secret('TIME_TOKEN')]),
      [`DELETE projects/${ID}/secrets/TIME_TOKEN`]: () => new Response(null, { status: 204 })
    });
    tab.actions.edit(['mcps', 0, 'env'], { TOKEN: '{{secret:TIME_TOKEN}}' });
    tab.shell.answer = false;
    fireEvent.click(await screen.findByLabelText('Delete TIME_TOKEN'));
    await waitFor(() => expect(tab.shell.questions).toHaveLength(1));
    expect(tab.shell.questions[0].body).toContain('Time uses it');
    expect(tab.server.sent('DELETE', 'projects')).toHaveLength(0);
    tab.shell.answer = true;
    fireEvent.click(screen.getByLabelText('Delete TIME_TOKEN'));
    await waitFor(() => expect(tab.server.sent('DELETE', 'projects')).toHaveLength(1));
  });

  it('that a server names and nobody has kept are asked for', async () => {
    const tab = open('Secrets', { [`GET projects/${ID}/secrets`]: () => page([]) });
    tab.actions.edit(['mcps', 0, 'headers'], { Authorization: 'Bearer {{secret:MISSING}}' });
    expect(await screen.findByText(/Time names MISSING/)).toBeTruthy();
    fireEvent.click(screen.getByText('Add it'));
    expect(screen.getByLabelText<HTMLInputElement>('Name').value).toBe('MISSING');
  });

  it('say what the server says against them', async () => {
    open('Secrets', {
      [`GET projects/${ID}/secrets`]: () => failure(409, 'SECRETS_LOCKED', 'The key is missing.')
    });
    expect((await screen.findByRole('alert')).textContent).toContain('The key is missing.');
  });
});

describe('keys', () => {
  const key = {
    id: 'k1',
    name: 'Nightly job',
    scopes: ['read', 'execute'],
    created_at: OLD,
    last_used_at: null
  };

  it('are made with scopes, shown once with Copy, and gone after Done', async () => {
    const tab = open('Keys', {
      [`GET projects/${ID}/keys`]: () => page([key]),
      [`POST projects/${ID}/keys`]: () => json({ ...key, api_key: 'ca_k1_secret' }, { status: 201 })
    });
    expect((await screen.findByText('Nightly job')).closest('li')!.textContent).toContain('never used');
    await expectNoAxeFindings(tab.view.container);
    fireEvent.click(screen.getByText('Make a key'));
    fireEvent.change(screen.getByLabelText('Name'), { target: { value: 'A service' } });
    fireEvent.click(screen.getByLabelText(/Approve/));
    fireEvent.click(screen.getByText('Make the key'));
    expect(await screen.findByText('ca_k1_secret')).toBeTruthy();
    expect(screen.getByText(/will not be shown again/)).toBeTruthy();
    expect(tab.server.sent('POST', 'projects')[0].body).toEqual({
      name: 'A service',
      scopes: ['read', 'execute', 'approve']
    });
    fireEvent.click(screen.getByText('Done'));
    expect(document.body.innerHTML).not.toContain('ca_k1_secret');
  });

  it('are revoked after a question', async () => {
    const tab = open('Keys', {
      [`GET projects/${ID}/keys`]: () => page([key]),
      [`DELETE projects/${ID}/keys/k1`]: () => new Response(null, { status: 204 })
    });
    fireEvent.click(await screen.findByLabelText('Revoke Nightly job'));
    await waitFor(() => expect(tab.server.sent('DELETE', 'projects')).toHaveLength(1));
    expect(tab.shell.questions[0]).toMatchObject({ danger: true });
  });
});

describe('limits and queue', () => {
  it('write the queue and what happens after a restart', () => {
    const tab = open('Limits', {});
    fireEvent.change(screen.getByLabelText('At once'), { target: { value: '2' } });
    fireEvent.change(screen.getByLabelText('After a restart of the server'), {
      target: { value: 'interrupt' }
    });
    expect(tab.state().history!.definition).toMatchObject({
      queue: { max_concurrent: 2, max_queue: 50 },
      on_restart: 'interrupt'
    });
  });
});

describe('trust', () => {
  const agreement: Agreement = {
    trusted: false,
    hash: 'a'.repeat(64),
    would_run: {
      hooks: [],
      mcps: [
        {
          id: 'time',
          name: 'Time',
          transport: 'stdio',
          command: 'mcp-server-time',
          args: ['-x'],
          url: null,
          env: [],
          headers: [],
          credentials: {}
        }
      ],
      scripts: []
    }
  };

  it('lists exactly what would start, and agrees to that hash', async () => {
    const tab = open('Trust', {
      [`GET projects/${ID}/trust`]: () => json(agreement),
      [`POST projects/${ID}/trust`]: () => json(sampleProject(), { headers: { ETag: '"1"' } })
    });
    tab.actions.store.setState({ saved: { ...sampleProject(), trusted: false } });
    expect(await screen.findByText('mcp-server-time -x')).toBeTruthy();
    expect(screen.getByText('Not trusted yet')).toBeTruthy();
    await expectNoAxeFindings(tab.view.container);
    fireEvent.click(screen.getByText('Trust exactly this'));
    expect(await screen.findByText('Trusted')).toBeTruthy();
    expect(tab.server.sent('POST', `projects/${ID}/trust`).map(each => each.body)).toEqual([
      { hash: agreement.hash }
    ]);
  });

  it('says that a project without programs starts none', async () => {
    const tab = open('Trust', {
      [`GET projects/${ID}/trust`]: () =>
        json({ trusted: true, hash: null, would_run: { hooks: [], mcps: [], scripts: [] } })
    });
    tab.actions.store.setState({
      saved: { ...sampleProject(), ...withSet(sampleProject(), ['mcps'], []) } as never
    });
    expect(await screen.findByText(/starts no programs/)).toBeTruthy();
  });
});
