/**
 * What a person puts together before a run: prompt, values, files, limits, version, cassette. Pure.
 */
import type { Definition, ExecuteRequest } from '../api/types';

export interface RunFile {
  /** Where it goes in the workspace. */
  path: string;
  /** A file of the Jupyter server, or one that was uploaded for this. */
  contents_path?: string;
  upload_id?: string;
}

export interface RunLimits {
  max_cost_usd: number | null;
  max_tokens: number | null;
  timeout_s: number | null;
  max_turns: number | null;
}

export interface RunDraft {
  /** Empty: the project's own task. */
  prompt: string;
  variables: Readonly<Record<string, string>>;
  files: readonly RunFile[];
  /** Null: the project's own. */
  limits: RunLimits;
  step: boolean;
  /** Null: the project as it is saved. */
  version: number | null;
  replay: string | null;
}

export const NO_LIMITS: RunLimits = {
  max_cost_usd: null,
  max_tokens: null,
  timeout_s: null,
  max_turns: null
};

export const EMPTY_DRAFT: RunDraft = {
  prompt: '',
  variables: {},
  files: [],
  limits: NO_LIMITS,
  step: false,
  version: null,
  replay: null
};

/** Names of variables that have to be filled in before `draft` can run. */
export function missingVariables(definition: Definition, draft: RunDraft): string[] {
  return Object.entries(definition.variables)
    .filter(([name, variable]) => variable.required && variable.default === null && !draft.variables[name])
    .map(([name]) => name);
}

/** Whether the run has something to do. */
export function hasTask(definition: Definition, draft: RunDraft): boolean {
  return draft.replay !== null || draft.prompt.trim() !== '' || definition.agent.task.trim() !== '';
}

/** A file's own name, free among the others of the draft. */
export function placeFor(files: readonly RunFile[], path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  const [stem, suffix] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
  let free = name;
  for (let count = 2; files.some(file => file.path === free); count++) {
    free = `${stem}-${count}${suffix}`;
  }
  return free;
}

/** The files of the Jupyter server `paths`, added to those there are; none twice. */
export function withFiles(draft: RunDraft, paths: readonly string[]): RunDraft {
  const files = [...draft.files];
  for (const path of paths) {
    if (!files.some(file => file.contents_path === path)) {
      files.push({ path: placeFor(files, path), contents_path: path });
    }
  }
  return { ...draft, files };
}

/** The body of the request: only what differs from the project's own. */
export function requestOf(draft: RunDraft): ExecuteRequest {
  const limits = Object.fromEntries(Object.entries(draft.limits).filter(([, value]) => value !== null));
  const variables = Object.fromEntries(Object.entries(draft.variables).filter(([, value]) => value !== ''));
  return {
    ...(Object.keys(variables).length || draft.replay === null ? { variables } : {}),
    ...(draft.prompt.trim() ? { prompt: draft.prompt } : {}),
    ...(draft.files.length ? { files: draft.files as ExecuteRequest['files'] } : {}),
    ...(Object.keys(limits).length ? { limits: limits as ExecuteRequest['limits'] } : {}),
    ...(draft.step ? { step: true } : {}),
    ...(draft.version !== null ? { version: draft.version } : {}),
    ...(draft.replay !== null ? { replay: draft.replay } : {})
  };
}

/** `text` with the values put in, as the server does it: plain replacement, unknown names left alone. */
export function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{\{\s*([A-Za-z_]\w*)\s*\}\}/g, (whole, name: string) => values[name] ?? whole);
}

/** What is kept of a draft for the next time, and read back whatever an older panel has kept. */
export function remembered(draft: RunDraft): unknown {
  const { prompt, variables, limits, step } = draft;
  return { prompt, variables, limits, step };
}

export function recalled(value: unknown): RunDraft {
  if (typeof value !== 'object' || value === null) {
    return EMPTY_DRAFT;
  }
  const { prompt, variables, limits, step } = value as Record<string, unknown>;
  const words = typeof variables === 'object' && variables !== null ? Object.entries(variables) : [];
  const numbers = typeof limits === 'object' && limits !== null ? (limits as Record<string, unknown>) : {};
  const limit = (name: keyof RunLimits) =>
    typeof numbers[name] === 'number' ? (numbers[name] as number) : null;
  return {
    ...EMPTY_DRAFT,
    prompt: typeof prompt === 'string' ? prompt : '',
    variables: Object.fromEntries(
      words.filter((each): each is [string, string] => typeof each[1] === 'string')
    ),
    limits: {
      max_cost_usd: limit('max_cost_usd'),
      max_tokens: limit('max_tokens'),
      timeout_s: limit('timeout_s'),
      max_turns: limit('max_turns')
    },
    step: step === true
  };
}
