import { act, fireEvent, screen } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import type { OutputPart } from '../api/types';
import { openTab } from '../testing/tab';
import { Output } from './Output';

describe('a tall output', () => {
  afterEach(() => vi.unstubAllGlobals());

  /** Shows `parts` where everything is as tall as told; gives the way to make it another height. */
  function shown(parts: OutputPart[]) {
    let height = 0;
    const observers: (() => void)[] = [];
    vi.stubGlobal(
      'ResizeObserver',
      class {
        constructor(tell: () => void) {
          observers.push(tell);
        }
        observe() {}
        disconnect() {}
      }
    );
    Object.defineProperty(HTMLElement.prototype, 'offsetHeight', { configurable: true, get: () => height });
    const { container } = openTab().show(<Output output={parts} />);
    const grow = (to: number) =>
      act(() => {
        height = to;
        observers.forEach(tell => tell());
      });
    return { folded: () => container.querySelector('[data-folded]') !== null, grow };
  }

  const table: OutputPart = {
    type: 'display',
    data: { 'text/html': '<table><tr><td><a href="report.md">1</a></td></tr></table>' },
    metadata: {}
  } as OutputPart;

  it('folds once it is taller than a screenful, and opens on demand', () => {
    const { folded, grow } = shown([table]);
    grow(380);
    expect(folded()).toBe(false);
    expect(screen.queryByRole('button')).toBeNull();
    grow(2_000);
    expect(folded()).toBe(true);
    const button = screen.getByRole('button', { name: 'Show all', expanded: false });
    fireEvent.click(button);
    expect(folded()).toBe(false);
    fireEvent.click(screen.getByRole('button', { name: 'Show less', expanded: true }));
    expect(folded()).toBe(true);
  });

  it('opens for the focus: nobody is led to something that is cut off', () => {
    const { folded, grow } = shown([table]);
    grow(2_000);
    fireEvent.focusIn(screen.getByTestId('rendered'));
    expect(folded()).toBe(false);
  });
});
