/**
 * Everything that a project tab does: `AidActions`, and from here running, stopping, watching, and
 * what the monitor shows. The only writer of its store.
 */
import type { Client } from '../api/client';
import type { LiveExecutions } from '../api/live';
import type { ApprovalDecision, ExecuteRequest, ExecutionEvent, ExecutionState } from '../api/types';
import { hasEnded } from '../api/types';
import type { Host } from '../ui/host';

import { AidActions } from './aids';
import { EMPTY_DRAFT, requestOf } from './drafts';
import { fold } from './fold';
import { emptyMonitor } from './monitor';
import type { PreferencesStore } from './preferences';
import type { MonitorTab, ProjectStore } from './project';
import { NARROW_PX } from './project';
import { RunActions } from './runActions';
import { NO_RUNS } from './runs';
import { executionToShow, isActive, joined, needsPrompt, variablesToAsk } from './select';
import { troubleOf } from './tab';

/** Events that carry a time this close to now are live, so they tell how the clocks differ. */
const LIVE_MS = 5_000;
/** A clock that is believed to be off by so much less or more is another one; in milliseconds. */
const SKEW_MS = 250;
/** Least time between two looks at the files of an execution, in milliseconds. */
const FILES_MS = 500;
/** Name of the drawer among the folded panels. */
const DRAWER = 'monitor';

export class ProjectActions extends AidActions {
  constructor(
    store: ProjectStore,
    client: Client,
    live: LiveExecutions,
    host: Host,
    preferences?: PreferencesStore
  ) {
    super(store, client, live, preferences);
    this.runs = new RunActions(
      store,
      client,
      live,
      {
        show: id => this.show(id),
        runWith: request => this.runWith(request),
        follow: id => this._follow(id)
      },
      host
    );
    this._unsubscribe = live.subscribe(() => this._onLive());
  }

  /** What a person does with executions besides. */
  readonly runs: RunActions;

  dispose(): void {
    super.dispose();
    this.runs.dispose();
    this._unsubscribe();
    this._unwatch();
  }

  /** Read the project, what it may use, and the execution that goes on. */
  async load(): Promise<void> {
    this.set({ loadTrouble: null });
    const reading = this.reload();
    this.loading = reading
      .then(() => Promise.all([this.draftKnown, this._loadExecutions()]))
      .catch(() => undefined);
    try {
      await reading;
      this.restoreView();
    } catch (error) {
      this.set({ loadTrouble: troubleOf(error) });
      return;
    }
    await Promise.all([this.loadAids(), this.loading, this.check(), this.runs.recall()]);
    this._loaded = true;
  }

  private async _loadExecutions(): Promise<void> {
    await this.attempt(async () => {
      const page = await this.client.executions({ project: this.state.projectId, limit: 20 });
      // What was heard of them since they were asked for is newer than the answer.
      const executions = joined(page.items, this._heard(), this.state.executions);
      this.set({ executions, runs: { ...this.state.runs, older: page.next_cursor } });
      const shown = executionToShow(executions);
      if (shown && this.state.executionId === null) {
        this.show(shown.execution_id);
        this.set({ numbersGone: this.isOfAnotherVersion(shown.execution_id) });
        const folded = this.state.saved?.ui.folded.includes(DRAWER) && hasEnded(shown.status);
        this.set({ drawer: { ...this.state.drawer, open: !folded } });
      }
    });
  }

  // --- running -------------------------------------------------------------

  /** Run, after asking for what is missing. `step`: every tool call asks. */
  async run(step = false): Promise<void> {
    const definition = this.state.history?.definition;
    if (!definition || this.state.starting) {
      return;
    }
    const { draft } = this.state.runs;
    if (variablesToAsk(definition).length || needsPrompt(definition)) {
      this.runs.ask({ ...draft, step });
    } else {
      await this.runWith(requestOf({ ...EMPTY_DRAFT, step }));
    }
  }

  stopAsking(): void {
    this.set({ asking: false });
  }

  /** Save what is edited, unless another version is asked for, and run it. */
  async runWith(request: ExecuteRequest): Promise<void> {
    this.set({ asking: false, starting: true, trouble: null });
    try {
      if ((request.version ?? null) !== null || (await this.save())) {
        const accepted = await this.client.execute(this.state.projectId, request);
        await this._follow(accepted.execution_id);
      }
    } catch (error) {
      const trouble = troubleOf(error);
      if (trouble.code === 'INVALID_PROJECT') {
        await this.check();
        this.set({ problemsOpen: true });
      } else {
        this.set({ trouble });
      }
    } finally {
      this.set({ starting: false });
    }
  }

  /** Stop an execution, or take it out of the queue: the one that is shown, where no other is named. */
  async stop(id: string | null = this.state.executionId): Promise<void> {
    if (id) {
      await this.attempt(async () => this.live.note(await this.client.cancel(id)));
    }
  }

  /** Answer a call that waits; gives what the server says against it, null when it has taken it. */
  async decide(callId: string, decision: ApprovalDecision): Promise<string | null> {
    const id = this.state.executionId;
    if (!id) {
      return null;
    }
    try {
      this.live.note(await this.client.decide(id, callId, decision));
      return null;
    } catch (error) {
      return troubleOf(error).message;
    }
  }

  /** Bring the question that waits longest into view, and the focus to it. */
  review(): void {
    this._openDrawer();
    this.set({ following: false, reviewed: this.state.reviewed + 1 });
  }

  /** Let the execution that is shown go on, and show where it does. */
  async resume(): Promise<void> {
    await this.runs.resume();
  }

  /** Show an execution that somebody here has begun, from its first step on. */
  private async _follow(executionId: string): Promise<void> {
    if (executionId !== this.state.executionId) {
      this.show(executionId);
    }
    this._openDrawer();
    await this._noteState(executionId);
  }

  /** Show an execution: its events from the first, live when it goes on. */
  show(executionId: string): void {
    this._unwatch();
    this._lostAt = null;
    this.set({
      executionId,
      monitor: emptyMonitor(executionId),
      files: null,
      frozen: null,
      numbersGone: false,
      following: this.preferences.getState().follow,
      toggled: new Set(),
      runs: { ...this.state.runs, events: NO_RUNS.events, step: null, caughtUp: null },
      drawer: { ...this.state.drawer, file: null }
    });
    this._unwatch = this.live.watch(executionId, {
      onEvents: events => this._onEvents(executionId, events),
      onError: error => this.set({ trouble: troubleOf(error) })
    });
  }

  private _onEvents(executionId: string, events: ExecutionEvent[]): void {
    const monitor = this.state.monitor;
    if (this.disposed || !monitor || this.state.executionId !== executionId) {
      return;
    }
    const after = fold(monitor, events);
    const last = events[events.length - 1];
    const skew = Date.now() - Date.parse(last.ts);
    const { runs, skewMs } = this.state;
    this.set({
      monitor: after,
      runs: { ...runs, events: runs.events.grown(events) },
      ...(Math.abs(skew) < LIVE_MS && Math.abs(skew - skewMs) > SKEW_MS ? { skewMs: skew } : {})
    });
    if (this._lostAt !== null) {
      this.runs.caughtUp(after.lastEventId - this._lostAt);
      this._lostAt = null;
    }
    const ended = hasEnded(after.status) && !hasEnded(monitor.status);
    if (ended || events.some(event => event.type === 'tool_result')) {
      void this._loadFiles(executionId);
    }
    if (ended) {
      void this._noteState(executionId);
    }
  }

  private async _noteState(executionId: string): Promise<void> {
    await this.attempt(async () => this.live.note(await this.client.execution(executionId)));
  }

  /** List what the execution has made; wishes that come meanwhile, or right after, share the next look. */
  private async _loadFiles(executionId: string): Promise<void> {
    if (this._loadingFiles) {
      this._filesWanted = true;
      return;
    }
    this._loadingFiles = true;
    this._filesWanted = false;
    try {
      const page = await this.client.executionFiles(executionId);
      if (this.state.executionId === executionId) {
        this.set({ files: page.items });
      }
    } catch (error) {
      if (hasEnded(this.state.monitor?.status ?? 'running')) {
        this.set({ trouble: troubleOf(error) });
      }
    }
    setTimeout(() => {
      this._loadingFiles = false;
      if (this._filesWanted && !this.disposed && this.state.executionId) {
        void this._loadFiles(this.state.executionId);
      }
    }, FILES_MS);
  }

  /** What is known of this project's executions in the whole browser tab. */
  private _heard(): ExecutionState[] {
    return this.live.states.filter(each => each.project_id === this.state.projectId);
  }

  private _onLive(): void {
    const executions = joined(this.state.executions, this._heard());
    const connection = this.live.connection;
    if (connection === 'reconnecting' && isActive(this.state)) {
      this._lostAt ??= this.state.monitor?.lastEventId ?? 0;
    }
    const mended =
      (connection === 'open' || connection === 'polling') && this.state.trouble?.code === 'OFFLINE';
    const { outdated } = this.live;
    this.set({ executions, connection, outdated, ...(mended ? { trouble: null } : {}) });
    // A run that a notebook or a program starts is shown here too, unless another one goes on.
    const newest = executions[0];
    const { executionId } = this.state;
    if (this._loaded && newest && newest.execution_id !== executionId) {
      if (!hasEnded(newest.status) && !isActive(this.state) && !this.state.starting) {
        this.show(newest.execution_id);
        this._openDrawer();
      }
    }
  }

  // --- the drawer ----------------------------------------------------------

  private _openDrawer(): void {
    this.set({ drawer: { ...this.state.drawer, open: true, tab: 'steps', file: null } });
  }

  toggleDrawer(): void {
    const open = !this.state.drawer.open;
    this.set({ drawer: { ...this.state.drawer, open } });
    this.rememberFolded(DRAWER, !open);
  }

  resizeDrawer(height: number): void {
    this.set({ drawer: { ...this.state.drawer, open: true, height } });
  }

  showTab(tab: MonitorTab, file: string | null = null): void {
    this.set({ drawer: { ...this.state.drawer, open: true, tab, file } });
  }

  toggleStep(id: string): void {
    const toggled = new Set(this.state.toggled);
    if (!toggled.delete(id)) {
      toggled.add(id);
    }
    this.set({ toggled });
  }

  follow(following: boolean): void {
    if (following !== this.state.following) {
      this.set({ following });
    }
  }

  /** The tab got another size: properties open where there is room at first, and fold when it goes. */
  setSize(width: number, height: number): void {
    const before = this.state.width;
    this.set({ width, height });
    if (before === 0 && width > NARROW_PX) {
      this.set({ propertiesOpen: true, selected: this.state.selected ?? 'agent' });
    } else if (before > NARROW_PX && width <= NARROW_PX) {
      this.set({ propertiesOpen: false });
    }
  }

  dismissTrouble(): void {
    this.set({ trouble: null });
  }

  dismissKey(): void {
    this.set({ firstKey: null });
  }

  private _unsubscribe: () => void;
  private _unwatch: () => void = () => undefined;
  /** The last event seen when the connection was lost, until the next one comes. */
  private _lostAt: number | null = null;
  private _loaded = false;
  private _loadingFiles = false;
  private _filesWanted = false;
}
