import { describe, expect, it } from 'vitest';

import { Client } from '../api/client';
import type { ExecutionState } from '../api/types';
import { sampleDefinition } from '../testing/definition';
import type { Sketch } from '../testing/events';
import { AGENT, call, complete, cost, logOf, result, START, WHOLE_RUN } from '../testing/events';
import { json } from '../testing/server';
import { marksOf, timelineOf } from './bars';
import { cellFor } from './cell';
import { aligned, differences, linesOf } from './compare';
import { costSeries } from './costs';
import {
  EMPTY_DRAFT,
  NO_LIMITS,
  filled,
  hasTask,
  missingVariables,
  recalled,
  remembered,
  requestOf,
  withFiles
} from './drafts';
import { fold } from './fold';
import { NO_FILTER, filteredEvents, filteredOn, filteredSteps } from './kinds';
import { changeableCall, eventsOf, forkPoint, modelWaits, resultEvent } from './moments';
import { emptyMonitor } from './monitor';
import { knownOf, newsOf } from './news';
import { foldedAbove, rowsOf } from './rows';
import { draftOf, filesOf } from './repeat';
import { midnight, spentToday, todayOf } from './today';

const monitorOf = (log: Sketch[]) => fold(emptyMonitor('e1'), logOf(log));
const whole = monitorOf(WHOLE_RUN);
const events = logOf(WHOLE_RUN);

describe('timeline', () => {
  it('has a bar for agent, model calls, tools and subagents, in the order of the tree', () => {
    const { bars } = timelineOf(whole);
    expect(bars.map(bar => [bar.kind, bar.name, bar.depth])).toEqual([
      ['agent', 'main', 0],
      ['model', '', 1],
      ['tool', 'bash', 1],
      ['model', '', 1],
      ['subagent', 'Statistician', 1],
      ['model', '', 2],
      ['model', '', 1]
    ]);
    expect(bars.map(bar => bar.id)).toContain('main/1/c1');
  });

  it('lets a model call begin when its agent could ask, and end with its reply', () => {
    const { bars, start } = timelineOf(whole);
    const third = bars.find(bar => bar.id === 'main/3')!;
    const delegation = bars.find(bar => bar.kind === 'subagent')!;
    expect(third.start).toBe(delegation.end);
    expect(third.end! - start).toBe(15_000); // its cost_update is the 17th event, one each second from the start
    expect(third.costUsd).toBe(0.005);
  });

  it('leaves what goes on without an end', () => {
    const log = [START, AGENT, cost('main/1', 0.01), call('main/1/c', 'bash', { command: 'sleep 9' })];
    const { bars } = timelineOf(monitorOf(log));
    expect(bars.map(bar => bar.end === null)).toEqual([true, false, true]);
  });

  it('puts hooks under what they watch, with their own length', () => {
    const log = [
      START,
      AGENT,
      cost('main/1', 0.01),
      call('main/1/c', 'bash', { command: 'ls' }),
      {
        type: 'hook',
        span: 'main/1/c',
        hook: 'guard',
        on: 'PreToolUse',
        outcome: 'allow',
        message: '',
        duration_ms: 250
      } as Sketch
    ];
    const hook = timelineOf(monitorOf(log)).bars.find(bar => bar.kind === 'hook')!;
    expect([hook.depth, hook.end! - hook.start]).toEqual([2, 250]);
  });

  it('says what passed before the first bar, where that was worth a word', () => {
    const { bars, start } = timelineOf(whole);
    // START is a second before AGENT.
    expect(bars.map(bar => bar.ready)).toEqual([start, ...bars.slice(1).map(() => undefined)]);
    expect(bars[0].start - start).toBe(1_000);
    const agent = { ...AGENT, ts: logOf([START])[0].ts };
    expect(timelineOf(monitorOf([START, agent])).bars[0]).not.toHaveProperty('ready');
  });

  it('marks its axis at round times', () => {
    expect(marksOf(9_300, 5)).toEqual([0, 2_000, 4_000, 6_000, 8_000]);
    expect(marksOf(90, 5)).toEqual([0, 20, 40, 60, 80]);
    expect(marksOf(0, 5)).toEqual([0]);
  });
});

describe('filter', () => {
  it('keeps what fits and what it stands in, and nothing else', () => {
    const only = filteredSteps(whole, { hidden: [], text: 'HEAD -5' })!;
    expect([...only].sort()).toEqual(['main', 'main/1', 'main/1/c1']);
    const rows = rowsOf(whole, new Set(), only);
    expect(rows.map(row => row.step.id)).toEqual(['main', 'main/1', 'main/1/c1']);
  });

  it('leaves kinds out, of steps and of events', () => {
    const only = filteredSteps(whole, {
      hidden: ['tool', 'thinking', 'agent', 'hook', 'warning'],
      text: ''
    })!;
    expect([...only].some(id => whole.steps.get(id)?.kind === 'tool' && !id.includes('c2'))).toBe(false);
    const left = filteredEvents(events, { hidden: ['state', 'tool'], text: '' });
    expect(new Set([...left].map(event => event.type))).toEqual(
      new Set(['agent_start', 'agent_complete', 'thinking', 'text'])
    );
  });

  it('finds words anywhere in an event, and lets all through when there is none', () => {
    expect([...filteredEvents(events, { hidden: [], text: 'Sales.csv' })].map(event => event.type)).toEqual([
      'tool_call'
    ]);
    expect(filteredEvents(events, NO_FILTER)).toBe(events);
    expect(filteredSteps(whole, NO_FILTER)).toBe(null);
  });

  it('looks only at what is new when a log has grown, and at all for another log or filter', () => {
    const looked = new Set<number>();
    const watched = events.map(
      event =>
        new Proxy(event, {
          get: (target, name) => {
            looked.add(name === 'type' ? event.id : 0);
            return Reflect.get(target, name) as unknown;
          }
        })
    );
    const filter = { hidden: ['state' as const], text: '' };
    const begun = filteredOn(null, watched.slice(0, 5), filter);
    looked.clear();
    const grown = filteredOn(begun, watched, filter);
    expect(Math.min(...looked)).toBeGreaterThan(5);
    expect(grown.shown).toEqual(filteredEvents(events, filter));
    const other = logOf(WHOLE_RUN);
    expect(filteredOn(grown, other, filter).shown).toEqual(filteredEvents(other, filter));
    const tools = { hidden: ['tool' as const], text: '' };
    expect(filteredOn(grown, watched, tools).shown).toEqual(filteredEvents(watched, tools));
    expect(filteredOn(begun, watched.slice(0, 5), filter).shown).toBe(begun.shown);
  });
});

describe('steps and their events', () => {
  it('are told apart: a call has call and result, a text all its pieces', () => {
    const of = (id: string) => eventsOf(events, whole.steps.get(id)!).map(event => event.type);
    expect(of('main/1/c1')).toEqual(['tool_call', 'tool_result']);
    const thinking = [...whole.steps.values()].find(step => step.kind === 'thinking')!;
    expect(of(thinking.id)).toEqual(['thinking', 'thinking']);
    expect(of('main/1')).toEqual(['cost_update']);
    expect(of('main')).toEqual(expect.arrayContaining(['agent_start', 'agent_complete', 'complete']));
  });

  it('a fork begins at the first event of the turn that a step is in', () => {
    const at = (id: string) => events[forkPoint(events, whole, whole.steps.get(id)!) - 1];
    expect(at('main/2/c2/statistician#1/1')).toMatchObject({ type: 'tool_call', span: 'main/2/c2' });
    expect(at('main/1/c1').type).toBe('thinking');
    expect(forkPoint(events, whole, null)).toBe(1);
  });

  it('only a result of a call of the main agent can be changed', () => {
    const bash = changeableCall(whole, whole.steps.get('main/1/c1')!);
    expect(bash && events[resultEvent(events, bash)! - 1].type).toBe('tool_result');
    expect(changeableCall(whole, whole.steps.get('main/1')!)).toBe(null);
    const running = monitorOf([START, AGENT, call('main/1/c', 'bash', {})]);
    expect(changeableCall(running, running.steps.get('main/1/c')!)).toBe(null);
  });

  it('unfold what hides a step', () => {
    expect(foldedAbove(whole, new Set(['main', 'main/2/c2']), 'main/2/c2/statistician#1/1')).toEqual([
      'main/2/c2',
      'main'
    ]);
  });

  it('say since when the model is waited for, and not while a tool runs', () => {
    const asked = monitorOf([START, AGENT]);
    expect(modelWaits(asked)).toEqual([
      { what: 'model', name: 'main', since: asked.steps.get('main')!.startedAt }
    ]);
    const busy = [START, AGENT, cost('main/1', 0.01), call('main/1/c', 'bash', {})];
    expect(modelWaits(monitorOf(busy))).toEqual([]);
    const again = monitorOf([...busy, result('main/1/c', 'bash', 'x')]);
    expect(modelWaits(again)).toEqual([
      { what: 'model', name: 'main', since: again.steps.get('main/1/c')!.endedAt }
    ]);
    expect(modelWaits(whole)).toEqual([]);
  });
});

describe('cost over time', () => {
  it('adds up per agent, instances together, from nothing', () => {
    const { agents, points } = costSeries(events);
    expect(agents).toEqual(['main', 'statistician']);
    expect(points[0]).toEqual({ at: 0, total: 0, agents: { main: 0, statistician: 0 } });
    expect(points.map(point => point.total)).toEqual([0, 0.01, 0.015, 0.02]);
    expect(points[3].agents).toEqual({ main: 0.015, statistician: 0.005 });
  });

  it('draws nothing where a price is unknown', () => {
    expect(
      costSeries(logOf([START, cost('main/1', 0, { turn_cost_usd: null, total_cost_usd: null })])).points
    ).toEqual([]);
  });
});

describe('comparison', () => {
  const other = WHOLE_RUN.map(event =>
    event.type === 'tool_result' && event.tool === 'bash' ? result('main/1/c1', 'bash', 'a,b\n9,9\n') : event
  );

  it('of a run with itself has no difference', () => {
    const { pairs, first } = aligned(linesOf(whole), linesOf(whole));
    expect(first).toBe(-1);
    expect(pairs.every(pair => pair.same)).toBe(true);
  });

  it('marks the first step whose output differs, and goes on in step', () => {
    const { pairs, first } = aligned(linesOf(whole), linesOf(monitorOf(other)));
    expect(pairs[first].left).toMatchObject({ title: 'bash', output: 'a,b\n1,2\n' });
    expect(pairs[first].right).toMatchObject({ title: 'bash', output: 'a,b\n9,9\n' });
    expect(pairs.filter(pair => !pair.same)).toHaveLength(1);
  });

  it('lets a step that only one of them has stand alone', () => {
    const longer = [...WHOLE_RUN];
    longer.splice(9, 0, call('main/1/c9', 'grep', { pattern: 'x' }), result('main/1/c9', 'grep', 'y'));
    const { pairs } = aligned(linesOf(whole), linesOf(monitorOf(longer)));
    const alone = pairs.filter(pair => !pair.left || !pair.right);
    expect(alone).toHaveLength(1);
    expect(alone[0]).toMatchObject({ left: null, right: { title: 'grep' } });
    expect(pairs.filter(pair => pair.left && pair.right).every(pair => pair.same)).toBe(true);
  });

  it('tells what both have used', () => {
    const { cost: money, duration } = differences(whole, monitorOf([START, AGENT, complete('x')]));
    expect([money, duration]).toEqual([
      { left: 0.02, right: 0.02 },
      { left: 9_000, right: 9_000 }
    ]);
  });
});

describe('a run that is put together', () => {
  const definition = sampleDefinition();

  it('sends only what differs from the project', () => {
    expect(requestOf(EMPTY_DRAFT)).toEqual({ variables: {} });
    const draft = {
      ...withFiles(EMPTY_DRAFT, ['data/a.csv', 'old/a.csv', 'data/a.csv']),
      prompt: 'Look',
      variables: { file: 'a.csv', topic: '' },
      limits: { ...NO_LIMITS, max_cost_usd: 0.5 },
      step: true,
      version: 2
    };
    expect(requestOf(draft)).toEqual({
      variables: { file: 'a.csv' },
      prompt: 'Look',
      files: [
        { path: 'a.csv', contents_path: 'data/a.csv' },
        { path: 'a-2.csv', contents_path: 'old/a.csv' }
      ],
      limits: { max_cost_usd: 0.5 },
      step: true,
      version: 2
    });
    expect(requestOf({ ...EMPTY_DRAFT, replay: 'c1' })).toEqual({ replay: 'c1' });
  });

  it('needs its variables and something to do', () => {
    expect(missingVariables(definition, EMPTY_DRAFT)).toEqual(['file']);
    expect(missingVariables(definition, { ...EMPTY_DRAFT, variables: { file: 'x' } })).toEqual([]);
    const idle = { ...definition, agent: { ...definition.agent, task: ' ' } };
    expect([hasTask(idle, EMPTY_DRAFT), hasTask(idle, { ...EMPTY_DRAFT, prompt: 'Go' })]).toEqual([
      false,
      true
    ]);
  });

  it('is remembered without files, and survives whatever was kept', () => {
    const draft = { ...EMPTY_DRAFT, prompt: 'Look', variables: { file: 'a' }, step: true };
    expect(recalled(JSON.parse(JSON.stringify(remembered(draft))))).toEqual(draft);
    expect(recalled({ prompt: 3, variables: [1], limits: 'x', step: 'yes' })).toEqual(EMPTY_DRAFT);
    expect(recalled('nonsense')).toEqual(EMPTY_DRAFT);
  });

  it('of an earlier run has its values, and a prompt only where it was not the task', () => {
    const log = (prompt: string): Sketch[] => [START, { ...AGENT, prompt, variables: { file: 'a.csv' } }];
    const own = { ...NO_LIMITS, ...definition.limits };
    const same = draftOf(monitorOf(log('Summarise a.csv.')), definition.agent.task, own);
    expect(same).toMatchObject({ prompt: '', variables: { file: 'a.csv' } });
    // The sample's start has lower limits than the project has now.
    expect(same.limits).toEqual({ max_cost_usd: null, max_tokens: 1_000, timeout_s: 60, max_turns: 5 });
    expect(draftOf(monitorOf(log('Else.')), definition.agent.task, own).prompt).toBe('Else.');
  });

  it('of an earlier run has its files, also where that run went on in another', async () => {
    const states: Record<string, unknown> = {
      fork: { inputs: [], resumed_from: null, forked_from: 'first' },
      first: {
        inputs: [
          { path: 'a.csv', upload_id: null, contents_path: 'data/a.csv' },
          { path: 'b.csv', upload_id: 'f'.repeat(32), contents_path: null }
        ]
      }
    };
    const client = new Client(async path => json(states[path.split('/')[1]]));
    const files = [
      { path: 'a.csv', contents_path: 'data/a.csv' },
      { path: 'b.csv', upload_id: 'f'.repeat(32) }
    ];
    expect(await filesOf(client, 'first')).toEqual(files);
    expect(await filesOf(client, 'fork')).toEqual(files);
  });

  it('fills values in as the server does', () => {
    expect(filled('a {{ x }} {{y}} {{timestamp}}', { x: '1', y: '$&' })).toBe('a 1 $& {{timestamp}}');
  });
});

describe('a cell that calls a project', () => {
  it('names what must be given, and quotes what is no Python name', () => {
    const definition = sampleDefinition();
    expect(cellFor(definition)).toBe(
      'from cloutagent_ext import connect\n\nrun = connect()["Sales analyst"].run(file="")\nrun'
    );
    const odd = {
      ...definition,
      name: 'It\'s "mine"\\',
      agent: { ...definition.agent, task: '' },
      variables: { limits: { description: '', default: null, required: true } }
    };
    expect(cellFor(odd, { limits: 'a"b' })).toContain(
      'connect()["It\'s \\"mine\\"\\\\"].run("Say here what it shall do.", values={"limits": "a\\"b"})'
    );
  });
});

describe('what Lab is told', () => {
  const state = (id: string, status: ExecutionState['status'], created = '2026-11-25T10:00:00.000Z') =>
    ({ execution_id: id, status, created_at: created, project_name: 'P' }) as ExecutionState;
  const since = Date.parse('2026-11-25T09:00:00Z');

  it('is what has changed, and no history', () => {
    const old = state('old', 'failed', '2026-11-24T10:00:00.000Z');
    const first = [state('a', 'running'), old];
    expect(newsOf(new Map(), first, since)).toEqual([]);
    const later = [state('a', 'waiting'), old, state('b', 'completed')];
    const news = newsOf(knownOf(first), later, since);
    expect(news.map(each => [each.state.execution_id, each.kind])).toEqual([
      ['a', 'waiting'],
      ['b', 'finished']
    ]);
    expect(newsOf(knownOf(later), later, since)).toEqual([]);
    expect(newsOf(knownOf(later), [state('a', 'completed')], since).map(each => each.kind)).toEqual([
      'answered',
      'finished'
    ]);
    expect(newsOf(knownOf(first), [state('a', 'cancelled')], since)).toEqual([]);
  });

  it('counts who runs and who waits, and the money since midnight', () => {
    const today = todayOf([state('a', 'running'), state('b', 'waiting'), state('c', 'completed')], 0.4);
    expect(today).toEqual({ running: 1, waiting: 1, costUsd: 0.4 });
    const now = new Date(2026, 10, 25, 15, 30);
    const hour = (offset: number) => new Date(midnight(now).getTime() + offset * 3_600_000).toISOString();
    const buckets = [-1, 0, 14].map(offset => ({ start: hour(offset), cost_usd: 1 }));
    expect(spentToday(buckets, now)).toBe(2);
  });
});
