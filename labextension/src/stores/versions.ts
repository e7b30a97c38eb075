/**
 * What a person does with versions: label, restore, publish. Edits are kept as a draft first, so none is lost.
 */
import { definitionOf } from '../api/definition';
import type { Tagged } from '../api/client';
import { setting } from '../graph/changes';
import { push } from '../graph/history';

import { AuthoringActions } from './authoring';

export class VersionActions extends AuthoringActions {
  /** Make a version of everything as it is now, called `label`. */
  async makeVersion(label: string | null): Promise<boolean> {
    return this._keepingEdits(async projectId => {
      await this.client.admin.makeVersion(projectId, label);
      this.set({ draft: false, ...this.taggedState(await this.client.project(projectId)) });
    });
  }

  /** Make the project what `version` was; Undo brings back what it replaces. */
  async restoreVersion(version: number): Promise<boolean> {
    return this._keepingEdits(async projectId => {
      this._take(await this.client.admin.restoreVersion(projectId, version, this.state.etag));
      this.set({ draft: false });
      void this.check();
    });
  }

  async publish(version: number): Promise<boolean> {
    return this._doing(async projectId => {
      this.set(this.taggedState(await this.client.admin.publish(projectId, version)));
    });
  }

  async unpublish(version: number): Promise<boolean> {
    return this._doing(async projectId => {
      this.set(this.taggedState(await this.client.admin.unpublish(projectId, version)));
    });
  }

  private _take(tagged: Tagged): void {
    const { history } = this.state;
    const change = history && setting(history.definition, [], definitionOf(tagged.project));
    this.set({
      ...(history && change ? { history: push(history, change) } : {}),
      selected: null,
      picked: [],
      pickedWires: [],
      ...this.taggedState(tagged)
    });
  }

  private async _keepingEdits(task: (projectId: string) => Promise<void>): Promise<boolean> {
    return (await this.saveDraft()) && this._doing(task);
  }

  private async _doing(task: (projectId: string) => Promise<void>): Promise<boolean> {
    let done = false;
    await this.attempt(async () => {
      await task(this.state.projectId);
      done = true;
    });
    return done;
  }
}
