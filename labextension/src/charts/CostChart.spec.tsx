import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import type { CostPoint } from '../stores/costs';
import { CostChart } from './CostChart';

const WORDS = { total: 'all', cap: 'cap $1.00', warn: '80 %', label: 'Cost over time' };
const AGENTS = [
  { id: 'main', name: 'Analyst' },
  { id: 'clerk', name: 'Clerk' }
];

function points(last: number): CostPoint[] {
  return [0, last / 2, last].map((total, at) => ({
    at: at * 1_000,
    total,
    agents: { main: total * 0.75, clerk: total * 0.25 }
  }));
}

// Charts take a while to draw where nothing draws them.
const PATIENT = { timeout: 10_000 };

afterEach(() => vi.restoreAllMocks());

function draw(last: number) {
  // There is no layout here: a plot of this size, and below it a line for the legend.
  vi.spyOn(HTMLElement.prototype, 'getBoundingClientRect').mockImplementation(function (this: HTMLElement) {
    const height = this.className.includes('legend') ? 20 : 200;
    return { width: 600, height, top: 0, left: 0, right: 600, bottom: height, x: 0, y: 0 } as DOMRect;
  });
  const { container } = render(<CostChart points={points(last)} agents={AGENTS} cap={1} words={WORDS} />);
  return {
    lines: () => container.querySelectorAll('.recharts-line').length,
    marks: () => [...container.querySelectorAll('.recharts-label')].map(each => each.textContent)
  };
}

describe('money over time', () => {
  it('is a line for each agent and one for all, and near the cap stands under it and its 80 %', async () => {
    const { lines, marks } = draw(0.5);
    await waitFor(() => expect(lines()).toBe(3), PATIENT);
    await waitFor(() => expect(marks()).toEqual(['cap $1.00', '80 %']), PATIENT);
  });

  it('has a cap that is far away on wish alone: it would press all else flat', async () => {
    const { lines, marks } = draw(0.02);
    await waitFor(() => expect(lines()).toBe(3), PATIENT);
    expect(marks()).toEqual([]);
    const box = screen.getByRole('checkbox', { name: 'cap $1.00 · 80 % $0.80' });
    fireEvent.click(box);
    await waitFor(() => expect(marks()).toEqual(['cap $1.00', '80 %']), PATIENT);
  });
});
