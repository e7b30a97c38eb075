/**
 * Logs for tests: numbered and timed, one second between events.
 */
import type { ExecutionEvent } from '../api/types';

/** Fields of any event; what is missing is filled in. */
export type Sketch = { type: ExecutionEvent['type'] } & Record<string, unknown>;

const USAGE = {
  input_tokens: 100,
  output_tokens: 20,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0
};

export function logOf(sketches: Sketch[]): ExecutionEvent[] {
  return sketches.map(
    (sketch, index) =>
      ({
        id: index + 1,
        ts: new Date(Date.UTC(2026, 10, 22, 8, 0, index)).toISOString(),
        agent: 'main',
        span: 'main',
        ...sketch
      }) as unknown as ExecutionEvent
  );
}

export const START: Sketch = {
  type: 'start',
  execution_id: 'e1',
  project_id: 'p1',
  version: 3,
  model: 'claude-opus-5-5',
  limits: { max_cost_usd: 1, max_tokens: 1_000, timeout_s: 60, max_turns: 5 },
  simulated: true,
  origin: 'panel'
};

export const AGENT: Sketch = { type: 'agent_start', name: 'main', model: 'claude-opus-5-5', prompt: 'Go' };

export function call(span: string, tool: string, input: unknown, more: object = {}): Sketch {
  return { type: 'tool_call', span, call_id: span.split('/').pop(), tool, source: 'builtin', input, ...more };
}

export function result(span: string, tool: string, text: string, more: object = {}): Sketch {
  return {
    type: 'tool_result',
    span,
    call_id: span.split('/').pop(),
    tool,
    is_error: false,
    output: [{ type: 'text', text, path: null }],
    duration_ms: 400,
    ...more
  };
}

export function cost(span: string, usd: number, more: object = {}): Sketch {
  return {
    type: 'cost_update',
    span,
    usage: USAGE,
    total_cost_usd: usd,
    turn_usage: USAGE,
    turn_cost_usd: usd,
    percent_of_limit: { cost: usd * 100, tokens: 12, time: 1 },
    ...more
  };
}

export function complete(text: string): Sketch {
  return {
    type: 'complete',
    usage: USAGE,
    total_cost_usd: 0.02,
    duration_ms: 9_000,
    result: { text, data: null }
  };
}

/** A run with thinking, a tool, a subagent inside a call, and a result. */
export const WHOLE_RUN: Sketch[] = [
  { type: 'queued', execution_id: 'e1', position: 0 },
  START,
  AGENT,
  { type: 'thinking', span: 'main/1', content: 'Look ' },
  { type: 'thinking', span: 'main/1', content: 'first.', final: true },
  { type: 'text', span: 'main/1', content: 'Reading.', final: true },
  cost('main/1', 0.01),
  call('main/1/c1', 'bash', { command: 'head -5 sales.csv' }),
  result('main/1/c1', 'bash', 'a,b\n1,2\n'),
  call('main/2/c2', 'agent__statistician', { prompt: 'How sure?' }, { source: 'subagent' }),
  {
    ...AGENT,
    agent: 'statistician#1',
    span: 'main/2/c2/statistician#1',
    name: 'Statistician',
    subagent: 'statistician',
    prompt: 'How sure?'
  },
  {
    type: 'text',
    agent: 'statistician#1',
    span: 'main/2/c2/statistician#1/1',
    content: 'Quite.',
    final: true
  },
  cost('main/2/c2/statistician#1/1', 0.005, { agent: 'statistician#1', total_cost_usd: 0.015 }),
  {
    type: 'agent_complete',
    agent: 'statistician#1',
    span: 'main/2/c2/statistician#1',
    result: 'Quite.',
    usage: USAGE,
    total_cost_usd: 0.005,
    turns: 1
  },
  result('main/2/c2', 'agent__statistician', 'Quite.'),
  { type: 'text', span: 'main/3', content: 'South leads.', final: true },
  cost('main/3', 0.005, { total_cost_usd: 0.02 }),
  {
    type: 'agent_complete',
    span: 'main',
    result: 'South leads.',
    usage: USAGE,
    total_cost_usd: 0.015,
    turns: 3
  },
  complete('South leads.')
];
