/**
 * What property forms ask the server besides the definition: texts of the fields, secrets, tries of a hook.
 */
import type { Backtest } from '../api/types';

import { LookingActions } from './looking';
import { isDirty } from './select';

export abstract class AidActions extends LookingActions {
  /** Read what the server says about the fields; without it they have the help they bring themselves. */
  async loadFieldDocs(): Promise<void> {
    if (!this._docs) {
      this._docs = this.client.schemas().then(
        fieldDocs => this.set({ fieldDocs }),
        () => {
          this._docs = null;
        }
      );
    }
    await this._docs;
  }

  /** Read the names of the project's secrets. */
  async loadSecrets(): Promise<void> {
    await this.attempt(async () => {
      const page = await this.client.admin.secrets(this.state.projectId);
      this.set({ secrets: page.items });
    });
  }

  /** Keep a secret, and check again what needed it. Raises what the server says against it. */
  async keepSecret(name: string, value: string): Promise<void> {
    await this.client.admin.setSecret(this.state.projectId, name, value);
    await this.secretsChanged();
  }

  /** A secret was kept or deleted: that decides who plays the model, and what would not start. */
  async secretsChanged(): Promise<void> {
    await this.loadSecrets();
    // Edits are checked when they are saved.
    if (!isDirty(this.state)) {
      await this.check();
    }
  }

  /** Save, then ask what the hook would have done to past executions: null where the save was refused. */
  async tryHook(hook: string, last: number): Promise<Backtest | null> {
    return (await this.save()) ? this.client.backtest(this.state.projectId, hook, last) : null;
  }

  private _docs: Promise<void> | null = null;
}
