import { describe, expect, it } from 'vitest';

import type { ExecutionEvent, ExecutionState } from '../api/types';
import { AGENT, call, complete, cost, logOf, result, START, WHOLE_RUN } from '../testing/events';
import type { Sketch } from '../testing/events';
import { countedTokens, fold } from './fold';
import { emptyMonitor } from './monitor';
import type { AgentStep, ProseStep, ToolStep, TurnStep } from './monitor';

const monitorOf = (sketches: Sketch[]) => fold(emptyMonitor('e1'), logOf(sketches));

describe('fold', () => {
  it('makes the tree: agent, turn, thinking, text, call, subagent inside', () => {
    const { steps, roots } = monitorOf(WHOLE_RUN);
    expect(roots).toEqual(['main']);
    expect(steps.get('main')?.children).toEqual(['main/1', 'main/2', 'main/3']);
    const kinds = steps.get('main/1')?.children.map(id => steps.get(id)?.kind);
    expect(kinds).toEqual(['thinking', 'text', 'tool']);
    expect((steps.get('main/1/thinking:4') as ProseStep).content).toBe('Look first.');
    expect(steps.get('main/2/c2')?.children).toEqual(['main/2/c2/statistician#1']);
  });

  it('goes on after an interruption: what was open runs again, once', () => {
    const sketches: Sketch[] = [
      START,
      AGENT,
      call('main/1/c1', 'bash', {}),
      { type: 'interrupted', why: 'the server was stopped' },
      { type: 'queued', execution_id: 'e1', position: 0 }
    ];
    const left = monitorOf(sketches);
    expect(left.steps.get('main')?.state).toBe('stopped');
    sketches.push({ type: 'resumed', by: 'restart', attempt: 2, limits: null });
    const going = monitorOf(sketches);
    expect(going.status).toBe('running');
    expect(going.steps.get('main')).toMatchObject({ state: 'running', endedAt: null });
    expect(going.steps.get('main/1/c1')?.state).toBe('running');
    expect(going.cards.agent).toMatchObject({ state: 'running', active: 1 });
    sketches.push(result('main/1/c1', 'bash', 'outcome unknown', { is_error: true }), ...WHOLE_RUN.slice(-1));
    const ended = monitorOf(sketches);
    expect(ended.status).toBe('completed');
    expect(ended.steps.get('main/1/c1')?.state).toBe('failed');
    expect(ended.roots).toEqual(['main']);
  });

  it('gives each turn, agent and card its own tokens and money', () => {
    const { steps, cards, totalCostUsd, tokens } = monitorOf(WHOLE_RUN);
    expect((steps.get('main/1') as TurnStep).costUsd).toBe(0.01);
    expect((steps.get('main/2/c2/statistician#1') as AgentStep).tokens).toBe(120);
    expect(cards.agent.costUsd).toBeCloseTo(0.015);
    expect(cards['subagent:statistician']).toMatchObject({
      state: 'done',
      instances: 1,
      active: 0,
      costUsd: 0.005
    });
    expect(totalCostUsd).toBe(0.02);
    expect(tokens).toBe(120);
  });

  it('lights a card up while it works and says with which tool', () => {
    const running = monitorOf([START, AGENT, call('main/1/c1', 'bash', {})]);
    expect(running.cards.agent).toMatchObject({ state: 'running', tool: 'bash', turn: 1, endedAt: null });
    const after = fold(
      running,
      logOf([START, AGENT, call('main/1/c1', 'bash', {}), result('main/1/c1', 'bash', '')])
    );
    expect(after.cards.agent).toMatchObject({ state: 'running', tool: null });
  });

  it('keeps the main card running until the execution itself has ended', () => {
    const { cards, status } = monitorOf(WHOLE_RUN.slice(0, -1));
    expect(status).toBe('running');
    expect(cards.agent).toMatchObject({ state: 'running', active: 0, tool: null, endedAt: null });
    expect(monitorOf(WHOLE_RUN).cards.agent).toMatchObject({ state: 'done' });
    const failed: Sketch = { type: 'error', code: 'INTERNAL', message: '', usage: {}, result: null };
    expect(monitorOf([...WHOLE_RUN.slice(0, -1), failed]).cards.agent.state).toBe('failed');
  });

  it('sees each event once, whatever the pieces they come in', () => {
    const log = logOf(WHOLE_RUN);
    let monitor = emptyMonitor('e1');
    for (let at = 0; at < log.length; at += 4) {
      monitor = fold(monitor, log.slice(Math.max(0, at - 2), at + 4));
    }
    expect(monitor).toEqual(monitorOf(WHOLE_RUN));
  });

  it('never changes what it was given, and keeps untouched steps as they are', () => {
    const log = logOf(WHOLE_RUN);
    const before = fold(emptyMonitor('e1'), log.slice(0, 9));
    const size = before.steps.size;
    const after = fold(before, log.slice(9));
    expect(before.steps.size).toBe(size);
    expect(after.steps.get('main/1/c1')).toBe(before.steps.get('main/1/c1'));
  });

  it('forgets what a turn had said when its model call is repeated', () => {
    const { steps } = monitorOf([
      START,
      AGENT,
      { type: 'text', span: 'main/1', content: 'Half a sen' },
      { type: 'warning', span: 'main/1', code: 'RETRYING', message: 'Again', details: {} },
      { type: 'text', span: 'main/1', content: 'Whole.', final: true }
    ]);
    const said = steps.get('main/1')?.children.map(id => steps.get(id));
    expect(said?.map(step => step?.kind)).toEqual(['warning', 'text']);
    expect((said?.[1] as ProseStep).content).toBe('Whole.');
  });

  it('stops everything that ran when it is cancelled', () => {
    const { status, steps, cards } = monitorOf([
      START,
      AGENT,
      call('main/1/c1', 'bash', { command: 'sleep 60' }),
      { ...complete(''), type: 'cancelled', by: 'person', result: null }
    ]);
    expect(status).toBe('cancelled');
    expect(steps.get('main/1/c1')?.state).toBe('stopped');
    expect(cards.agent).toMatchObject({ state: 'stopped', tool: null });
  });

  it('keeps a cost unknown once a price is', () => {
    const { cards } = monitorOf([
      START,
      AGENT,
      cost('main/1', 0.01),
      cost('main/2', 0, { turn_cost_usd: null })
    ]);
    expect(cards.agent.costUsd).toBeNull();
  });

  it('waits for a person only when nothing else goes on, with what is asked at the call', () => {
    const asking: Sketch[] = [
      START,
      AGENT,
      call('main/1/c1', 'bash', {}),
      call('main/1/c2', 'bash', {}),
      ...['c1', 'c2'].map(id => ({
        type: 'approval_required' as const,
        span: `main/1/${id}`,
        call_id: id,
        tool: 'bash',
        input: { command: id },
        reason: 'rule bash: ask',
        preview: null
      }))
    ];
    const decided: Sketch = {
      type: 'approval',
      span: 'main/1/c1',
      call_id: 'c1',
      decision: 'deny',
      by: 'ada'
    };
    const asks = monitorOf(asking);
    expect(asks.status).toBe('running');
    expect(asks.cards.agent.state).toBe('waiting');
    const waiting = monitorOf([...asking, { type: 'waiting' }]);
    expect(waiting.status).toBe('waiting');
    expect((waiting.steps.get('main/1/c2') as ToolStep).question?.input).toEqual({ command: 'c2' });
    const after = monitorOf([...asking, { type: 'waiting' }, decided]);
    expect(after.status).toBe('running');
    expect(after.cards.agent.state).toBe('waiting');
    expect(after.restedMs).toBe(1_000);
    expect(after.steps.get('main/1/c1')).toMatchObject({
      question: null,
      verdict: { allow: false, by: 'ada' }
    });
  });

  it('marks a failed call', () => {
    const failed = monitorOf([
      START,
      AGENT,
      call('main/1/c1', 'bash', {}),
      result('main/1/c1', 'bash', 'no', { is_error: true })
    ]);
    expect(failed.steps.get('main/1/c1')?.state).toBe('failed');
  });
});

const logs = import.meta.glob<string>('../../../tests/support/fixtures/*.jsonl', {
  query: '?raw',
  eager: true,
  import: 'default'
});
const states = import.meta.glob<ExecutionState>('../../../tests/support/fixtures/*.state.json', {
  eager: true,
  import: 'default'
});

describe('the logs that the server is held to', () => {
  it('are there', () => {
    expect(Object.keys(logs).length).toBeGreaterThan(3);
  });

  it.each(Object.keys(logs))('%s adds up to the same state here', path => {
    const events = logs[path]
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as ExecutionEvent);
    const state = states[path.replace('.jsonl', '.state.json')];
    const monitor = fold(emptyMonitor(state.execution_id), events);
    expect(monitor).toMatchObject({
      status: state.status,
      position: state.position,
      usage: state.usage,
      tokens: countedTokens(state.usage),
      totalCostUsd: state.total_cost_usd,
      turns: state.turns,
      context: state.context,
      lastEventId: state.last_event_id,
      result: state.result?.text || null
    });
    expect(monitor.error?.code).toBe(state.error?.code);
    if (state.started_at) {
      expect(monitor.startedAt).toBe(Date.parse(state.started_at));
      expect(monitor.limits).toEqual(state.limits);
      expect(monitor.simulated).toBe(state.simulated);
    }
  });
});
