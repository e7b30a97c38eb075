import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Definition } from '../api/types';
import { placeKey } from '../graph/merge';
import { differences } from '../graph/differences';
import { definitionOf } from '../api/definition';
import { sampleProject } from '../testing/definition';
import { failure, json } from '../testing/server';
import type { Answer, Asked } from '../testing/server';
import { openTab } from '../testing/tab';
import type { Tab } from '../testing/tab';
import { isDirty } from './select';

const ID = sampleProject().id;
const OK: Answer = () => json({ ok: true, problems: [], estimate: { input_tokens: 10, cost_usd: 0.01 } });
const AUTO = { autosave: true, autosaveDelay: 2 };

/** A project on a server that refuses what does not know its newest state. */
class Kept {
  project = sampleProject();
  tag = 1;

  readonly routes: Record<string, Answer> = {
    [`PUT projects/${ID}`]: asked => this.put(asked),
    [`GET projects/${ID}`]: () => this.answer(),
    [`POST projects/${ID}/validate`]: OK
  };

  /** Somebody else saves. */
  change(change: Partial<Definition>): void {
    this.project = { ...this.project, ...change };
    this.tag += 1;
  }

  private put({ headers, body, path }: Asked): Response {
    if (headers.get('If-Match') !== `"${this.tag}"`) {
      return failure(412, 'PRECONDITION_FAILED', 'changed');
    }
    const version = this.project.version + (path.includes('draft') ? 0 : 1);
    this.project = { ...this.project, ...(body as Definition), version };
    this.tag += 1;
    return this.answer();
  }

  private answer(): Response {
    return json(this.project, { headers: { ETag: `"${this.tag}"` } });
  }
}

let tab: Tab;
let kept: Kept;
let hidden = false;
beforeEach(() => {
  vi.useFakeTimers();
  kept = new Kept();
  hidden = false;
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden);
});
afterEach(() => {
  tab.actions.dispose();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const puts = () => tab.server.sent('PUT', 'projects').map(each => each.path.replace(`projects/${ID}`, ''));
const mine = () => tab.state().history!.definition;

describe('autosave', () => {
  it('keeps a draft some seconds after the last edit, once, and makes no version of it', async () => {
    tab = openTab({ routes: kept.routes, preferences: AUTO });
    tab.actions.edit(['agent', 'task'], 'A');
    await vi.advanceTimersByTimeAsync(1_500);
    tab.actions.edit(['agent', 'task'], 'AB');
    await vi.advanceTimersByTimeAsync(1_500);
    expect(puts()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(puts()).toEqual(['?draft=true']);
    expect(kept.project).toMatchObject({ version: 3, agent: { task: 'AB' } });
    expect(isDirty(tab.state())).toBe(false);
    expect(tab.state().draft).toBe(true);
  });

  it('leaves a draft to Save, which makes a version of it', async () => {
    tab = openTab({ routes: kept.routes, preferences: AUTO });
    tab.actions.edit(['name'], 'Draft');
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await tab.actions.save()).toBe(true);
    expect(puts()).toEqual(['?draft=true', '']);
    expect(tab.state()).toMatchObject({ draft: false, saved: { version: 4, name: 'Draft' } });
  });

  it('writes nothing while the page is hidden, and does when it is seen again', async () => {
    tab = openTab({ routes: kept.routes, preferences: AUTO });
    tab.actions.edit(['name'], 'Hidden');
    hidden = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(puts()).toEqual([]);
    hidden = false;
    document.dispatchEvent(new Event('visibilitychange'));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(puts()).toEqual(['?draft=true']);
  });

  it('does nothing when it is switched off', async () => {
    tab = openTab({ routes: kept.routes, preferences: { autosave: false } });
    tab.actions.edit(['name'], 'By hand');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(puts()).toEqual([]);
  });

  it('after a reload, knows a draft from a version', async () => {
    const newest = { ...definitionOf(sampleProject()), name: 'As it was' };
    const routes = { ...kept.routes, [`GET projects/${ID}/versions/3`]: () => json({ definition: newest }) };
    tab = openTab({ routes });
    await tab.actions.reload();
    await vi.advanceTimersByTimeAsync(0);
    expect(tab.state().draft).toBe(true);
  });
});

describe('a save that meets somebody else’s changes', () => {
  it('shows both and writes over neither', async () => {
    tab = openTab({ routes: kept.routes, preferences: AUTO });
    kept.change({ name: 'Theirs' });
    tab.actions.edit(['name'], 'Mine');
    await vi.advanceTimersByTimeAsync(3_000);
    expect(tab.state()).toMatchObject({ stale: true, cover: 'conflict', trouble: null });
    expect(tab.state().conflict).toMatchObject({ base: { name: 'Sales analyst' } });
    expect(mine().name).toBe('Mine');
    expect(kept.project.name).toBe('Theirs');
    // Nothing saves itself until the person has decided.
    tab.actions.edit(['description'], 'More');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(puts()).toHaveLength(1);
  });

  it('saves what was chosen from both; Undo brings back the rest', async () => {
    tab = openTab({ routes: kept.routes });
    kept.change({ name: 'Theirs', description: 'By them' });
    tab.actions.edit(['name'], 'Mine');
    tab.actions.edit(['limits', 'max_turns'], 7);
    expect(await tab.actions.save()).toBe(false);
    const { base, theirs } = tab.state().conflict!;
    const all = differences(base, mine(), definitionOf(theirs.project));
    const choices = Object.fromEntries(
      all.map(each => [placeKey(each), each.place[0] === 'limits' ? 'mine' : 'theirs'] as const)
    );
    expect(await tab.actions.resolveConflict(choices)).toBe(true);
    expect(kept.project).toMatchObject({
      name: 'Theirs',
      description: 'By them',
      limits: { max_turns: 7 },
      version: 4
    });
    expect(tab.state()).toMatchObject({ stale: false, conflict: null, cover: null });
    tab.actions.undo();
    expect(mine()).toMatchObject({ name: 'Mine', description: 'Studies a file' });
  });

  it('asks again when the project has changed once more meanwhile', async () => {
    tab = openTab({ routes: kept.routes });
    kept.change({ name: 'Theirs' });
    tab.actions.edit(['name'], 'Mine');
    await tab.actions.save();
    kept.change({ name: 'Theirs again' });
    const all = differences(
      tab.state().conflict!.base,
      mine(),
      definitionOf(tab.state().conflict!.theirs.project)
    );
    expect(await tab.actions.resolveConflict({ [placeKey(all[0])]: 'mine' })).toBe(false);
    expect(tab.state()).toMatchObject({ stale: true, cover: 'conflict' });
    expect(kept.project.name).toBe('Theirs again');
    expect(mine().name).toBe('Mine');
  });

  it('needs nobody where only cards were moved elsewhere', async () => {
    tab = openTab({ routes: kept.routes });
    const nodes = [{ id: 'agent', position: { x: 500, y: 60 } }];
    kept.change({ ui: { ...kept.project.ui, nodes } });
    tab.actions.edit(['name'], 'Mine');
    expect(await tab.actions.save()).toBe(true);
    expect(kept.project).toMatchObject({ name: 'Mine', ui: { nodes } });
  });

  it('takes over the newest state where nothing was edited here', async () => {
    tab = openTab({ routes: kept.routes });
    kept.change({ name: 'Theirs' });
    tab.actions.move({ agent: { x: 300, y: 60 } });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(mine().name).toBe('Theirs');
    expect(tab.state()).toMatchObject({ renewed: true, conflict: null });
    expect(kept.project.ui.nodes).toContainEqual({ id: 'agent', position: { x: 300, y: 60 } });
  });

  it('shows what a notebook has saved as soon as somebody turns to the tab, and leaves own edits alone', async () => {
    tab = openTab({ routes: kept.routes });
    await vi.advanceTimersByTimeAsync(2_000);
    kept.change({ name: 'From a notebook' });
    await tab.actions.lookAgain();
    expect(mine().name).toBe('From a notebook');
    expect(tab.state()).toMatchObject({ renewed: true, conflict: null });
    expect(isDirty(tab.state())).toBe(false);
    kept.change({ name: 'Once more' });
    await tab.actions.lookAgain();
    expect(mine().name).toBe('From a notebook'); // somebody who moves in and out does not ask each time
    await vi.advanceTimersByTimeAsync(2_000);
    expect(mine().name).toBe('Once more'); // and learns of it without another move
    kept.change({ name: 'A third time' });
    await tab.actions.lookAgain();
    tab.actions.edit(['name'], 'Mine');
    await vi.advanceTimersByTimeAsync(2_000);
    await tab.actions.lookAgain();
    expect(mine().name).toBe('Mine');
    expect(tab.state().conflict).toBeNull();
  });
});
