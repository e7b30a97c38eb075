/**
 * What a person has set for all projects, in Lab's settings. The plugin `preferences` keeps it there.
 */
import { createStore } from 'zustand/vanilla';
import type { StoreApi } from 'zustand/vanilla';

export interface Preferences {
  /** Whether edits are saved as a draft by themselves. */
  autosave: boolean;
  /** Seconds after the last edit until they are. */
  autosaveDelay: number;
  /** Whether cards snap to the grid, where the project itself does not say otherwise. */
  snap: boolean;
  /** Whether the monitor follows a run from its start. */
  follow: boolean;
  /** When to tell that a run has ended or waits. */
  notifications: 'unseen' | 'all' | 'none';
  /** Whether the first steps have been shown, or skipped. */
  tourSeen: boolean;
}

export const DEFAULTS: Preferences = {
  autosave: true,
  autosaveDelay: 2,
  snap: true,
  follow: true,
  notifications: 'unseen',
  tourSeen: false
};

export interface PreferencesStore extends StoreApi<Preferences> {
  /** Change one, and keep the change. */
  choose<Name extends keyof Preferences>(name: Name, value: Preferences[Name]): void;
  /** Resolves when what was kept has been read. */
  readonly ready: Promise<void>;
}

/** Preferences that `keep` writes down; they are the defaults until `ready` has brought what was kept. */
export function createPreferences(
  options: {
    initial?: Partial<Preferences>;
    ready?: Promise<void>;
    keep?: (name: keyof Preferences, value: boolean | number | string) => void;
  } = {}
): PreferencesStore {
  const store = createStore<Preferences>(() => ({ ...DEFAULTS, ...options.initial }));
  return {
    ...store,
    ready: options.ready ?? Promise.resolve(),
    choose(name, value) {
      store.setState({ [name]: value } as Partial<Preferences>);
      options.keep?.(name, value);
    }
  };
}
