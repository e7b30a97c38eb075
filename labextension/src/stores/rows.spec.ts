import { describe, expect, it } from 'vitest';

import { logOf, WHOLE_RUN } from '../testing/events';
import { fold } from './fold';
import { emptyMonitor } from './monitor';
import { rowsOf } from './rows';

const monitor = fold(emptyMonitor('e1'), logOf(WHOLE_RUN));

describe('rows of the monitor', () => {
  it('show a delegation as one row with the subagent’s steps inside', () => {
    const rows = rowsOf(monitor, new Set());
    const at = rows.findIndex(row => row.step.id === 'main/2/c2');
    expect(rows[at].delegate?.name).toBe('Statistician');
    expect(rows[at + 1].step.id).toBe('main/2/c2/statistician#1/1');
    expect(rows.some(row => row.step.id === 'main/2/c2/statistician#1')).toBe(false);
  });

  it('leave out a last text that the result repeats', () => {
    expect(
      rowsOf(monitor, new Set()).some(row => row.step.kind === 'text' && row.step.parent === 'main/3')
    ).toBe(false);
    const open = fold(emptyMonitor('e1'), logOf(WHOLE_RUN.slice(0, -1)));
    expect(
      rowsOf(open, new Set()).some(row => row.step.kind === 'text' && row.step.parent === 'main/3')
    ).toBe(true);
  });

  it('fold and open what the reader toggled', () => {
    expect(rowsOf(monitor, new Set(['main']))).toHaveLength(1);
    const tool = rowsOf(monitor, new Set(['main/1/c1'])).find(row => row.step.id === 'main/1/c1');
    expect(tool).toMatchObject({ expandable: true, open: true });
  });

  it('give a turn no depth of its own', () => {
    const depth = Object.fromEntries(rowsOf(monitor, new Set()).map(row => [row.step.id, row.depth]));
    expect(depth['main/1']).toBe(1);
    expect(depth['main/1/c1']).toBe(1);
    expect(depth['main/2/c2/statistician#1/1']).toBe(2);
  });
});
