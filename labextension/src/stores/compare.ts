/**
 * Two executions side by side: their steps aligned, the first difference, what they used. Pure.
 *
 * Steps are matched by what they are and what they were asked, in order (the longest common sequence);
 * what only one of them has stands alone. Times, costs and ids are never a difference of a step.
 */
import type { Monitor, Step } from './monitor';

export interface Line {
  id: string;
  depth: number;
  kind: Step['kind'];
  /** What it is: a tool, an agent, a turn's number. */
  title: string;
  /** What it was asked or said. */
  detail: string;
  /** What came back. */
  output: string;
  /** Tells what may stand beside it: steps of one kind, tool and agent. */
  sort: string;
}

export interface Pair {
  left: Line | null;
  right: Line | null;
  same: boolean;
}

function textOf(output: readonly { type: string }[]): string {
  return output
    .map(part => {
      const { text, path } = part as { text?: string; path?: string | null };
      return text ?? path ?? part.type;
    })
    .join('\n');
}

function lineOf(step: Step, depth: number): Line {
  const line = (title: string, detail: string, output = ''): Line => ({
    id: step.id,
    depth,
    kind: step.kind,
    title,
    detail,
    output,
    sort: `${depth}:${step.kind}:${title}`
  });
  switch (step.kind) {
    case 'agent':
      return line(step.name, step.prompt);
    case 'turn':
      return line(String(step.number), '');
    case 'thinking':
    case 'text':
      return line('', step.content);
    case 'tool':
      return line(step.tool, JSON.stringify(step.input), textOf(step.output));
    case 'hook':
      return line(step.hook, [step.on, step.outcome, step.message].join(' · '));
    case 'warning':
      return line(step.code, step.message);
  }
}

/** The steps of an execution in reading order. */
export function linesOf(monitor: Monitor): Line[] {
  const lines: Line[] = [];
  const visit = (id: string, depth: number): void => {
    const step = monitor.steps.get(id);
    if (step) {
      lines.push(lineOf(step, depth));
      step.children.forEach(child => visit(child, step.kind === 'turn' ? depth : depth + 1));
    }
  };
  monitor.roots.forEach(id => visit(id, 0));
  return lines;
}

function equal(a: Line, b: Line): boolean {
  return a.sort === b.sort && a.detail === b.detail && a.output === b.output;
}

/** Longest runs are compared as a table of at most so many cells; what is beyond is paired by place. */
const MOST_CELLS = 4_000_000;

/** Indices of matched lines: the longest common sequence by `sort`, equal lines preferred. */
function matches(left: readonly Line[], right: readonly Line[]): [number, number][] {
  const [rows, columns] = [left.length, right.length];
  if (rows * columns > MOST_CELLS) {
    const both = Math.min(rows, columns);
    return Array.from({ length: both }, (_, i): [number, number] => [i, i]).filter(
      ([i]) => left[i].sort === right[i].sort
    );
  }
  const width = columns + 1;
  const best = new Uint32Array((rows + 1) * width);
  const worth = (i: number, j: number) =>
    equal(left[i], right[j]) ? 3 : left[i].sort === right[j].sort ? 2 : 0;
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      const gain = worth(i, j);
      const skip = Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
      best[i * width + j] = gain ? Math.max(skip, gain + best[(i + 1) * width + j + 1]) : skip;
    }
  }
  const found: [number, number][] = [];
  for (let i = 0, j = 0; i < rows && j < columns;) {
    const gain = worth(i, j);
    if (gain && best[i * width + j] === gain + best[(i + 1) * width + j + 1]) {
      found.push([i++, j++]);
    } else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) {
      i++;
    } else {
      j++;
    }
  }
  return found;
}

/** Both lists beside each other, and the place of the first pair that is not the same (-1: none). */
export function aligned(left: readonly Line[], right: readonly Line[]): { pairs: Pair[]; first: number } {
  const pairs: Pair[] = [];
  let [i, j] = [0, 0];
  const alone = (until: [number, number]) => {
    while (i < until[0]) {
      pairs.push({ left: left[i++], right: null, same: false });
    }
    while (j < until[1]) {
      pairs.push({ left: null, right: right[j++], same: false });
    }
  };
  for (const [a, b] of matches(left, right)) {
    alone([a, b]);
    pairs.push({ left: left[i], right: right[j], same: equal(left[i++], right[j++]) });
  }
  alone([left.length, right.length]);
  return { pairs, first: pairs.findIndex(pair => !pair.same) };
}

export interface Difference {
  left: number | null;
  right: number | null;
}

/** What both have used, each beside the other. */
export function differences(
  left: Monitor,
  right: Monitor
): { cost: Difference; tokens: Difference; duration: Difference; turns: Difference } {
  const both = (read: (monitor: Monitor) => number | null): Difference => ({
    left: read(left),
    right: read(right)
  });
  return {
    cost: both(each => each.totalCostUsd),
    tokens: both(each => each.tokens),
    duration: both(each => each.durationMs),
    turns: both(each => each.turns)
  };
}
