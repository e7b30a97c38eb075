/**
 * What of a project is looked at, and how: search, outline, snap, a field that needs mending, and the cards
 * of an old execution as they were. Nothing here changes the definition.
 */
import type { ExecutionState, Problem } from '../api/types';
import { hasEnded } from '../api/types';

import { isDirty } from './select';
import { VersionActions } from './versions';

/** Name of the canvas among the folded parts: folded, its cards are a tree. */
const CANVAS = 'canvas';

export abstract class LookingActions extends VersionActions {
  /** Done when project and executions have been read, or could not be. */
  protected loading: Promise<unknown> = Promise.resolve();

  /** Take up how the project was looked at last time. */
  protected restoreView(): void {
    const ui = this.state.saved?.ui;
    this.set({ snap: ui?.snap ?? true, outline: ui?.folded.includes(CANVAS) ?? false });
  }

  // --- finding --------------------------------------------------------------

  search(searching: boolean): void {
    this.set({ searching });
  }

  /** Choose a card and bring it into view. */
  seek(card: string): void {
    this.select(card);
    this.set({ sought: { card }, searching: false });
  }

  // --- how it is drawn --------------------------------------------------------

  showOutline(outline: boolean): void {
    this.set({ outline });
    this.rememberFolded(CANVAS, outline);
  }

  setSnap(snap: boolean): void {
    this.set({ snap });
    if (snap && !this.preferences.getState().snap) {
      this.preferences.choose('snap', true);
    }
    this.rememberView({ snap });
  }

  // --- mending ----------------------------------------------------------------

  /** Lead to the field that a problem is about. */
  mend(problem: Problem): void {
    this.openProperties(problem.node);
    this.set({ wantedField: problem.path ? { path: problem.path } : null });
  }

  /** Lead to the worst problem of a card. */
  mendCard(card: string): void {
    const mine = this.state.validation?.problems.filter(each => each.node === card) ?? [];
    const problem = mine.find(each => each.severity === 'error') ?? mine[0];
    if (problem) {
      this.mend(problem);
    }
  }

  // --- what was ---------------------------------------------------------------

  abstract show(executionId: string): void;

  /** Show an execution with the cards it had, read-only, unless they are the very ones that are drawn. */
  async look(executionId: string): Promise<void> {
    this.show(executionId);
    await this.attempt(async () => {
      const [{ version, status }] = await Promise.all([this._stateOf(executionId), this.loading]);
      const live = !hasEnded(status) || this.state.executions[0]?.execution_id === executionId;
      if (live && this._isDrawn(version)) {
        return;
      }
      const { definition } = await this.client.admin.version(this.state.projectId, version);
      if (this.state.executionId === executionId) {
        this.set({ frozen: { definition, version, executionId } });
        this.pick([], []);
      }
    });
  }

  /** Also of an execution that is older than those that were read. */
  private async _stateOf(executionId: string): Promise<Pick<ExecutionState, 'version' | 'status'>> {
    const known = this.state.executions.find(each => each.execution_id === executionId);
    return known ?? this.client.execution(executionId);
  }

  /** Whether the canvas shows this version: a draft has the number of the one that it grew from. */
  private _isDrawn(version: number): boolean {
    const { saved, draft } = this.state;
    return version === saved?.version && !draft && !isDirty(this.state);
  }

  /** Back to the draft. */
  thaw(): void {
    if (this.state.frozen) {
      const ended = hasEnded(this.state.monitor?.status ?? 'completed');
      this.set({ frozen: null, numbersGone: ended });
      this.pick([], []);
    }
  }

  /** Whether the newest execution ran what is drawn now; its numbers are shown only then. */
  protected isOfAnotherVersion(executionId: string): boolean {
    const known = this.state.executions.find(each => each.execution_id === executionId);
    return known !== undefined && hasEnded(known.status) && known.version !== this.state.saved?.version;
  }
}
