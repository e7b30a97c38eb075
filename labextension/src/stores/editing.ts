/**
 * Editing a project: read, change, select, save, check.
 *
 * Saves go one after another, always with the tag of what was last read, so that an autosave can never
 * write over somebody else's newer version. A hidden page writes nothing.
 */
import type { Tagged } from '../api/client';
import { definitionOf } from '../api/client';
import type { Definition, McpTest, Position, UiPatch } from '../api/types';
import type { Path } from '../graph/changes';
import { moving, setting } from '../graph/changes';
import { begin, push, redo, undo } from '../graph/history';

import type { ProjectState } from './project';
import { NARROW_PX } from './project';
import { isDirty } from './select';
import { TabActions, troubleOf } from './tab';

/** Wait after the last drag or zoom before it is written, in milliseconds. */
const SETTLE_MS = 150;
/** Edits of one field within this time are one step of undo, in milliseconds. */
const TYPING_MS = 1_000;

export class EditingActions extends TabActions {
  dispose(): void {
    super.dispose();
    clearTimeout(this._layoutTimer);
    clearTimeout(this._viewTimer);
  }

  /** Read the project again; edits that were not saved are gone. */
  async reload(): Promise<void> {
    const tagged = await this.client.project(this.state.projectId);
    this.set({ stale: false, history: begin(definitionOf(tagged.project)), ...this._taggedState(tagged) });
  }

  async reloadAfterConflict(): Promise<void> {
    await this.attempt(() => this.reload());
    await this.check();
  }

  protected async loadAids(): Promise<void> {
    const [models, tools] = await Promise.allSettled([this.client.models(), this.client.tools()]);
    this.set({
      models: models.status === 'fulfilled' ? models.value : null,
      tools: tools.status === 'fulfilled' ? tools.value.items : []
    });
  }

  // --- editing -----------------------------------------------------------

  /** Write one field of the definition. */
  edit(path: Path, value: unknown): void {
    const history = this.state.history;
    if (history) {
      this.set({
        history: push(history, setting(history.definition, path, value), this.typing()),
        validation: null
      });
    }
  }

  /** Whether an edit that comes now belongs to the one before: somebody types. */
  protected typing(): boolean {
    const last = this._lastEdit;
    this._lastEdit = performance.now();
    return this._lastEdit - last < TYPING_MS;
  }

  /** Put cards at new places, and save that soon. */
  move(places: Record<string, Position>): void {
    const history = this.state.history;
    if (history) {
      this.set({ history: push(history, moving(history.definition, places)) });
      this._saveLayoutSoon();
    }
  }

  undo(): void {
    this._step(undo);
  }

  redo(): void {
    this._step(redo);
  }

  private _step(change: typeof undo): void {
    const history = this.state.history;
    if (history) {
      this.set({ history: change(history) });
      this._saveLayoutSoon();
    }
  }

  select(id: string | null): void {
    const open = id === null ? this.state.propertiesOpen : this.state.width > NARROW_PX;
    this._choose(id);
    this.set({ propertiesOpen: open || this.state.propertiesOpen });
  }

  openProperties(id: string | null): void {
    this._choose(id);
    this.set({ propertiesOpen: true });
  }

  private _choose(id: string | null): void {
    this.set({ selected: id, picked: id === null ? [] : [id], pickedWires: [], refusal: null });
  }

  closeProperties(): void {
    this.set({ propertiesOpen: false });
  }

  // --- saving ------------------------------------------------------------

  /** Save every edit; true when the server has it. */
  async save(): Promise<boolean> {
    if (!this.state.history || !isDirty(this.state)) {
      return true;
    }
    const saved = await this._put(() => this.state.history?.definition ?? null);
    if (saved) {
      void this.check();
    }
    return saved;
  }

  private _saveLayoutSoon(): void {
    clearTimeout(this._layoutTimer);
    this._layoutTimer = setTimeout(() => void this._saveLayout(), SETTLE_MS);
  }

  /** Save where cards stand and nothing else: edits of properties wait for the person. */
  private async _saveLayout(): Promise<void> {
    if (document.hidden || this.state.stale || this.disposed) {
      return;
    }
    await this._put(() => {
      const { saved, history } = this.state;
      return saved && history
        ? { ...definitionOf(saved), ui: { ...saved.ui, nodes: history.definition.ui.nodes } }
        : null;
    });
  }

  /** One PUT at a time; `make` is asked when it is this one's turn. */
  private _put(make: () => Definition | null): Promise<boolean> {
    const turn = this._queue.then(async () => {
      const definition = make();
      if (!definition || this.disposed) {
        return false;
      }
      this.set({ saving: true });
      try {
        const ui = { ...definition.ui, ...this._view } as Definition['ui'];
        const sent = { ...definition, ui };
        const tagged = await this.client.saveProject(this.state.projectId, sent, this.state.etag);
        this.set({ trouble: null, ...this._taggedState(tagged) });
        this._adopt(definition, definitionOf(tagged.project));
        return true;
      } catch (error) {
        const trouble = troubleOf(error);
        this.set(trouble.code === 'PRECONDITION_FAILED' ? { stale: true } : { trouble });
        return false;
      } finally {
        this.set({ saving: false });
      }
    });
    this._queue = turn;
    return turn;
  }

  /** The server may tidy what it is given (a name's blanks); the draft follows, unless edited meanwhile. */
  private _adopt(sent: Definition, stored: Definition): void {
    const history = this.state.history;
    if (history?.definition === sent) {
      this.set({ history: { ...history, definition: { ...stored, ui: sent.ui } } });
    }
  }

  private _taggedState({ project, etag }: Tagged): Partial<ProjectState> {
    return { saved: project, etag };
  }

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

  /** Forget what part of the canvas was seen: whoever opens the project next sees all of it. */
  forgetView(): void {
    clearTimeout(this._viewTimer);
    const known = this._view.viewport ?? this.state.saved?.ui.viewport ?? null;
    this._view = { ...this._view, viewport: null };
    if (known) {
      // A patch leaves out what is null; a save writes it.
      this._saveLayoutSoon();
    }
  }

  // --- trust -------------------------------------------------------------

  /** Ask what an untrusted project would run. */
  async lookAtTrust(): Promise<void> {
    await this.attempt(async () => {
      this.set({ agreement: await this.client.wouldRun(this.state.projectId) });
    });
  }

  /** Agree to what was shown, and to nothing else: had it changed since, the server refuses. */
  async trust(): Promise<void> {
    const { agreement, projectId } = this.state;
    if (!agreement) {
      return;
    }
    try {
      const tagged = await this.client.trust(projectId, agreement.hash);
      this.set({ agreement: null, ...this._taggedState(tagged) });
    } catch (error) {
      const trouble = troubleOf(error);
      this.set({ trouble });
      if (trouble.code === 'NOT_TRUSTED') {
        await this.lookAtTrust();
      }
    }
  }

  /** Save, then try an MCP server: null where the save was refused. Raises what the server says. */
  async testServer(server: string): Promise<McpTest | null> {
    return (await this.save()) ? this.client.testMcp(this.state.projectId, server) : null;
  }

  // --- checking ----------------------------------------------------------

  async check(): Promise<void> {
    this.set({ checking: true });
    try {
      this.set({ validation: await this.client.validate(this.state.projectId) });
    } catch (error) {
      this.set({ trouble: troubleOf(error) });
    } finally {
      this.set({ checking: false });
    }
  }

  /** Save, then check and show what was found. */
  async checkAloud(): Promise<void> {
    if (await this.save()) {
      await this.check();
      this.set({ problemsOpen: true });
    }
  }

  closeProblems(): void {
    this.set({ problemsOpen: false });
  }

  private _queue: Promise<boolean> = Promise.resolve(true);
  private _layoutTimer: ReturnType<typeof setTimeout> | undefined;
  private _viewTimer: ReturnType<typeof setTimeout> | undefined;
  private _view: UiPatch = {};
  private _lastEdit = 0;
}
