/**
 * Saving a project: what a person asks for becomes a version, what saves itself a draft.
 *
 * Saves go one after another, always with the tag of what was last read, so that none can ever write over
 * somebody else's newer state: where the two disagree, the person is shown both. A hidden page writes nothing.
 */
import type { Client, Tagged } from '../api/client';
import { definitionOf } from '../api/definition';
import type { LiveExecutions } from '../api/live';
import type { Definition, UiPatch } from '../api/types';
import { setting } from '../graph/changes';
import { differences, equal, subject } from '../graph/differences';
import { begin, push } from '../graph/history';
import type { Choices } from '../graph/merge';
import { merged, obvious } from '../graph/merge';

import type { PreferencesStore } from './preferences';
import type { ProjectState, ProjectStore } from './project';
import { isDirty } from './select';
import { TabActions, troubleOf } from './tab';

/** Wait after the last drag or zoom before it is written, in milliseconds. */
const SETTLE_MS = 150;

/** Least time between two looks whether a project was changed elsewhere, in milliseconds. */
const LOOK_MS = 1500;

export class SavingActions extends TabActions {
  constructor(store: ProjectStore, client: Client, live: LiveExecutions, preferences?: PreferencesStore) {
    super(store, client, live, preferences);
    this._stopWatching = store.subscribe((state, before) => {
      if (state.history?.definition !== before.history?.definition) {
        this._autosaveSoon();
      }
    });
    document.addEventListener('visibilitychange', this._onVisibility);
  }

  dispose(): void {
    super.dispose();
    this._stopWatching();
    document.removeEventListener('visibilitychange', this._onVisibility);
    clearTimeout(this._autosaveTimer);
    clearTimeout(this._layoutTimer);
    clearTimeout(this._viewTimer);
  }

  /** Read the project again; edits that were not saved are gone. */
  async reload(): Promise<void> {
    const tagged = await this.client.project(this.state.projectId);
    this.set({
      stale: false,
      conflict: null,
      history: begin(definitionOf(tagged.project)),
      ...this.taggedState(tagged)
    });
    this.draftKnown = this._lookForDraft();
  }

  /** Whether what is saved is in no version yet: a save then makes one. */
  private async _lookForDraft(): Promise<void> {
    const { projectId, saved } = this.state;
    if (!saved) {
      return;
    }
    try {
      const newest = await this.client.admin.version(projectId, saved.version);
      if (this.state.saved === saved) {
        this.set({ draft: !equal(subject(newest.definition), subject(definitionOf(saved))) });
      }
    } catch {
      // Not known: Save then has nothing to do until the next edit.
    }
  }

  // --- saving -------------------------------------------------------------

  /** Make a version of every edit, drafts included; true when the server has it. */
  async save(): Promise<boolean> {
    if (!this.state.history || (!isDirty(this.state) && !this.state.draft)) {
      return true;
    }
    return this._saveAll(false);
  }

  /** Keep every edit on the server without making a version of it; true when it is there. */
  async saveDraft(): Promise<boolean> {
    return !this.state.history || !isDirty(this.state) || this._saveAll(true);
  }

  private async _saveAll(draft: boolean): Promise<boolean> {
    const saved = await this._put(() => this.state.history?.definition ?? null, draft);
    if (saved) {
      this.onSaved();
    }
    return saved;
  }

  /** Everything is on the server now. */
  protected onSaved(): void {}

  private _autosaveSoon(): void {
    clearTimeout(this._autosaveTimer);
    const { autosave, autosaveDelay } = this.preferences.getState();
    if (autosave && isDirty(this.state)) {
      this._autosaveTimer = setTimeout(() => void this._autosave(), autosaveDelay * 1_000);
    }
  }

  private async _autosave(): Promise<void> {
    if (!document.hidden && !this.state.stale && !this.disposed) {
      await this.saveDraft();
    }
  }

  private _onVisibility = (): void => {
    if (!document.hidden) {
      this._autosaveSoon();
    }
  };

  protected saveLayoutSoon(): void {
    clearTimeout(this._layoutTimer);
    this._layoutTimer = setTimeout(() => void this._saveLayout(), SETTLE_MS);
  }

  /** Save where cards stand and nothing else: edits of properties wait for their own turn. */
  private async _saveLayout(): Promise<void> {
    if (document.hidden || this.state.stale || this.disposed) {
      return;
    }
    await this._put(() => {
      const { saved, history } = this.state;
      return saved && history
        ? { ...definitionOf(saved), ui: { ...saved.ui, nodes: history.definition.ui.nodes } }
        : null;
    }, true);
  }

  /** One PUT at a time; `make` is asked when it is this one's turn. */
  private _put(make: () => Definition | null, draft: boolean): Promise<boolean> {
    const turn = this._queue.then(async () => {
      this.set({ saving: true });
      try {
        return await this._send(make, draft);
      } catch (error) {
        this.set({ trouble: troubleOf(error) });
        return false;
      } finally {
        this.set({ saving: false });
      }
    });
    this._queue = turn;
    return turn;
  }

  private async _send(make: () => Definition | null, draft: boolean, again = true): Promise<boolean> {
    const definition = make();
    if (!definition || this.disposed) {
      return false;
    }
    try {
      const ui = { ...definition.ui, ...this._view } as Definition['ui'];
      const sent = { ...definition, ui };
      const { projectId, etag, saved } = this.state;
      const tagged = await this.client.saveProject(projectId, sent, etag, draft);
      const changed = saved === null || !equal(subject(definitionOf(saved)), subject(definition));
      this.set({
        trouble: null,
        stale: false,
        conflict: null,
        draft: draft && (this.state.draft || changed),
        ...this.taggedState(tagged)
      });
      this._adopt(definition, definitionOf(tagged.project));
      return true;
    } catch (error) {
      if (troubleOf(error).code !== 'PRECONDITION_FAILED') {
        throw error;
      }
      return (await this._meet()) && again && this._send(make, draft, false);
    }
  }

  /** The server may tidy what it is given (a name's blanks); the draft follows, unless edited meanwhile. */
  private _adopt(sent: Definition, stored: Definition): void {
    const history = this.state.history;
    if (history?.definition === sent) {
      this.set({ history: { ...history, definition: { ...stored, ui: sent.ui } } });
    }
  }

  protected taggedState({ project, etag }: Tagged): Partial<ProjectState> {
    return { saved: project, etag };
  }

  // --- meeting somebody else's changes -----------------------------------

  /**
   * The project has changed elsewhere: read it. True where nobody's edits touch (only one side has any), and
   * both are joined already; else the person is shown the two.
   */
  private async _meet(read?: Tagged): Promise<boolean> {
    const theirs = read ?? (await this.client.project(this.state.projectId));
    const { saved, history } = this.state;
    if (!saved || !history) {
      return false;
    }
    const [base, now] = [definitionOf(saved), definitionOf(theirs.project)];
    const all = differences(base, history.definition, now);
    if (all.some(each => each.by !== 'theirs') && all.some(each => each.by !== 'mine')) {
      this.set({ stale: true, conflict: { base, theirs }, cover: 'conflict' });
      return false;
    }
    this._join(merged(base, history.definition, now, obvious(all)), theirs);
    this.set({ renewed: all.length > 0 && all.every(each => each.by === 'theirs') });
    return true;
  }

  /**
   * Somebody turns to this tab: what a notebook or another tab has saved meanwhile is shown. Own edits are left
   * alone; saving them meets the others'.
   */
  async lookAgain(): Promise<void> {
    const busy = () => isDirty(this.state) || this.state.saving || this.state.frozen !== null;
    if (!this.state.saved || busy() || this.disposed) {
      return;
    }
    const pause = this._looked + LOOK_MS - Date.now();
    if (pause > 0) {
      // Who moves in and out does not ask each time, but what was saved since the last look is shown all the same.
      this._later ??= setTimeout(() => {
        this._later = undefined;
        void this.lookAgain();
      }, pause);
      return;
    }
    this._looked = Date.now();
    const { etag } = this.state;
    try {
      const theirs = await this.client.project(this.state.projectId);
      if (theirs.etag !== etag && this.state.etag === etag && !busy() && (await this._meet(theirs))) {
        void this._lookForDraft();
      }
    } catch {
      // A server that does not answer is shown by Lab itself; the next look comes anyway.
    }
  }

  /** Go on from `theirs` with `definition`; what it replaces here can be brought back by Undo. */
  private _join(definition: Definition, theirs: Tagged): void {
    const { history } = this.state;
    if (history) {
      const change = setting(history.definition, [], definition);
      this.set({
        history: equal(history.definition, definition) ? history : push(history, change),
        stale: false,
        conflict: null,
        validation: null,
        ...this.taggedState(theirs)
      });
    }
  }

  /** Show again what the person has to decide. */
  async lookAtConflict(): Promise<void> {
    if (this.state.conflict) {
      this.set({ cover: 'conflict' });
    } else {
      await this.attempt(() => this._meet());
    }
  }

  /** Save what the person has chosen from both. */
  async resolveConflict(choices: Choices): Promise<boolean> {
    const { conflict, history } = this.state;
    if (!conflict || !history) {
      return false;
    }
    const { base, theirs } = conflict;
    this._join(merged(base, history.definition, definitionOf(theirs.project), choices), theirs);
    this.set({ cover: null });
    return this._saveAll(false);
  }

  // --- the view -----------------------------------------------------------

  /** Remember what part of the canvas is seen, and what is folded. Outside versions; the last one wins. */
  rememberView(patch: UiPatch): void {
    this._view = { ...this._view, ...patch };
    clearTimeout(this._viewTimer);
    this._viewTimer = setTimeout(() => {
      if (!document.hidden && !this.disposed) {
        // A view that is not remembered costs one click; no reason to disturb anybody.
        this.client.patchUi(this.state.projectId, this._view).catch(() => undefined);
      }
    }, SETTLE_MS);
  }

  /** Remember whether a part of the tab is folded away. */
  protected rememberFolded(part: string, folded: boolean): void {
    const known = this._view.folded ?? this.state.saved?.ui.folded ?? [];
    const others = known.filter(name => name !== part);
    this.rememberView({ folded: folded ? [...others, part] : others });
  }

  /** Forget what part of the canvas was seen: whoever opens the project next sees all of it. */
  forgetView(): void {
    clearTimeout(this._viewTimer);
    const known = this._view.viewport ?? this.state.saved?.ui.viewport ?? null;
    this._view = { ...this._view, viewport: null };
    if (known) {
      // A patch leaves out what is null; a save writes it.
      this.saveLayoutSoon();
    }
  }

  /** Done when `draft` tells how things are. */
  protected draftKnown: Promise<void> = Promise.resolve();
  private _stopWatching: () => void;
  private _queue: Promise<boolean> = Promise.resolve(true);
  private _autosaveTimer: ReturnType<typeof setTimeout> | undefined;
  private _layoutTimer: ReturnType<typeof setTimeout> | undefined;
  private _viewTimer: ReturnType<typeof setTimeout> | undefined;
  private _view: UiPatch = {};
  private _looked = 0;
  private _later: ReturnType<typeof setTimeout> | undefined;
}
