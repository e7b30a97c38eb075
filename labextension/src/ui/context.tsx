/**
 * What views are handed from outside: translation, outputs rendered by Lab, and the tab's own store.
 *
 * Views import nothing of Lab; the shells in `widgets/` fill these contexts.
 */
import { createContext, useCallback, useContext, useSyncExternalStore } from 'react';
import type { ReactNode } from 'react';
import { useStore } from 'zustand';

import type { Client } from '../api/client';
import { inTurn } from '../api/frames';
import type { Part } from '../api/frames';
import type { ProjectActions } from '../stores/actions';
import type { Preferences, PreferencesStore } from '../stores/preferences';
import type { ProjectState, ProjectStore } from '../stores/project';
import { isActive } from '../stores/select';

import type { Translation } from './labels';
import type { ShellPort } from './port';

/** A mime bundle drawn by Lab's rendermime, sanitised. Relative links are files of `executionId`. */
export type RenderOutput = (props: {
  data: Record<string, unknown>;
  executionId: string | null;
  /** A link to a file of the execution was followed. */
  onFile?: (path: string) => void;
}) => JSX.Element;

export interface Ui {
  trans: Translation;
  client: Client;
  RenderOutput: RenderOutput;
  dark: boolean;
  /** Name of Lab's theme: what is painted by hand is painted again when it changes. */
  theme: string;
  shell: ShellPort;
  preferences: PreferencesStore;
}

const UiContext = createContext<Ui | null>(null);
const TabContext = createContext<{ store: ProjectStore; actions: ProjectActions } | null>(null);

export function UiProvider({ value, children }: { value: Ui; children: ReactNode }): JSX.Element {
  return <UiContext.Provider value={value}>{children}</UiContext.Provider>;
}

export function TabProvider(props: {
  value: { store: ProjectStore; actions: ProjectActions };
  children: ReactNode;
}): JSX.Element {
  return <TabContext.Provider value={props.value}>{props.children}</TabContext.Provider>;
}

export function useUi(): Ui {
  const ui = useContext(UiContext);
  if (!ui) {
    throw new Error('useUi needs a UiProvider around it');
  }
  return ui;
}

function useTab(): { store: ProjectStore; actions: ProjectActions } {
  const tab = useContext(TabContext);
  if (!tab) {
    throw new Error('a project view needs a TabProvider around it');
  }
  return tab;
}

export function useActions(): ProjectActions {
  return useTab().actions;
}

/** A part of the tab's state; the view is drawn again only when that part changes. */
export function useProject<T>(select: (state: ProjectState) => T): T {
  return useStore(useTab().store, select);
}

/** How often a view is drawn that nobody reads word by word, in milliseconds. */
const LEISURE_MS = 250;

/**
 * The same for a view of the whole: while something runs, drawn again some times a second and no more, and of a
 * flood when it is the turn of its part of the page.
 */
export function useProjectAtLeisure<T>(part: Part, select: (state: ProjectState) => T): T {
  const { store } = useTab();
  const subscribe = useCallback(
    (tell: () => void) => {
      let last = -Infinity;
      let callOff: (() => void) | null = null;
      const now = () => {
        callOff?.();
        callOff = null;
        last = performance.now();
        tell();
      };
      const later = (pause: number) => {
        const timer = setTimeout(() => (callOff = inTurn(part, now)), pause);
        return () => clearTimeout(timer);
      };
      const stop = store.subscribe(state => {
        const pause = isActive(state) ? last + LEISURE_MS - performance.now() : 0;
        if (pause <= 0) {
          now();
        } else {
          callOff ??= later(pause);
        }
      });
      return () => {
        callOff?.();
        stop();
      };
    },
    [store, part]
  );
  return useSyncExternalStore(subscribe, () => select(store.getState()));
}

/** One of the person's settings; the view is drawn again when it changes. */
export function usePreference<Name extends keyof Preferences>(name: Name): Preferences[Name] {
  return useStore(useUi().preferences, state => state[name]);
}
