/**
 * What a project tab does: load, edit, save, check, run, stop, watch. The only writer of its store.
 *
 * Saves go one after another, always with the tag of what was last read, so that an autosave can never
 * write over somebody else's newer version. A hidden page writes nothing.
 */
import type { Client, Tagged } from '../api/client';
import { definitionOf } from '../api/client';
import { ApiError } from '../api/errors';
import type { LiveExecutions } from '../api/live';
import type { Definition, ExecutionEvent, Position } from '../api/types';
import { hasEnded } from '../api/types';
import type { Path } from '../graph/changes';
import { moving, setting } from '../graph/changes';
import { begin, push, redo, undo } from '../graph/history';

import { fold } from './fold';
import { emptyMonitor } from './monitor';
import type { MonitorTab, ProjectState, ProjectStore, Trouble } from './project';
import { NARROW_PX } from './project';
import { executionToShow, isDirty, needsPrompt, variablesToAsk } from './select';

/** Wait after the last drag or zoom before it is written, in milliseconds. */
const SETTLE_MS = 150;
/** Events that carry a time this close to now are live, so they tell how the clocks differ. */
const LIVE_MS = 5_000;

function troubleOf(error: unknown): Trouble {
  return error instanceof ApiError
    ? { code: error.code, message: error.message }
    : { code: 'UNEXPECTED', message: error instanceof Error ? error.message : String(error) };
}

export class ProjectActions {
  constructor(
    readonly store: ProjectStore,
    private _client: Client,
    private _live: LiveExecutions
  ) {
    this._unsubscribe = _live.subscribe(() => this._onLive());
  }

  dispose(): void {
    this._disposed = true;
    this._unsubscribe();
    this._unwatch();
    clearTimeout(this._layoutTimer);
    clearTimeout(this._viewportTimer);
  }

  // --- reading -----------------------------------------------------------

  /** Read the project, what it may use, and the execution that goes on. */
  async load(): Promise<void> {
    this._set({ loadTrouble: null });
    try {
      await this.reload();
    } catch (error) {
      this._set({ loadTrouble: troubleOf(error) });
      return;
    }
    await Promise.all([this._loadAids(), this._loadExecutions(), this.check()]);
  }

  /** Read the project again; edits that were not saved are gone. */
  async reload(): Promise<void> {
    const tagged = await this._client.project(this._state.projectId);
    this._set({ stale: false, history: begin(definitionOf(tagged.project)), ...this._taggedState(tagged) });
  }

  async reloadAfterConflict(): Promise<void> {
    await this._try(() => this.reload());
    await this.check();
  }

  private async _loadAids(): Promise<void> {
    const [models, tools] = await Promise.allSettled([this._client.models(), this._client.tools()]);
    this._set({
      models: models.status === 'fulfilled' ? models.value : null,
      tools: tools.status === 'fulfilled' ? tools.value.items : []
    });
  }

  private async _loadExecutions(): Promise<void> {
    await this._try(async () => {
      const page = await this._client.executions({ project: this._state.projectId, limit: 20 });
      this._set({ executions: page.items });
      const shown = executionToShow(page.items);
      if (shown && this._state.executionId === null) {
        this.show(shown.execution_id);
      }
    });
  }

  // --- editing -----------------------------------------------------------

  /** Write one field of the definition. */
  edit(path: Path, value: unknown): void {
    const history = this._state.history;
    if (history) {
      const merge = performance.now() - this._lastEdit < 1_000;
      this._lastEdit = performance.now();
      this._set({
        history: push(history, setting(history.definition, path, value), merge),
        validation: null
      });
    }
  }

  /** Put cards at new places, and save that soon. */
  move(places: Record<string, Position>): void {
    const history = this._state.history;
    if (history) {
      this._set({ history: push(history, moving(history.definition, places)) });
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
    const history = this._state.history;
    if (history) {
      this._set({ history: change(history) });
      this._saveLayoutSoon();
    }
  }

  select(id: string | null): void {
    const open = id === null ? this._state.propertiesOpen : this._state.width > NARROW_PX;
    this._set({ selected: id, propertiesOpen: open || this._state.propertiesOpen });
  }

  openProperties(id: string | null): void {
    this._set({ selected: id, propertiesOpen: true });
  }

  closeProperties(): void {
    this._set({ propertiesOpen: false });
  }

  // --- saving ------------------------------------------------------------

  /** Save every edit; true when the server has it. */
  async save(): Promise<boolean> {
    if (!this._state.history || !isDirty(this._state)) {
      return true;
    }
    const saved = await this._put(() => this._state.history?.definition ?? null);
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
    if (document.hidden || this._state.stale || this._disposed) {
      return;
    }
    await this._put(() => {
      const { saved, history } = this._state;
      return saved && history
        ? { ...definitionOf(saved), ui: { ...saved.ui, nodes: history.definition.ui.nodes } }
        : null;
    });
  }

  /** One PUT at a time; `make` is asked when it is this one's turn. */
  private _put(make: () => Definition | null): Promise<boolean> {
    const turn = this._queue.then(async () => {
      const definition = make();
      if (!definition || this._disposed) {
        return false;
      }
      this._set({ saving: true });
      try {
        const ui = { ...definition.ui, viewport: this._viewport ?? definition.ui.viewport };
        const sent = { ...definition, ui };
        const tagged = await this._client.saveProject(this._state.projectId, sent, this._state.etag);
        this._set({ trouble: null, ...this._taggedState(tagged) });
        this._adopt(definition, definitionOf(tagged.project));
        return true;
      } catch (error) {
        const trouble = troubleOf(error);
        this._set(trouble.code === 'PRECONDITION_FAILED' ? { stale: true } : { trouble });
        return false;
      } finally {
        this._set({ saving: false });
      }
    });
    this._queue = turn;
    return turn;
  }

  /** The server may tidy what it is given (a name's blanks); the draft follows, unless edited meanwhile. */
  private _adopt(sent: Definition, stored: Definition): void {
    const history = this._state.history;
    if (history?.definition === sent) {
      this._set({ history: { ...history, definition: { ...stored, ui: sent.ui } } });
    }
  }

  private _taggedState({ project, etag }: Tagged): Partial<ProjectState> {
    return { saved: project, etag };
  }

  /** Remember what part of the canvas is seen. Outside versions; the last one wins. */
  rememberViewport(viewport: { x: number; y: number; zoom: number }): void {
    this._viewport = viewport;
    clearTimeout(this._viewportTimer);
    this._viewportTimer = setTimeout(() => {
      if (!document.hidden && !this._disposed) {
        // A view that is not remembered costs one click on "fit"; no reason to disturb anybody.
        this._client.patchUi(this._state.projectId, { viewport }).catch(() => undefined);
      }
    }, SETTLE_MS);
  }

  // --- checking and running ----------------------------------------------

  async check(): Promise<void> {
    this._set({ checking: true });
    try {
      this._set({ validation: await this._client.validate(this._state.projectId) });
    } catch (error) {
      this._set({ trouble: troubleOf(error) });
    } finally {
      this._set({ checking: false });
    }
  }

  /** Save, then check and show what was found. */
  async checkAloud(): Promise<void> {
    if (await this.save()) {
      await this.check();
      this._set({ problemsOpen: true });
    }
  }

  closeProblems(): void {
    this._set({ problemsOpen: false });
  }

  /** Run, after asking for what is missing. */
  async run(): Promise<void> {
    const definition = this._state.history?.definition;
    if (!definition || this._state.starting) {
      return;
    }
    if (variablesToAsk(definition).length || needsPrompt(definition)) {
      this._set({ asking: true });
    } else {
      await this.runWith({});
    }
  }

  stopAsking(): void {
    this._set({ asking: false });
  }

  async runWith(variables: Record<string, string>, prompt?: string): Promise<void> {
    this._set({ asking: false, starting: true, lastVariables: variables, trouble: null });
    try {
      if (await this.save()) {
        const accepted = await this._client.execute(this._state.projectId, {
          variables,
          ...(prompt ? { prompt } : {})
        });
        this.show(accepted.execution_id);
        this._openDrawer();
        await this._noteState(accepted.execution_id);
      }
    } catch (error) {
      const trouble = troubleOf(error);
      if (trouble.code === 'INVALID_PROJECT') {
        await this.check();
        this._set({ problemsOpen: true });
      } else {
        this._set({ trouble });
      }
    } finally {
      this._set({ starting: false });
    }
  }

  async stop(): Promise<void> {
    const id = this._state.executionId;
    if (id) {
      await this._try(async () => this._live.note(await this._client.cancel(id)));
    }
  }

  /** Show an execution: its events from the first, live when it goes on. */
  show(executionId: string): void {
    this._unwatch();
    const known = this._live.states.find(each => each.execution_id === executionId);
    this._set({
      executionId,
      monitor: emptyMonitor(executionId),
      files: null,
      following: true,
      toggled: new Set(),
      drawer: { ...this._state.drawer, file: null, open: this._state.drawer.open || Boolean(known) }
    });
    this._unwatch = this._live.watch(executionId, {
      onEvents: events => this._onEvents(executionId, events),
      onError: error => this._set({ trouble: troubleOf(error) })
    });
  }

  private _onEvents(executionId: string, events: ExecutionEvent[]): void {
    const monitor = this._state.monitor;
    if (this._disposed || !monitor || this._state.executionId !== executionId) {
      return;
    }
    const after = fold(monitor, events);
    const last = events[events.length - 1];
    const skew = Date.now() - Date.parse(last.ts);
    this._set({ monitor: after, ...(Math.abs(skew) < LIVE_MS ? { skewMs: skew } : {}) });
    const ended = hasEnded(after.status) && !hasEnded(monitor.status);
    if (ended || events.some(event => event.type === 'tool_result')) {
      void this._loadFiles(executionId);
    }
    if (ended) {
      void this._noteState(executionId);
    }
  }

  private async _noteState(executionId: string): Promise<void> {
    await this._try(async () => this._live.note(await this._client.execution(executionId)));
  }

  private async _loadFiles(executionId: string): Promise<void> {
    if (this._loadingFiles) {
      return;
    }
    this._loadingFiles = true;
    try {
      const page = await this._client.executionFiles(executionId);
      if (this._state.executionId === executionId) {
        this._set({ files: page.items });
      }
    } catch (error) {
      if (hasEnded(this._state.monitor?.status ?? 'running')) {
        this._set({ trouble: troubleOf(error) });
      }
    } finally {
      this._loadingFiles = false;
    }
  }

  private _onLive(): void {
    const { projectId } = this._state;
    const mine = this._live.states.filter(each => each.project_id === projectId);
    const older = this._state.executions.filter(
      each => !mine.some(other => other.execution_id === each.execution_id)
    );
    const executions = [...mine, ...older].sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
    this._set({ executions, connection: this._live.connection });
  }

  // --- the drawer ----------------------------------------------------------

  private _openDrawer(): void {
    this._set({ drawer: { ...this._state.drawer, open: true, tab: 'steps', file: null } });
  }

  toggleDrawer(): void {
    this._set({ drawer: { ...this._state.drawer, open: !this._state.drawer.open } });
  }

  resizeDrawer(height: number): void {
    this._set({ drawer: { ...this._state.drawer, open: true, height } });
  }

  showTab(tab: MonitorTab, file: string | null = null): void {
    this._set({ drawer: { ...this._state.drawer, open: true, tab, file } });
  }

  toggleStep(id: string): void {
    const toggled = new Set(this._state.toggled);
    if (!toggled.delete(id)) {
      toggled.add(id);
    }
    this._set({ toggled });
  }

  follow(following: boolean): void {
    if (following !== this._state.following) {
      this._set({ following });
    }
  }

  setWidth(width: number): void {
    const first = this._state.width === 0;
    this._set({ width });
    if (first && width > NARROW_PX) {
      this._set({ propertiesOpen: true, selected: this._state.selected ?? 'agent' });
    }
  }

  dismissTrouble(): void {
    this._set({ trouble: null });
  }

  dismissKey(): void {
    this._set({ firstKey: null });
  }

  // --- small things --------------------------------------------------------

  private async _try(task: () => Promise<unknown>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this._set({ trouble: troubleOf(error) });
    }
  }

  private get _state(): ProjectState {
    return this.store.getState();
  }

  private _set(change: Partial<ProjectState>): void {
    if (!this._disposed) {
      this.store.setState(change);
    }
  }

  private _disposed = false;
  private _unsubscribe: () => void;
  private _unwatch: () => void = () => undefined;
  private _queue: Promise<boolean> = Promise.resolve(true);
  private _layoutTimer: ReturnType<typeof setTimeout> | undefined;
  private _viewportTimer: ReturnType<typeof setTimeout> | undefined;
  private _viewport: Definition['ui']['viewport'] = null;
  private _lastEdit = 0;
  private _loadingFiles = false;
}
