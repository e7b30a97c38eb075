/**
 * What the monitor shows of one execution: the shapes that `fold.ts` fills. Data only.
 */
import type {
  ContextWindow,
  ExecutionEvent,
  Limits,
  OutputPart,
  PercentOfLimit,
  Preview,
  Status,
  Usage
} from '../api/types';

import { Steps } from './steps';

export type StepState = 'running' | 'done' | 'failed' | 'stopped';

export interface StepBase {
  /** Unique in its execution; a span where the step is one. */
  id: string;
  parent: string | null;
  /** Ids of the steps inside, in order of appearance. */
  children: string[];
  state: StepState;
  /** Server times in milliseconds since 1970. */
  startedAt: number;
  endedAt: number | null;
}

export interface AgentStep extends StepBase {
  kind: 'agent';
  name: string;
  /** `main` or `<subagent>#k`. */
  label: string;
  model: string;
  prompt: string;
  /** Values of the project's variables, of the main agent. */
  variables: Readonly<Record<string, string>>;
  result: string | null;
  tokens: number;
  costUsd: number | null;
}

export interface TurnStep extends StepBase {
  kind: 'turn';
  number: number;
  tokens: number | null;
  costUsd: number | null;
  /** When its reply was there and paid for. */
  repliedAt: number | null;
}

export interface ProseStep extends StepBase {
  kind: 'thinking' | 'text';
  content: string;
}

export interface ToolStep extends StepBase {
  kind: 'tool';
  tool: string;
  source: string;
  input: Record<string, unknown>;
  output: OutputPart[];
  durationMs: number | null;
  callId: string;
  /** What a person is asked while the call waits for one. */
  question: Question | null;
  /** What somebody answered. */
  verdict: Verdict | null;
}

export interface Question {
  /** Arguments as they would be used: hooks may have changed what the model wanted. */
  input: Record<string, unknown>;
  preview: Preview | null;
  reason: string;
}

export interface Verdict {
  allow: boolean;
  by: string;
  message: string;
  /** Arguments that the person put in place of the model's. */
  input: Record<string, unknown> | null;
}

export interface HookStep extends StepBase {
  kind: 'hook';
  hook: string;
  on: string;
  outcome: string;
  message: string;
  durationMs: number;
}

export interface WarningStep extends StepBase {
  kind: 'warning';
  code: string;
  message: string;
}

export type Step = AgentStep | TurnStep | ProseStep | ToolStep | HookStep | WarningStep;

/** What a card on the canvas shows while it runs and after. */
export interface CardRun {
  state: 'running' | 'waiting' | 'done' | 'failed' | 'stopped';
  /** Instances that were started, and that run now. */
  instances: number;
  active: number;
  turn: number;
  /** Tool that runs now, with the time it began. */
  tool: string | null;
  toolSince: number | null;
  startedAt: number;
  endedAt: number | null;
  tokens: number;
  costUsd: number | null;
  /** How often a hook allowed, or anything was called. */
  calls: number;
}

export interface Monitor {
  executionId: string;
  status: Status;
  position: number | null;
  version: number | null;
  model: string | null;
  simulated: boolean | null;
  limits: Limits | null;
  usage: Usage;
  /** Tokens that count towards the limit: all but cache reads. */
  tokens: number;
  totalCostUsd: number | null;
  percent: PercentOfLimit;
  /** How full the main agent's context window is; null before its first reply. */
  context: ContextWindow | null;
  turns: number;
  startedAt: number | null;
  endedAt: number | null;
  durationMs: number | null;
  /** Milliseconds in which it had begun and did not run, and since when it does not, if it does not. */
  restedMs: number;
  restsSince: number | null;
  result: string | null;
  error: { code: string; message: string } | null;
  lastEventId: number;
  lastEvent: ExecutionEvent | null;
  steps: Steps;
  /** Steps without a parent. */
  roots: readonly string[];
  cards: Readonly<Record<string, CardRun>>;
}

const NO_USAGE: Usage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0
};

/** The monitor of an execution of which nothing is known yet. */
export function emptyMonitor(executionId: string): Monitor {
  return {
    executionId,
    status: 'queued',
    position: null,
    version: null,
    model: null,
    simulated: null,
    limits: null,
    usage: NO_USAGE,
    tokens: 0,
    totalCostUsd: 0,
    percent: { cost: null, tokens: null, time: null },
    context: null,
    turns: 0,
    startedAt: null,
    endedAt: null,
    durationMs: null,
    restedMs: 0,
    restsSince: null,
    result: null,
    error: null,
    lastEventId: 0,
    lastEvent: null,
    steps: new Steps(),
    roots: [],
    cards: {}
  };
}
