/**
 * What the plugins share, and other extensions may use.
 */
import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

import type { Client } from './api/client';
import type { Executions } from './api/executions';
import type { LiveExecutions } from './api/live';
import type { PreferencesStore } from './stores/preferences';

/** Agent projects and executions of this Jupyter server. */
export interface IAgents {
  /** The few requests that are there from JupyterLab's start. */
  readonly executions: Executions;
  /** All requests there are; loaded when they are first needed. */
  client(): Promise<Client>;
  readonly live: LiveExecutions;
  /** Projects were made, saved or deleted in this browser tab. */
  readonly projectsChanged: ISignal<IAgents, void>;
  notifyProjectsChanged(): void;
  /** Texts of first keys, by project, until the tab that shows them once has taken them. */
  readonly firstKeys: Map<string, string>;
}

export const IAgents = new Token<IAgents>(
  'cloutagent:IAgents',
  'Agent projects and executions of this Jupyter server: requests, live states, change signals.'
);

/** What a person has set for all agent projects. */
export type IPreferences = PreferencesStore;
export const IPreferences = new Token<IPreferences>(
  'cloutagent:IPreferences',
  'Settings of agent projects: read them, hear of changes, change one.'
);
