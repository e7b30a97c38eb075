/**
 * One project tab's state: the definition being edited, its selection, its saves and its execution.
 *
 * One store per widget, handed down by context (`ui/context.tsx`). The rules live in the pure modules
 * (`graph/`, `fold.ts`) and in `actions.ts`, which talks to the server; this file only holds the shape.
 */
import { createStore } from 'zustand/vanilla';
import type { StoreApi } from 'zustand/vanilla';

import type { Tagged } from '../api/requests';
import type { Connection } from '../api/stream';
import type {
  Agreement,
  Definition,
  ExecutionState,
  FileRow,
  ModelList,
  Project,
  SecretRow,
  ToolRow,
  Validation
} from '../api/types';
import type { History } from '../graph/history';
import type { Refusal } from '../graph/wires';

import type { FieldDocs } from './fieldDocs';
import type { Monitor } from './monitor';
import type { RunsState } from './runs';
import { NO_RUNS } from './runs';
import type { Toggled } from './rows';

/** A failed request, as the panel shows it. */
export interface Trouble {
  code: string;
  message: string;
}

/** What lies over the canvas, or stands in its place. */
export type Cover = 'api' | 'conflict' | 'versions';

/** Somebody else's state that an edit met: what both grew from, and what is on the server now. */
export interface Conflict {
  base: Definition;
  theirs: Tagged;
}

/** An earlier definition in place of the draft: to look at, not to change. */
export interface Frozen {
  definition: Definition;
  version: number;
  /** The execution that ran it, null when somebody looks at the version itself. */
  executionId: string | null;
}

export type MonitorTab = 'steps' | 'timeline' | 'events' | 'files' | 'cost';

export interface ProjectState {
  projectId: string;
  /** The project as last read or saved; null until it is there. */
  saved: Project | null;
  etag: string | null;
  history: History | null;
  loadTrouble: Trouble | null;
  /** The last thing that went wrong, until it is dismissed. */
  trouble: Trouble | null;
  /** What an untrusted project would run, once somebody asked. */
  agreement: Agreement | null;
  saving: boolean;
  /** A save was refused because the project has changed elsewhere. */
  stale: boolean;
  conflict: Conflict | null;
  /** Nothing was edited here, and the newest state from elsewhere has been taken over. */
  renewed: boolean;
  /** What is saved is in no version yet. */
  draft: boolean;
  cover: Cover | null;
  /** The first step that is being shown, from 0. */
  tour: number | null;

  /** The card whose properties are shown; one of `picked`. */
  selected: string | null;
  /** Cards and wires that are chosen. */
  picked: readonly string[];
  pickedWires: readonly string[];
  /** Why the last wire could not be drawn, until something else happens. */
  refusal: Refusal | null;
  propertiesOpen: boolean;
  /** Dotted path of the field that somebody wants to see, anew with each wish. */
  wantedField: { path: string } | null;
  /** What is shown in place of the draft. */
  frozen: Frozen | null;
  /** The project was edited since the shown execution has ended: cards no longer show its numbers. */
  numbersGone: boolean;
  /** Cards as a tree in place of the canvas. */
  outline: boolean;
  searching: boolean;
  /** Whether cards snap to the grid. */
  snap: boolean;
  /** The last card that a search led to, anew each time: the canvas brings it into view. */
  sought: { card: string } | null;
  /** The project's secrets without their values, once somebody needed them. */
  secrets: readonly SecretRow[] | null;
  /** Help of the definition's fields, once it was read from the server. */
  fieldDocs: FieldDocs | null;
  validation: Validation | null;
  /** Where the key of model calls comes from, as the last check said; edits do not change that. */
  credentials: Validation['credentials'] | null;
  checking: boolean;
  problemsOpen: boolean;
  models: ModelList | null;
  tools: ToolRow[];
  /** Text of the project's first key, right after it was made here. */
  firstKey: string | null;

  /** Executions of this project, newest first. */
  executions: readonly ExecutionState[];
  executionId: string | null;
  monitor: Monitor | null;
  /** This clock minus the server's, in milliseconds, as well as it is known. */
  skewMs: number;
  starting: boolean;
  /** The dialog that asks for values before a run. */
  asking: boolean;
  files: FileRow[] | null;
  connection: Connection;
  /** The server has been updated since this page was loaded. */
  outdated: boolean;
  /** What a person does with executions: filters, dialogs, comparisons (`runs.ts`). */
  runs: RunsState;

  /** The drawer; its height in CSS pixels below the head, null until somebody resized it. */
  drawer: { open: boolean; height: number | null; tab: MonitorTab; file: string | null };
  toggled: Toggled;
  following: boolean;
  /** How often somebody wanted to see what waits for them. */
  reviewed: number;
  /** Size of the tab in CSS pixels, 0 until it is known. */
  width: number;
  height: number;
}

export type ProjectStore = StoreApi<ProjectState>;

/** Below this width, properties slide over the canvas instead of standing beside it. */
export const NARROW_PX = 820;

export function createProjectStore(projectId: string, firstKey: string | null = null): ProjectStore {
  return createStore<ProjectState>(() => ({
    projectId,
    saved: null,
    etag: null,
    history: null,
    loadTrouble: null,
    trouble: null,
    agreement: null,
    saving: false,
    stale: false,
    conflict: null,
    renewed: false,
    draft: false,
    cover: null,
    tour: null,
    selected: null,
    picked: [],
    pickedWires: [],
    refusal: null,
    propertiesOpen: false,
    wantedField: null,
    frozen: null,
    numbersGone: false,
    outline: false,
    searching: false,
    snap: true,
    sought: null,
    secrets: null,
    fieldDocs: null,
    validation: null,
    credentials: null,
    checking: false,
    problemsOpen: false,
    models: null,
    tools: [],
    firstKey,
    executions: [],
    executionId: null,
    monitor: null,
    skewMs: 0,
    starting: false,
    asking: false,
    files: null,
    connection: 'idle',
    outdated: false,
    runs: NO_RUNS,
    drawer: { open: false, height: null, tab: 'steps', file: null },
    toggled: new Set(),
    following: true,
    reviewed: 0,
    width: 0,
    height: 0
  }));
}
