import { act, fireEvent } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Sketch } from '../testing/events';
import { AGENT, call, cost, logOf, result, START } from '../testing/events';
import { fold } from '../stores/fold';
import { openTab } from '../testing/tab';
import { PIECE } from './Rows';
import { Tree } from './Tree';

/** Tells which pieces are in view and around it, as a browser would. */
class Watcher {
  static all: Watcher[] = [];
  readonly nodes: Element[] = [];

  constructor(
    private tell: IntersectionObserverCallback,
    readonly options: IntersectionObserverInit = {}
  ) {
    Watcher.all.push(this);
  }

  observe(node: Element) {
    this.nodes.push(node);
  }

  unobserve() {}

  disconnect() {}

  static say(nodes: Element[], view: boolean, around: boolean) {
    act(() => {
      for (const watcher of Watcher.all) {
        const isIntersecting = watcher.options.rootMargin ? around : view;
        const entries = nodes.map(target => ({ target, isIntersecting }) as IntersectionObserverEntry);
        watcher.tell(entries, watcher as unknown as IntersectionObserver);
      }
    });
  }
}

/** Frames that pass only when the test says so. */
class Frames {
  private static next: FrameRequestCallback[] = [];

  static request = (task: FrameRequestCallback) => Frames.next.push(task);

  static pass = () => {
    const now = Frames.next;
    Frames.next = [];
    act(() => now.forEach(task => task(0)));
  };
}

function turn(number: number): Sketch[] {
  const span = `main/${number}`;
  return [
    { type: 'thinking', span, content: 'Look.', final: true },
    cost(span, 0.001),
    call(`${span}/c`, 'bash', { command: `ls ${number}` }),
    result(`${span}/c`, 'bash', 'a\nb')
  ];
}

const turns = (count: number) => Array.from({ length: count }, (_, index) => turn(index + 1)).flat();
/** 5,002 events: 3,751 rows. */
const LONG = [START, AGENT, ...turns(1_250)];

describe('a tree of five thousand events', () => {
  beforeEach(() => {
    Watcher.all = [];
    vi.stubGlobal('IntersectionObserver', Watcher);
    vi.stubGlobal('requestAnimationFrame', Frames.request);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  const show = (log: Sketch[]) => {
    const tab = openTab({ log });
    const { container } = tab.show(<Tree />);
    const rows = () => [...container.querySelectorAll<HTMLElement>('[role=treeitem]')];
    return { tab, container, rows };
  };

  it('has only a few rows in the page, the newest among them', () => {
    const { rows } = show(LONG);
    expect(rows().length).toBeLessThanOrEqual(3 * PIECE);
    expect(rows().pop()!.textContent).toContain('ls 1250');
  });

  it('draws what comes into view at once, what is around it one piece with each frame', () => {
    const { rows } = show(LONG);
    const [watcher] = Watcher.all;
    const at = Math.floor(1_800 / PIECE);
    const [before, seen, after] = watcher.nodes.slice(at - 1, at + 2);
    const count = rows().length;
    Watcher.say([before, after], false, true);
    expect(rows()).toHaveLength(count);
    Watcher.say([seen], true, true);
    expect(rows()).toHaveLength(count + PIECE);
    expect(seen.querySelectorAll('[role=treeitem]')).toHaveLength(PIECE);
    Frames.pass();
    expect(rows()).toHaveLength(count + 2 * PIECE);
    Frames.pass();
    expect(rows()).toHaveLength(count + 3 * PIECE);
  });

  it('drops what was left behind, and keeps its height', () => {
    const { container, rows } = show(LONG);
    const piece = Watcher.all[0].nodes[Math.floor(1_800 / PIECE)] as HTMLElement;
    piece.getBoundingClientRect = () => ({ height: 900 }) as DOMRect;
    const count = rows().length;
    Watcher.say([piece], true, true);
    Watcher.say([piece], false, false);
    expect(rows()).toHaveLength(count + PIECE);
    // The first piece and the last one are drawn wherever the view is; their turns come before.
    Array.from({ length: 3 }, Frames.pass);
    expect(rows()).toHaveLength(count);
    expect(container.contains(piece)).toBe(true);
    expect(piece.style.height).toBe('900px');
  });

  it('is walked by keyboard across pieces that are not drawn', () => {
    const { rows } = show(LONG);
    fireEvent.keyDown(rows()[0], { key: 'End' });
    expect(document.activeElement?.textContent).toContain('ls 1250');
    fireEvent.keyDown(document.activeElement!, { key: 'Home' });
    expect(document.activeElement?.getAttribute('data-kind')).toBe('agent');
    for (let step = 0; step < PIECE + 1; step++) {
      fireEvent.keyDown(document.activeElement!, { key: 'ArrowDown' });
    }
    expect(document.activeElement?.getAttribute('data-index')).toBe(String(PIECE + 1));
  });

  it('grows at its end', () => {
    const { tab, rows } = show(LONG);
    const log = logOf([...LONG, ...turn(1_251)]);
    act(() => tab.actions.store.setState({ monitor: fold(tab.state().monitor!, log.slice(LONG.length)) }));
    expect(rows().pop()!.textContent).toContain('ls 1251');
  });
});
