/**
 * From events to what the monitor shows: a pure fold, the panel's counterpart of the server's.
 *
 * `fold(monitor, events)` never changes its argument; steps that a batch does not touch stay the same
 * objects, so that their rows need not be drawn again, and what holds them is shared, not copied (`steps.ts`).
 */
import type { ExecutionEvent, Usage } from '../api/types';
import { cardOfAgent } from '../graph/graph';

import type { Draft } from './draft';
import {
  add,
  begun,
  card,
  closeInside,
  ensureTurn,
  failedSubagents,
  forgetSaid,
  parentSpan,
  prose,
  shownUnder,
  update
} from './draft';
import type { AgentStep, CardRun, Monitor, StepState, ToolStep, TurnStep } from './monitor';

/** Tokens that count towards the limit: uncached input, cache writes and output. */
export function countedTokens(usage: Usage): number {
  return usage.input_tokens + usage.cache_creation_input_tokens + usage.output_tokens;
}

/** Sum of two amounts of money, of which either may be unknown. */
function plus(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b;
}

/** `monitor` after `events`; those it has already seen are passed over. */
export function fold(monitor: Monitor, events: readonly ExecutionEvent[]): Monitor {
  const draft: Draft = {
    ...monitor,
    steps: monitor.steps.edit(),
    roots: [...monitor.roots],
    cards: { ...monitor.cards }
  };
  for (const event of events) {
    if (event.id > draft.lastEventId) {
      take(draft, event);
      draft.lastEventId = event.id;
      draft.lastEvent = event;
    }
  }
  return { ...draft, steps: draft.steps.done() };
}

/** It waits, for a person or a slot: time goes on without it. */
function rest(draft: Draft, at: number): void {
  if (draft.startedAt !== null) {
    draft.restsSince ??= at;
  }
}

/** It runs, or has ended. */
function wake(draft: Draft, at: number): void {
  if (draft.restsSince !== null) {
    draft.restedMs += Math.max(0, at - draft.restsSince);
    draft.restsSince = null;
  }
}

/** Whether an agent's card has a call that waits for a person. */
function asks(draft: Draft, cardId: string): boolean {
  return [...draft.steps.values()].some(
    step =>
      step.kind === 'tool' &&
      step.question !== null &&
      step.state === 'running' &&
      cardOfAgent(agentOf(draft, step)) === cardId
  );
}

function agentOf(draft: Draft, step: ToolStep): string {
  for (let at = step.parent; at !== null; at = draft.steps.get(at)?.parent ?? null) {
    const above = draft.steps.get(at);
    if (above?.kind === 'agent') {
      return above.label;
    }
  }
  return 'main';
}

/** Every step and card that still runs, ends as `state`. */
function stopAll(draft: Draft, state: StepState, at: number): void {
  draft.roots.forEach(id => closeInside(draft, id, state, at));
  for (const [id, run] of Object.entries(draft.cards)) {
    if (run.endedAt === null) {
      draft.cards[id] = {
        ...run,
        state: state as CardRun['state'],
        endedAt: at,
        active: 0,
        tool: null,
        toolSince: null
      };
    }
  }
}

/** What an interruption had stopped goes on: agents without an answer, calls without a result, their cards. */
function startAgain(draft: Draft): void {
  const working: Record<string, number> = {};
  for (const step of [...draft.steps.values()]) {
    const open =
      (step.kind === 'agent' && step.result === null) || (step.kind === 'tool' && step.durationMs === null);
    if (open && step.state === 'stopped') {
      update(draft, step.id, null, { state: 'running', endedAt: null });
      const id = step.kind === 'agent' ? cardOfAgent(step.label) : step.kind === 'tool' ? step.source : '';
      working[id] = (working[id] ?? 0) + 1;
    }
  }
  for (const [id, active] of Object.entries(working)) {
    const run = draft.cards[id];
    if (run) {
      draft.cards[id] = { ...run, state: 'running', endedAt: null, active };
    }
  }
}

function end(
  draft: Draft,
  event: Extract<ExecutionEvent, { type: 'complete' | 'error' | 'cancelled' }>,
  at: number
): void {
  const state: StepState = event.type === 'complete' ? 'done' : event.type === 'error' ? 'failed' : 'stopped';
  stopAll(draft, state, at);
  wake(draft, at);
  draft.status = event.type === 'complete' ? 'completed' : event.type === 'error' ? 'failed' : 'cancelled';
  draft.usage = event.usage;
  draft.tokens = countedTokens(event.usage);
  draft.totalCostUsd = event.total_cost_usd;
  draft.durationMs = event.duration_ms;
  draft.endedAt = at;
  draft.result = event.result?.text || null;
  draft.error = event.type === 'error' ? { code: event.code, message: event.message } : null;
}

function callAt(draft: Draft, span: string): ToolStep | undefined {
  const step = draft.steps.get(span);
  return step?.kind === 'tool' ? step : undefined;
}

function take(draft: Draft, event: ExecutionEvent): void {
  const at = Date.parse(event.ts);
  switch (event.type) {
    case 'queued':
      draft.status = 'queued';
      draft.position = event.position || null;
      rest(draft, at);
      return;
    case 'start':
      draft.status = 'running';
      draft.position = null;
      draft.version = event.version;
      draft.model = event.model;
      draft.limits = event.limits;
      draft.simulated = event.simulated;
      draft.startedAt ??= at;
      return;
    case 'interrupted':
      // Nobody works on it any more; a `resumed` starts what is open again.
      stopAll(draft, 'stopped', at);
      rest(draft, at);
      draft.status = 'interrupted';
      return;
    case 'resumed':
      startAgain(draft);
      wake(draft, at);
      draft.status = 'running';
      draft.position = null;
      draft.limits = event.limits ?? draft.limits;
      return;
    case 'running':
      wake(draft, at);
      draft.status = 'running';
      draft.position = null;
      return;
    case 'waiting':
      rest(draft, at);
      draft.status = 'waiting';
      return;
    case 'agent_start':
      add(draft, {
        ...begun(event.span, parentSpan(event.span), at),
        kind: 'agent',
        name: event.name,
        label: event.agent,
        model: event.model,
        prompt: event.prompt,
        variables: event.variables ?? {},
        result: null,
        tokens: 0,
        costUsd: 0
      });
      card(draft, cardOfAgent(event.agent), at, run => ({
        state: 'running',
        endedAt: null,
        instances: run.instances + 1,
        active: run.active + 1
      }));
      return;
    case 'agent_complete':
      closeInside(draft, event.span, 'done', at);
      update<AgentStep>(draft, event.span, 'agent', { result: event.result });
      card(draft, cardOfAgent(event.agent), at, run => {
        const active = Math.max(0, run.active - 1);
        // The main agent's card stands for the execution, which ends with an event of its own.
        return active || event.agent === 'main'
          ? { active, tool: null, toolSince: null }
          : { active, state: 'done', endedAt: at, tool: null, toolSince: null };
      });
      return;
    case 'thinking':
    case 'text':
      prose(draft, event, at);
      return;
    case 'tool_call': {
      const turn = parentSpan(event.span);
      if (turn !== null) {
        ensureTurn(draft, turn, event.agent, at);
      }
      add(draft, {
        ...begun(event.span, shownUnder(draft, turn ?? event.span), at),
        kind: 'tool',
        tool: event.tool,
        source: event.source,
        input: event.input,
        output: [],
        durationMs: null,
        callId: event.call_id,
        question: null,
        verdict: null
      });
      card(draft, cardOfAgent(event.agent), at, run => ({
        tool: event.tool,
        toolSince: at,
        calls: run.calls + 1
      }));
      if (event.source.startsWith('mcp:')) {
        card(draft, event.source, at, run => ({
          state: 'running',
          endedAt: null,
          active: run.active + 1,
          calls: run.calls + 1
        }));
      }
      return;
    }
    case 'tool_result': {
      const call = callAt(draft, event.span);
      const state: StepState = event.is_error ? 'failed' : 'done';
      if (call) {
        closeInside(draft, call.id, state, at);
        update<ToolStep>(draft, call.id, 'tool', {
          state,
          endedAt: at,
          output: event.output,
          durationMs: event.duration_ms,
          question: null
        });
        if (call.source.startsWith('mcp:')) {
          card(draft, call.source, at, run => {
            const active = Math.max(0, run.active - 1);
            return active ? { active } : { active, state, endedAt: at };
          });
        }
        if (call.source === 'subagent' && event.is_error) {
          failedSubagents(draft, call, at);
        }
      }
      card(draft, cardOfAgent(event.agent), at, run =>
        run.tool === event.tool ? { tool: null, toolSince: null } : {}
      );
      return;
    }
    case 'approval_required': {
      const { input, reason } = event;
      const call = callAt(draft, event.span);
      if (call) {
        update<ToolStep>(draft, call.id, 'tool', {
          question: { input, reason, preview: event.preview ?? null }
        });
      }
      card(draft, cardOfAgent(event.agent), at, () => ({ state: 'waiting' }));
      return;
    }
    case 'approval': {
      const { by, message, decision } = event;
      const call = callAt(draft, event.span);
      if (call) {
        update<ToolStep>(draft, call.id, 'tool', {
          question: null,
          verdict: { by, message, allow: decision === 'allow', input: event.input ?? null }
        });
      }
      if (draft.status === 'waiting') {
        wake(draft, at);
        draft.status = 'running';
      }
      const id = cardOfAgent(event.agent);
      card(draft, id, at, () => ({ state: asks(draft, id) ? 'waiting' : 'running' }));
      return;
    }
    case 'hook':
      add(draft, {
        ...begun(`hook:${event.id}`, shownUnder(draft, event.span), at),
        kind: 'hook',
        state: event.outcome === 'failed' ? 'failed' : 'done',
        endedAt: at,
        hook: event.hook,
        on: event.on,
        outcome: event.outcome,
        message: event.message,
        durationMs: event.duration_ms
      });
      card(draft, `hook:${event.hook}`, at, run => ({
        state: event.outcome === 'failed' ? 'failed' : 'done',
        endedAt: at,
        calls: run.calls + 1
      }));
      return;
    case 'cost_update': {
      draft.usage = event.usage;
      draft.tokens = countedTokens(event.usage);
      draft.totalCostUsd = event.total_cost_usd;
      draft.percent = event.percent_of_limit;
      draft.turns += 1;
      if (event.agent === 'main' && event.context) {
        draft.context = event.context;
      }
      const tokens = countedTokens(event.turn_usage);
      ensureTurn(draft, event.span, event.agent, at);
      // A turn is paid for more than once where a reply broke off, or the conversation was summarised first.
      const turn = draft.steps.get(event.span);
      const paid = turn?.kind === 'turn' && turn.tokens !== null ? turn : { tokens: 0, costUsd: 0 };
      update<TurnStep>(draft, event.span, 'turn', {
        tokens: (paid.tokens ?? 0) + tokens,
        costUsd: plus(paid.costUsd, event.turn_cost_usd),
        repliedAt: at
      });
      const owner = draft.steps.get(parentSpan(event.span) ?? event.span);
      if (owner?.kind === 'agent') {
        update<AgentStep>(draft, owner.id, 'agent', {
          tokens: owner.tokens + tokens,
          costUsd: plus(owner.costUsd, event.turn_cost_usd)
        });
      }
      card(draft, cardOfAgent(event.agent), at, run => ({
        tokens: run.tokens + tokens,
        costUsd: plus(run.costUsd, event.turn_cost_usd)
      }));
      return;
    }
    case 'warning':
      if (event.code === 'RETRYING') {
        forgetSaid(draft, event.span);
      }
      if (event.code === 'COMPACTED' && event.agent === 'main' && draft.context) {
        const after = event.details?.tokens_after;
        draft.context = typeof after === 'number' ? { ...draft.context, tokens: after } : draft.context;
      }
      if (event.code === 'SIMULATED') {
        draft.simulated = true;
        return; // The monitor says so for the whole execution; a row would say it twice.
      }
      add(draft, {
        ...begun(`warning:${event.id}`, shownUnder(draft, event.span), at),
        kind: 'warning',
        state: 'done',
        endedAt: at,
        code: event.code,
        message: event.message
      });
      return;
    case 'complete':
    case 'error':
    case 'cancelled':
      end(draft, event, at);
      return;
  }
}
