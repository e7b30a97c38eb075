/**
 * A definition with one card of each kind, for tests.
 */
import type { Agent, Definition, Project, Validation } from '../api/types';
import { apply, setting } from '../graph/changes';
import type { Path } from '../graph/changes';

const AGENT: Agent = {
  name: 'main',
  model: 'claude-opus-5-5',
  system_prompt: 'You study {{topic}}.',
  task: 'Summarise {{file}}.',
  tools: ['python', 'bash', 'view', 'grep'],
  permissions: { bash: 'ask' },
  on_ask_unattended: 'fail',
  subagents: null,
  mcps: null,
  notebook: null,
  kernel: 'own',
  max_tokens: 8192,
  effort: null,
  thinking: 'auto',
  memory: false,
  compact_at_tokens: 150_000,
  output_schema: null,
  folders: [],
  network: false,
  env: {},
  stall_s: 600,
  simulate: false
};

export function subagent(
  id: string,
  name: string,
  subagents: string[] = []
): Definition['subagents'][number] {
  return {
    id,
    name,
    description: `Asks ${name}`,
    prompt: '',
    model: null,
    tools: ['python'],
    permissions: {},
    subagents,
    mcps: [],
    parallel: true,
    max_parallel_instances: 3,
    limits: null,
    essential: false,
    enabled: true
  };
}

export function sampleDefinition(): Definition {
  return {
    name: 'Sales analyst',
    description: 'Studies a file',
    agent: AGENT,
    subagents: [subagent('statistician', 'Statistician', ['checker']), subagent('checker', 'Checker')],
    hooks: [
      {
        id: 'guard',
        name: 'No deletes',
        event: 'PreToolUse',
        matcher: 'bash',
        enabled: true,
        action: { type: 'command', command: ['python', 'guard.py'] },
        env: {},
        timeout_s: 60,
        on_failure: null
      }
    ],
    mcps: [
      {
        id: 'time',
        name: 'Time',
        transport: 'stdio',
        command: 'mcp-server-time',
        args: [],
        env: {},
        url: null,
        headers: {},
        credentials: {},
        enabled_tools: ['now', 'zones'],
        timeout_s: 60,
        essential: false,
        enabled: true
      }
    ],
    variables: { file: { description: 'What to read', default: null, required: true } },
    limits: { max_cost_usd: 1, max_tokens: 100_000, timeout_s: 600, max_turns: 50 },
    on_restart: 'resume',
    queue: { max_concurrent: 3, max_queue: 50, queue_timeout_s: 300 },
    ui: {
      nodes: [{ id: 'agent', position: { x: 40, y: 60 } }],
      notes: [{ id: 'how', text: 'How this works\n1 Press Run', width: 220, height: 120 }],
      viewport: null,
      snap: true,
      folded: []
    }
  };
}

export function sampleProject(): Project {
  return {
    ...sampleDefinition(),
    id: '9b2f0000-0000-4000-8000-000000000001',
    version: 3,
    published_version: null,
    trusted: true,
    updated_at: '2026-11-22T08:00:00.000Z'
  };
}

/** An estimate of a run of which no price is known. */
export const NO_ESTIMATE: Validation['estimate'] = {
  input_tokens: 0,
  cost_usd: null,
  low_usd: null,
  high_usd: null,
  cap_usd: null,
  basis: 'sizes',
  executions: 0
};

/** `definition` with `value` at `path`. */
export function withSet(definition: Definition, path: Path, value: unknown): Definition {
  return apply(definition, setting(definition, path, value));
}
