/**
 * Versions that share: of steps, of logs, of what is worked out of them. None may see what became of a later one.
 */
import { describe, expect, it } from 'vitest';

import { AGENT, call, cost, logOf, result, START, WHOLE_RUN } from '../testing/events';
import type { Sketch } from '../testing/events';
import type { Bar } from './bars';
import { timelineOf } from './bars';
import { fold } from './fold';
import { Log } from './log';
import type { Monitor, ProseStep } from './monitor';
import { emptyMonitor } from './monitor';
import type { Row } from './rows';
import { rowsOf } from './rows';
import { Sections } from './sections';

/** So many turns that steps fill several pieces, with a subagent, a hook and a reply that broke off. */
const LONG: Sketch[] = [
  ...WHOLE_RUN.slice(0, -2),
  ...Array.from({ length: 60 }, (_, index): Sketch[] => {
    const turn = `main/${index + 4}`;
    return [
      { type: 'text', span: turn, content: 'Half a sen' },
      ...(index % 7 ? [] : [{ type: 'warning', span: turn, code: 'RETRYING', message: '' } as Sketch]),
      { type: 'text', span: turn, content: `Step ${index}.`, final: true },
      cost(turn, 0.001),
      call(`${turn}/c`, 'bash', { command: 'ls' }),
      { type: 'hook', span: `${turn}/c`, hook: 'guard', on: 'PreToolUse', outcome: 'allow', duration_ms: 1 },
      result(`${turn}/c`, 'bash', 'x')
    ];
  }).flat(),
  ...WHOLE_RUN.slice(-2)
];

/** All that can be read from a monitor's steps, as a copy. */
function readOf({ steps, roots }: Monitor): unknown {
  const all = [...steps.values()];
  return structuredClone({ all, roots, size: steps.size, found: all.map(each => steps.get(each.id)?.id) });
}

describe('a version of an execution', () => {
  it('stays as it was, whatever later ones add, change and take away', () => {
    const log = logOf(LONG);
    const versions: Monitor[] = [emptyMonitor('e1')];
    const then: unknown[] = [readOf(versions[0])];
    for (let at = 0; at < log.length; at += 3) {
      versions.push(fold(versions[versions.length - 1], log.slice(at, at + 3)));
      then.push(readOf(versions[versions.length - 1]));
    }
    expect(versions.map(readOf)).toEqual(then);
    expect(versions[0].steps.has('main')).toBe(false);
    // What was taken away is gone, also where somebody asks for it by its name.
    const last = versions[versions.length - 1].steps;
    const said = [...last.values()].filter(step => step.kind === 'text');
    expect(said.slice(3, 5).map(step => (step as ProseStep).content)).toEqual([
      'Step 0.',
      'Half a senStep 1.'
    ]);
    expect(last.size).toBe([...last.values()].length);
    expect(last.size).toBe(fold(emptyMonitor('e1'), log).steps.size);
  });

  it('may have two that go on from it, and neither knows of the other', () => {
    const log = logOf([START, AGENT, call('main/1/left', 'bash', {})]);
    const other = logOf([START, AGENT, call('main/1/right', 'bash', {}), cost('main/2', 0.01)]);
    const begun = fold(emptyMonitor('e1'), log.slice(0, 2));
    const [left, right] = [fold(begun, log), fold(begun, other)];
    const ids = (monitor: Monitor) => [...monitor.steps.values()].map(step => step.id);
    expect(ids(begun)).toEqual(['main']);
    expect(ids(left)).toEqual(['main', 'main/1', 'main/1/left']);
    expect(ids(right)).toEqual(['main', 'main/1', 'main/1/right', 'main/2']);
    expect([left.steps.has('main/1/right'), right.steps.has('main/1/left')]).toEqual([false, false]);
    expect(ids(fold(left, logOf([...LONG.slice(0, 3), cost('main/9', 0)])))).toContain('main/9');
    expect(ids(right)).not.toContain('main/9');
  });
});

describe('a log', () => {
  it('keeps each version as it was, and reads like an array', () => {
    const one = Log.of([1, 2, 3]);
    const two = one.grown([4, 5]);
    const other = one.grown([6]);
    const three = two.grown([7]);
    expect([one, two, other, three].map(each => [...each])).toEqual([
      [1, 2, 3],
      [1, 2, 3, 4, 5],
      [1, 2, 3, 6],
      [1, 2, 3, 4, 5, 7]
    ]);
    expect([two.at(4), two.at(5), two.at(-1), other.at(3)]).toEqual([5, undefined, 5, 6]);
    expect([one.find(each => each > 3), two.find(each => each > 3)]).toEqual([undefined, 4]);
    expect([one.findIndex(each => each > 3), two.findIndex(each => each > 3)]).toEqual([-1, 3]);
    expect([two.filter(each => each > 3), two.slice(3), two.slice(1, 9), one.slice(4)]).toEqual([
      [4, 5],
      [4, 5],
      [2, 3, 4, 5],
      []
    ]);
    expect([...Log.of<number>([]).grown([1]).grown([2])]).toEqual([1, 2]);
  });
});

describe('rows and bars that are kept from batch to batch', () => {
  it.each([1, 4, 23])('are those that would be worked out anew, in batches of %i', size => {
    const log = logOf(LONG);
    const [rows, bars] = [new Sections<Row>(), new Sections<Bar>()];
    let monitor = emptyMonitor('e1');
    for (let at = 0; at < log.length; at += size) {
      monitor = fold(monitor, log.slice(at, at + size));
      const toggled = new Set(at % 2 ? ['main/5/c'] : []);
      expect(rowsOf(monitor, toggled, null, rows)).toEqual(rowsOf(monitor, toggled));
      expect(timelineOf(monitor, bars)).toEqual(timelineOf(monitor));
    }
  });

  it('are the same objects where nothing has changed, and new ones where something has', () => {
    const log = logOf(LONG);
    const [sections, bars, toggled] = [new Sections<Row>(), new Sections<Bar>(), new Set<string>()];
    const before = fold(emptyMonitor('e1'), log.slice(0, 80));
    const after = fold(before, log.slice(80, 100));
    const [then, now] = [before, after].map(each => rowsOf(each, toggled, null, sections));
    const [drawn, drawing] = [before, after].map(each => timelineOf(each, bars).bars);
    const at = (all: readonly { step: { id: string } }[], id: string) =>
      all.find(each => each.step.id === id);
    expect(at(then, 'main/5')).toBeDefined();
    expect(at(now, 'main/5')).toBe(at(then, 'main/5'));
    expect(at(now, 'main')).not.toBe(at(then, 'main'));
    expect(drawing.find(bar => bar.id === 'main/5')).toBe(drawn.find(bar => bar.id === 'main/5'));
  });
});
