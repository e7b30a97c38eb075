/**
 * Figures of a server on which something has happened, for tests of what draws them.
 */
import type { ExecutionState, Metrics } from '../api/types';

const NONE = {
  queued: 0,
  running: 0,
  waiting: 0,
  interrupted: 0,
  completed: 0,
  failed: 0,
  cancelled: 0
};

function usage(fresh: number, written: number, cached: number, output: number) {
  return {
    input_tokens: fresh,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: cached,
    output_tokens: output
  };
}

export const METRICS: Metrics = {
  window: '7d',
  project: null,
  of_simulated: false,
  since: '2026-11-23T00:00:00.000Z',
  until: '2026-11-25T08:00:00.000Z',
  bucket_s: 86_400,
  complete: true,
  projects: 2,
  running: 3,
  queue_length: 4,
  executions: { ...NONE, completed: 7, failed: 1, running: 1, queued: 1 },
  simulated: { ...NONE, completed: 2 },
  success_rate: 0.875,
  duration: { mean_ms: 20_000, p50_ms: 12_000, p95_ms: 61_000 },
  cost_usd: 1.75,
  unpriced_turns: 0,
  usage: usage(1_200, 60, 18_000, 450),
  buckets: [
    {
      start: '2026-11-23T00:00:00.000Z',
      executions: { ...NONE, completed: 4 },
      cost_usd: 0.5,
      usage: usage(500, 30, 9_000, 250),
      duration: { mean_ms: 10_000, p50_ms: 9_000, p95_ms: 20_000 },
      queue_length: 0,
      running: 1
    },
    {
      start: '2026-11-24T00:00:00.000Z',
      executions: NONE,
      cost_usd: 0,
      usage: usage(0, 0, 0, 0),
      duration: { mean_ms: null, p50_ms: null, p95_ms: null },
      queue_length: 0,
      running: 0
    },
    {
      start: '2026-11-25T00:00:00.000Z',
      executions: { ...NONE, completed: 3, failed: 1, running: 1, queued: 1 },
      cost_usd: 1.25,
      usage: usage(700, 30, 9_000, 200),
      duration: { mean_ms: 30_000, p50_ms: 15_000, p95_ms: 61_000 },
      queue_length: 4,
      running: 3
    }
  ],
  by_project: [
    {
      project_id: 'p1',
      project_name: 'Sales analyst',
      executions: 8,
      cost_usd: 1.5,
      usage: usage(1_000, 60, 18_000, 400)
    },
    {
      project_id: 'p2',
      project_name: 'Code reviewer',
      executions: 2,
      cost_usd: 0.25,
      usage: usage(200, 0, 0, 50)
    }
  ],
  by_model: [{ model: 'claude-opus-5-5', turns: 21, cost_usd: 1.75, usage: usage(1_200, 60, 18_000, 450) }],
  by_agent: [
    {
      agent: 'main',
      project_id: 'p1',
      project_name: 'Sales analyst',
      turns: 18,
      cost_usd: 1.5,
      usage: usage(1_200, 60, 18_000, 450)
    }
  ],
  by_tool: [
    { tool: 'bash', source: 'builtin', calls: 12, errors: 1, mean_ms: 420 },
    { tool: 'agent__clerk', source: 'subagent', calls: 3, errors: 0, mean_ms: 9_000 },
    { tool: 'mcp__time__now', source: 'mcp:time', calls: 2, errors: 0, mean_ms: null }
  ],
  cost_histogram: [
    { from_usd: 0, to_usd: 0.001, executions: 1 },
    { from_usd: 0.001, to_usd: 0.01, executions: 0 },
    { from_usd: 0.01, to_usd: 0.1, executions: 2 },
    { from_usd: 0.1, to_usd: 1, executions: 5 },
    { from_usd: 1, to_usd: null, executions: 0 }
  ],
  active_streams: 1,
  max_streams: 100,
  disk: {
    used_bytes: 310_000_000,
    projects_bytes: 1,
    executions_bytes: 1,
    workspaces_bytes: 1,
    backups_bytes: 1,
    free_bytes: 21_000_000_000,
    measured_at: '2026-11-25T08:00:00.000Z'
  }
};

/** The same server before anything ran. */
export const NOTHING: Metrics = {
  ...METRICS,
  executions: NONE,
  simulated: NONE,
  success_rate: null,
  duration: { mean_ms: null, p50_ms: null, p95_ms: null },
  cost_usd: 0,
  usage: usage(0, 0, 0, 0),
  buckets: [],
  by_project: [],
  by_model: [],
  by_agent: [],
  by_tool: []
};

export function row(id: string, changes: Partial<ExecutionState> = {}): ExecutionState {
  return {
    execution_id: id,
    project_id: 'p1',
    project_name: 'Sales analyst',
    status: 'completed',
    model: 'claude-opus-5-5',
    simulated: false,
    usage: usage(500, 0, 0, 250),
    total_cost_usd: 0.42,
    created_at: '2026-11-25T07:00:00.000Z',
    duration_ms: 21_000,
    pinned: false,
    expired: false,
    ...changes
  } as ExecutionState;
}
