/**
 * When news is handed on: what comes after a pause with the next frame, a flood in batches.
 *
 * Each batch is drawn, and drawing takes most of a frame where nothing helps the processor. With frames left
 * free between two batches a flood costs no frame that somebody scrolls or drags in; a reader sees no difference.
 */

/** Between two batches of a flood, in milliseconds: six frames, as fast as a list can be read. */
export const BATCH_MS = 100;
/** A page that is not painted at all has no frames. */
const UNPAINTED_MS = 250;

/** Before the next paint, or soon when the page is not painted at all. */
function beforePaint(task: () => void): void {
  let done = false;
  const once = () => {
    if (!done) {
      done = true;
      task();
    }
  };
  requestAnimationFrame(once);
  setTimeout(once, UNPAINTED_MS);
}

/** Runs tasks before a paint, and none sooner than `BATCH_MS` after the last. */
export function inBatches(): (task: () => void) => void {
  let last = -Infinity;
  return task => {
    const run = () =>
      beforePaint(() => {
        last = performance.now();
        task();
      });
    const pause = last + BATCH_MS - performance.now();
    if (pause > 0) {
      setTimeout(run, pause);
    } else {
      run();
    }
  };
}
