/**
 * When news is handed on: what comes after a pause with the next frame, a flood in batches.
 *
 * Each batch is drawn, and drawing takes most of a frame where nothing helps the processor. With frames left
 * free between two batches a flood costs no frame that somebody scrolls or drags in; a reader sees no difference.
 */
import { beforePaint } from './frames';

/** Between two batches of a flood, in milliseconds: six frames, as fast as a list can be read. */
export const BATCH_MS = 100;

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
