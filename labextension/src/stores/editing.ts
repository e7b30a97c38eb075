/**
 * Editing a project: change, select, undo, trust, check. How edits are kept is in `saving.ts`.
 */
import type { Agreement, McpTest, Position } from '../api/types';
import type { Path } from '../graph/changes';
import { moving, setting } from '../graph/changes';
import type { History } from '../graph/history';
import { push, redo, undo } from '../graph/history';

import type { Cover } from './project';
import { NARROW_PX } from './project';
import { SavingActions } from './saving';
import { isActive } from './select';
import { troubleOf } from './tab';

/** Edits of one field within this time are one step of undo, in milliseconds. */
const TYPING_MS = 1_000;

export class EditingActions extends SavingActions {
  async reloadAfterConflict(): Promise<void> {
    this.set({ cover: null });
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
      this.advance(push(history, setting(history.definition, path, value), this.typing()));
    }
  }

  /** Take `history` as the draft: what was checked and counted before is of another one. */
  protected advance(history: History): void {
    if (this.state.frozen || history === this.state.history) {
      return;
    }
    this._edits++;
    const idle = this.state.monitor !== null && !isActive(this.state);
    this.set({ history, validation: null, refusal: null, ...(idle ? { numbersGone: true } : {}) });
  }

  /** Whether an edit that comes now belongs to the one before: somebody types. */
  protected typing(): boolean {
    const last = this._lastEdit;
    this._lastEdit = performance.now();
    return this._lastEdit - last < TYPING_MS;
  }

  /** Put cards at new places, and save that soon. */
  move(places: Record<string, Position>): void {
    const { history, frozen } = this.state;
    if (history && !frozen) {
      this.set({ history: push(history, moving(history.definition, places)) });
      this.saveLayoutSoon();
    }
  }

  undo(): void {
    this._step(undo);
  }

  redo(): void {
    this._step(redo);
  }

  private _step(change: typeof undo): void {
    const { history, frozen } = this.state;
    if (history && !frozen) {
      // What is typed from here on is a step of its own.
      this._lastEdit = -Infinity;
      this.advance(change(history));
      this.saveLayoutSoon();
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

  /** Put something over the canvas, or take it away. */
  cover(what: Cover | null): void {
    this.set({ cover: what });
  }

  /** Show one of the first steps, or none. */
  showTour(step: number | null): void {
    this.set({ tour: step });
  }

  /** Do something that may fail; what goes wrong is shown. */
  doing(task: () => Promise<unknown>): Promise<void> {
    return this.attempt(task);
  }

  dismissRenewed(): void {
    this.set({ renewed: false });
  }

  // --- trust -------------------------------------------------------------

  /** Ask what an untrusted project would run. */
  async lookAtTrust(): Promise<void> {
    await this.attempt(async () => {
      this.set({ agreement: await this.client.agreement(this.state.projectId) });
    });
  }

  /** Agree to what was shown, and to nothing else: had it changed since, the server refuses. */
  async trust({ hash }: Agreement): Promise<void> {
    const { projectId } = this.state;
    if (hash === null) {
      return;
    }
    try {
      const tagged = await this.client.trust(projectId, hash);
      this.set({ agreement: null, ...this.taggedState(tagged) });
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

  protected onSaved(): void {
    void this.check();
  }

  async check(): Promise<void> {
    const [turn, edits] = [++this._checks, this._edits];
    this.set({ checking: true });
    try {
      const validation = await this.client.validate(this.state.projectId);
      if (turn === this._checks) {
        this.set({ credentials: validation.credentials, ...(edits === this._edits && { validation }) });
      }
    } catch (error) {
      this.set({ trouble: troubleOf(error) });
    } finally {
      if (turn === this._checks) {
        this.set({ checking: false });
      }
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

  private _lastEdit = -Infinity;
  /** How often it was edited and checked: an answer about what was drawn before is none about what is. */
  private _edits = 0;
  private _checks = 0;
}
