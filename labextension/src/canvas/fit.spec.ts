import { describe, expect, it } from 'vitest';

import type { Box } from './fit';
import { allSeen, READABLE, roomOf, viewFor } from './fit';

const AGENT: Box = { id: 'agent', note: false, x: 0, y: 0, width: 264, height: 156 };
const SUBAGENT: Box = { id: 'subagent:a', note: false, x: 380, y: 20, width: 240, height: 116 };
const NOTE: Box = { id: 'note:how', note: true, x: 0, y: 230, width: 300, height: 255 };
/** Where zoom controls and run pill float. */
const FLOATING_PX = 56;

describe('the view that nobody has moved', () => {
  it.each([
    [901, 629],
    [901, 399],
    [598, 399],
    [540, 420]
  ])('of %i × %i pixels shows cards and note, readable, above what floats', (width, height) => {
    const boxes = [AGENT, SUBAGENT, NOTE];
    const view = viewFor(boxes, { width, height });
    expect(view.zoom).toBeGreaterThanOrEqual(READABLE);
    expect(view.zoom).toBeLessThanOrEqual(1);
    // What floats at the upper left corner is beside the cards, not over them.
    expect(view.x).toBeGreaterThanOrEqual(roomOf(width) === 'narrow' ? 48 : 64);
    expect(allSeen(boxes, { width, height: height - FLOATING_PX }, view)).toBe(true);
  });

  it('leaves the note out when it would make the cards unreadable', () => {
    const size = { width: 598, height: 260 };
    const view = viewFor([AGENT, SUBAGENT, NOTE], size);
    expect(view.zoom).toBeGreaterThan(0.8);
    expect(allSeen([AGENT, SUBAGENT], size, view)).toBe(true);
    expect(allSeen([AGENT, SUBAGENT, NOTE], size, view)).toBe(false);
  });

  it('goes as far away as thirty cards need', () => {
    const many = Array.from({ length: 30 }, (_, index) => ({
      ...SUBAGENT,
      id: `subagent:${index}`,
      x: 340 + 280 * Math.floor(index / 6),
      y: 160 * (index % 6)
    }));
    const size = { width: 901, height: 399 };
    expect(allSeen([AGENT, ...many], size, viewFor([AGENT, ...many], size))).toBe(true);
  });
});
