/**
 * What a person does with executions: filters, the dialog before a run, run again, fork, compare, keep.
 *
 * One of these belongs to each `ProjectActions`, which starts, shows and stops executions.
 */
import type { Client } from '../api/client';
import type { LiveExecutions } from '../api/live';
import type { ExecuteRequest, ForkRequest, PartialLimits } from '../api/types';
import type { Host } from '../ui/host';

import type { RunDraft } from './drafts';
import { EMPTY_DRAFT, NO_LIMITS, recalled, remembered, requestOf, placeFor, withFiles } from './drafts';
import { fold } from './fold';
import type { Filter } from './kinds';
import { NO_FILTER } from './kinds';
import type { Monitor } from './monitor';
import { emptyMonitor } from './monitor';
import type { ProjectStore } from './project';
import { draftOf, filesOf } from './repeat';
import { foldedAbove } from './rows';
import type { RunsState } from './runs';
import { TabActions, troubleOf } from './tab';

/** What the actions of the tab do for these. */
export interface Runner {
  show(executionId: string): void;
  runWith(request: ExecuteRequest): Promise<void>;
  follow(executionId: string): Promise<void>;
}

/** How long "caught up" stands, in milliseconds. */
const CAUGHT_UP_MS = 6_000;
/** Rows that "older" brings. */
const PAGE = 50;

export class RunActions extends TabActions {
  constructor(
    store: ProjectStore,
    client: Client,
    live: LiveExecutions,
    private _tab: Runner,
    private _host: Host
  ) {
    super(store, client, live);
  }

  dispose(): void {
    super.dispose();
    clearTimeout(this._caughtUpTimer);
  }

  private _note(change: Partial<RunsState>): void {
    this.set({ runs: { ...this.state.runs, ...change } });
  }

  private get _key(): string {
    return this.state.projectId;
  }

  /** Recall what was typed before the last run of this project. */
  async recall(): Promise<void> {
    const draft = recalled(await this._host.recall(this._key));
    if (this.state.runs.draft === EMPTY_DRAFT) {
      this._note({ draft });
    }
  }

  // --- looking closer ------------------------------------------------------

  select(step: string | null): void {
    if (step !== this.state.runs.step) {
      this._note({ step });
    }
  }

  /** Mark a step and bring it into view in the tree. */
  reveal(step: string): void {
    const { monitor, toggled } = this.state;
    if (monitor) {
      const next = new Set(toggled);
      for (const id of foldedAbove(monitor, toggled, step)) {
        if (!next.delete(id)) {
          next.add(id);
        }
      }
      this.set({ toggled: next, following: false });
    }
    this.select(step);
  }

  /** Show or hide the filter; hidden, it lets everything through. */
  toggleFilter(): void {
    const filtering = !this.state.runs.filtering;
    this._note({ filtering, ...(filtering ? {} : { filter: NO_FILTER }) });
  }

  filter(change: Partial<Filter>): void {
    this._note({ filter: { ...this.state.runs.filter, ...change } });
  }

  dismissNote(): void {
    this._note({ note: null });
  }

  /** The connection is back, `count` events later. */
  caughtUp(count: number): void {
    clearTimeout(this._caughtUpTimer);
    this._note({ caughtUp: count });
    this._caughtUpTimer = setTimeout(() => this._note({ caughtUp: null }), CAUGHT_UP_MS);
  }

  dismissCaughtUp(): void {
    this._note({ caughtUp: null });
  }

  // --- the dialog before a run ---------------------------------------------

  /** Ask for everything that a run may be given. */
  ask(draft: RunDraft = this.state.runs.draft): void {
    this._note({ draft });
    this.set({ asking: true });
    void this._loadChoices();
  }

  edit(change: Partial<RunDraft>): void {
    this._note({ draft: { ...this.state.runs.draft, ...change } });
  }

  /** Run with files of the Jupyter server: dragged in, or chosen. */
  offer(paths: readonly string[]): void {
    const draft = withFiles(this.state.runs.draft, paths);
    if (this.state.asking) {
      this._note({ draft });
    } else {
      this.ask(draft);
    }
  }

  async choose(): Promise<void> {
    await this.attempt(async () => this.offer(await this._host.chooseFiles()));
  }

  /** Bring a file of this computer. */
  async upload(file: File): Promise<void> {
    this._note({ uploading: this.state.runs.uploading + 1 });
    await this.attempt(async () => {
      const { upload_id } = await this.client.upload(this.state.projectId, file);
      const { draft } = this.state.runs;
      const path = placeFor(draft.files, file.name);
      this.edit({ files: [...draft.files, { path, upload_id }] });
    });
    this._note({ uploading: this.state.runs.uploading - 1 });
  }

  async submit(): Promise<void> {
    const { draft } = this.state.runs;
    await this._tab.runWith(requestOf(draft));
    // Files and recordings are for this one run; what was typed is there the next time.
    this._note({ draft: { ...draft, files: [], version: null, replay: null } });
    await this._host.remember(this._key, remembered(draft)).catch(() => undefined);
  }

  private async _loadChoices(): Promise<void> {
    const { projectId } = this.state;
    const [versions, cassettes] = await Promise.allSettled([
      this.client.admin.versions(projectId),
      this.client.cassettes(projectId)
    ]);
    this._note({
      versions: versions.status === 'fulfilled' ? versions.value.items : [],
      cassettes: cassettes.status === 'fulfilled' ? cassettes.value.items : []
    });
  }

  // --- again, and otherwise ------------------------------------------------

  private get _shown(): { id: string; monitor: Monitor; draft: RunDraft } | null {
    const { executionId: id, monitor, history } = this.state;
    if (!id || !monitor || !history) {
      return null;
    }
    const { agent, limits } = history.definition;
    return { id, monitor, draft: draftOf(monitor, agent.task, { ...NO_LIMITS, ...limits }) };
  }

  /** The shown execution once more: its version, its prompt, its values, its files. */
  async again(): Promise<void> {
    await this._withShown((draft, version) => this._tab.runWith(requestOf({ ...draft, version })));
  }

  /** The dialog, filled in with what the shown execution was given. */
  async editAndRun(): Promise<void> {
    await this._withShown((draft, version) =>
      this.ask({ ...draft, version: version === this.state.saved?.version ? null : version })
    );
  }

  private async _withShown(then: (draft: RunDraft, version: number | null) => unknown): Promise<void> {
    const shown = this._shown;
    if (shown) {
      await this.attempt(async () => {
        const files = await filesOf(this.client, shown.id);
        await then({ ...shown.draft, files }, shown.monitor.version);
      });
    }
  }

  /** Let the shown execution go on, with other limits on wish. */
  async resume(limits?: PartialLimits): Promise<void> {
    const id = this.state.executionId;
    if (id) {
      await this.attempt(async () => this._tab.follow(await this.client.resume(id, limits)));
    }
  }

  askFork(step: string | null = this.state.runs.step): void {
    this._note({ forking: { step } });
  }

  stopForking(): void {
    this._note({ forking: null });
  }

  /** Fork the shown execution; what the server says against it, null when it has begun. */
  async fork(request: ForkRequest): Promise<string | null> {
    const id = this.state.executionId;
    if (!id) {
      return null;
    }
    try {
      const next = await this.client.fork(id, request);
      this._note({ forking: null });
      await this._tab.follow(next);
      return null;
    } catch (error) {
      return troubleOf(error).message;
    }
  }

  // --- keeping -------------------------------------------------------------

  async keepCassette(tools: boolean, note: string): Promise<void> {
    const id = this.state.executionId;
    if (id) {
      await this.attempt(async () => {
        await this.client.keepCassette(id, tools);
        this._note({ note });
      });
    }
  }

  async pin(id: string, pinned: boolean, note: string): Promise<void> {
    await this.attempt(async () => {
      this.live.note(await this.client.pin(id, pinned));
      this._note({ note });
    });
  }

  /** Delete an execution that has ended; another one is shown in its place. */
  async remove(id: string): Promise<void> {
    await this.attempt(async () => {
      await this.client.deleteExecution(id);
      this.live.forget(id);
      const executions = this.state.executions.filter(each => each.execution_id !== id);
      this.set({ executions });
      if (this.state.executionId === id) {
        if (executions.length) {
          this._tab.show(executions[0].execution_id);
        } else {
          this.set({ executionId: null, monitor: null, files: null });
        }
      }
    });
  }

  /** The whole log as lines of JSON. */
  async log(): Promise<Blob | null> {
    const id = this.state.executionId;
    let blob: Blob | null = null;
    if (id) {
      await this.attempt(async () => {
        const events = await this.client.events(id);
        const lines = events.map(event => `${JSON.stringify(event)}\n`);
        blob = new Blob(lines, { type: 'application/jsonl' });
      });
    }
    return blob;
  }

  /** Open the run as a notebook beside the user's other files. */
  async openNotebook(): Promise<void> {
    const { executionId: id, saved, executions } = this.state;
    if (id) {
      await this.attempt(async () => {
        const created = executions.find(each => each.execution_id === id)?.created_at ?? '';
        const when = created.slice(0, 16).replace('T', ' ').replace(':', '.');
        const name = `${saved?.name ?? id} ${when}`.replace(/[/\\:*?"<>|]+/g, '-').trim();
        await this._host.open(`${name}.ipynb`, await this.client.notebook(id));
      });
    }
  }

  /** Put a file of the run among the user's own files, where the file browser is, and open it there. */
  async saveFile(path: string): Promise<void> {
    const { executionId: id } = this.state;
    if (id) {
      await this.attempt(async () => {
        await this._host.open(path.split('/').pop() ?? path, await this.client.executionFile(id, path));
      });
    }
  }

  // --- several -------------------------------------------------------------

  /** More of this project's executions. */
  async loadOlder(): Promise<void> {
    const { projectId, runs } = this.state;
    if (runs.older) {
      await this.attempt(async () => {
        const page = await this.client.executions({
          project: projectId,
          limit: PAGE,
          cursor: runs.older ?? ''
        });
        const known = new Set(this.state.executions.map(each => each.execution_id));
        const more = page.items.filter(each => !known.has(each.execution_id));
        this.set({ executions: [...this.state.executions, ...more] });
        this._note({ older: page.next_cursor });
      });
    }
  }

  /** The shown execution beside another one: the older at the left. */
  async compare(other: string): Promise<void> {
    const { executionId, executions } = this.state;
    if (!executionId || executionId === other) {
      return;
    }
    const born = (id: string) => executions.find(each => each.execution_id === id)?.created_at ?? '';
    const [left, right] = [executionId, other].sort((a, b) => (born(a) < born(b) ? -1 : 1));
    this._note({ comparison: { left: { id: left, monitor: null }, right: { id: right, monitor: null } } });
    try {
      const [before, after] = await Promise.all([left, right].map(id => this._whole(id)));
      if (this.state.runs.comparison) {
        this._note({
          comparison: { left: { id: left, monitor: before }, right: { id: right, monitor: after } }
        });
      }
    } catch (error) {
      this._note({ comparison: null });
      this.set({ trouble: troubleOf(error) });
    }
  }

  stopComparing(): void {
    this._note({ comparison: null });
  }

  private async _whole(id: string): Promise<Monitor> {
    return fold(emptyMonitor(id), await this.client.events(id));
  }

  private _caughtUpTimer: ReturnType<typeof setTimeout> | undefined;
}
