/**
 * What an execution was given, so that it can be run again: as its log tells, and its files.
 */
import type { Client } from '../api/client';

import type { RunDraft, RunFile } from './drafts';
import { EMPTY_DRAFT, filled } from './drafts';
import type { Monitor } from './monitor';

/** What would run the shown execution again, as far as its log tells. */
export function draftOf(monitor: Monitor, task: string, own: RunDraft['limits']): RunDraft {
  const main = monitor.steps.get('main');
  const { variables, prompt } = main?.kind === 'agent' ? main : { variables: {}, prompt: '' };
  const lower = (name: keyof RunDraft['limits']) => {
    const then = monitor.limits?.[name] ?? null;
    const now = own[name];
    return then !== null && (now === null || then < now) ? then : null;
  };
  return {
    ...EMPTY_DRAFT,
    variables: { ...variables },
    prompt: filled(task, variables) === prompt ? '' : prompt,
    limits: {
      max_cost_usd: lower('max_cost_usd'),
      max_tokens: lower('max_tokens'),
      timeout_s: lower('timeout_s'),
      max_turns: lower('max_turns')
    }
  };
}

/** The files that an execution was given, or the one whose workspace it took over. */
export async function filesOf(client: Client, id: string): Promise<RunFile[]> {
  const { inputs, resumed_from, forked_from } = await client.execution(id);
  const before = resumed_from ?? forked_from;
  if (!inputs.length && before) {
    return filesOf(client, before);
  }
  return inputs.map(({ path, upload_id, contents_path }) => ({
    path,
    ...(upload_id ? { upload_id } : {}),
    ...(contents_path ? { contents_path } : {})
  }));
}
