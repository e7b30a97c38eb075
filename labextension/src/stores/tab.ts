/**
 * The ground that a tab's actions stand on: its store, its way to the server, its end.
 */
import type { Client } from '../api/client';
import { ApiError } from '../api/errors';
import type { LiveExecutions } from '../api/live';

import { createPreferences } from './preferences';
import type { PreferencesStore } from './preferences';
import type { ProjectState, ProjectStore, Trouble } from './project';

/** A failure as the tab shows it. */
export function troubleOf(error: unknown): Trouble {
  return error instanceof ApiError
    ? { code: error.code, message: error.message }
    : { code: 'UNEXPECTED', message: error instanceof Error ? error.message : String(error) };
}

export class TabActions {
  constructor(
    readonly store: ProjectStore,
    protected client: Client,
    protected live: LiveExecutions,
    protected preferences: PreferencesStore = createPreferences()
  ) {}

  dispose(): void {
    this.disposed = true;
  }

  protected get state(): ProjectState {
    return this.store.getState();
  }

  /** Change the store, unless the tab is gone meanwhile. */
  protected set(change: Partial<ProjectState>): void {
    if (!this.disposed) {
      this.store.setState(change);
    }
  }

  /** Do `task`; what goes wrong is shown. */
  protected async attempt(task: () => Promise<unknown>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.set({ trouble: troubleOf(error) });
    }
  }

  protected disposed = false;
}
