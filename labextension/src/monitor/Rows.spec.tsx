import { act, fireEvent } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Sketch } from '../testing/events';
import { AGENT, call, cost, logOf, result, START } from '../testing/events';
import { fold } from '../stores/fold';
import { openTab } from '../testing/tab';
import { PIECE } from './Rows';
import { Tree } from './Tree';

/** Tells pieces whether they are in view, as a browser would. */
class Watcher {
  static all: Watcher[] = [];
  node: Element | null = null;

  constructor(private tell: IntersectionObserverCallback) {
    Watcher.all.push(this);
  }

  observe(node: Element) {
    this.node = node;
  }

  disconnect() {
    this.node = null;
  }

  see(isIntersecting: boolean) {
    const boundingClientRect = { height: 900 };
    const entry = { isIntersecting, boundingClientRect } as IntersectionObserverEntry;
    act(() => this.tell([entry], this as unknown as IntersectionObserver));
  }
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

  it('draws a piece that comes into view, and keeps its height when it leaves', () => {
    const { container, rows } = show(LONG);
    expect(rows().some(row => row.textContent?.includes('ls 600'))).toBe(false);
    const piece = Watcher.all[Math.floor(1_800 / PIECE)];
    piece.see(true);
    expect(rows().some(row => row.textContent?.includes('ls 600'))).toBe(true);
    piece.see(false);
    expect(rows().some(row => row.textContent?.includes('ls 600'))).toBe(false);
    expect(container.contains(piece.node)).toBe(true);
    expect((piece.node as HTMLElement).style.height).toBe('900px');
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
