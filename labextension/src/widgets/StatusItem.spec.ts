import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it, vi } from 'vitest';

import { StatusItem } from './StatusItem';

describe('the item in the status bar', () => {
  it('counts what runs and waits, says what today has cost, and is gone while there is nothing to say', () => {
    const open = vi.fn();
    const item = new StatusItem(nullTranslator.load('cloutagent'), open);
    const came = vi.fn();
    item.activeChanged.connect(came);
    expect(item.isActive).toBe(false);
    item.tell({ running: 2, waiting: 1, costUsd: 1.234 });
    expect(item.node.textContent).toBe('2 agents running · 1 agent waits for you · today $1.23');
    expect(item.isActive).toBe(true);
    item.tell({ running: 0, waiting: 0, costUsd: 1.234 });
    expect(item.node.textContent).toBe('today $1.23');
    expect(came).toHaveBeenCalledTimes(1);
    item.node.querySelector('button')!.click();
    expect(open).toHaveBeenCalledTimes(1);
    item.tell({ running: 0, waiting: 0, costUsd: null });
    expect(item.isActive).toBe(false);
    expect(came).toHaveBeenCalledTimes(2);
  });
});
