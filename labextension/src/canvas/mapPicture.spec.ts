import { describe, expect, it } from 'vitest';

import { boxesOf, frameOf } from './mapPicture';

const SIZE = { width: 130, height: 84 };

describe('the minimap', () => {
  it('shows all cards and all that is seen, in the middle', () => {
    const seen = { x: 0, y: 0, width: 1000, height: 500 };
    const far = { x: 3000, y: -200, width: 240, height: 110 };
    const { x, y, scale } = frameOf([far], seen, SIZE);
    const inside = (at: { x: number; y: number; width: number; height: number }) => [
      (at.x - x) * scale,
      (at.y - y) * scale,
      SIZE.width - (at.x + at.width - x) * scale,
      SIZE.height - (at.y + at.height - y) * scale
    ];
    expect(Math.min(...inside(seen), ...inside(far))).toBeGreaterThan(0);
    // As large as it goes: the wider side reaches both margins alike.
    expect(inside(seen)[0]).toBeCloseTo(inside(far)[2]);
    expect(inside(seen)[0]).toBeLessThan(10);
  });

  it('marks the agent, notes, and what runs', () => {
    const node = (id: string, type: string) => ({ id, type, position: { x: 0, y: 0 }, data: {} });
    const nodes = [
      node('agent', 'agent'),
      node('note:n', 'note'),
      node('hook:h', 'hook'),
      node('mcp:m', 'mcp')
    ];
    expect(boxesOf(nodes, new Set(['mcp:m'])).map(box => box.look)).toEqual(['agent', 'note', 'card', 'lit']);
  });
});
