/**
 * What is drawn with which frame: news first, and in the frames between one part of the page with each.
 *
 * A batch of events changes rows, figures, timeline and cards. Drawn together they take longer than a frame where
 * nothing helps the processor, and whoever scrolls or drags meanwhile feels it. In turns each has a frame of its
 * own. A view is always drawn whole, from the state there is by then: none shows half of a batch.
 */

/** Parts of the page that take turns. */
export type Part = 'rows' | 'figures' | 'timeline' | 'canvas';

type Task = () => void;

/** A page that is not painted at all has no frames. */
const UNPAINTED_MS = 250;

let news: Task[] = [];
const turns = new Map<Part, Set<Task>>();
let asked = false;

/** Run `task` before the next paint, or soon when the page is not painted at all. */
export function beforePaint(task: Task): void {
  news.push(task);
  askForFrame();
}

/** Run `task` with all of its part, before a paint that shows no news; returns the way to call it off. */
export function inTurn(part: Part, task: Task): () => void {
  const tasks = turns.get(part) ?? new Set();
  turns.set(part, tasks.add(task));
  askForFrame();
  return () => void tasks.delete(task);
}

function askForFrame(): void {
  if (!asked) {
    asked = true;
    const frame = requestAnimationFrame(() => {
      clearTimeout(timer);
      draw();
    });
    const timer = setTimeout(() => {
      cancelAnimationFrame(frame);
      draw();
    }, UNPAINTED_MS);
  }
}

/** News, or whoever has waited longest. Who fails keeps nothing from the others, and is heard of all the same. */
function draw(): void {
  asked = false;
  const tasks = news.length ? news : nextTurn();
  news = [];
  if (turns.size) {
    askForFrame();
  }
  for (const task of tasks) {
    try {
      task();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

function nextTurn(): Iterable<Task> {
  for (const [part, tasks] of turns) {
    turns.delete(part);
    if (tasks.size) {
      return tasks;
    }
  }
  return [];
}
