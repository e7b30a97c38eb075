/**
 * Keeps what is known of executions fresh while no panel is open: for the status bar and notifications.
 *
 * A look now and then; the event stream only while something goes on. A hidden page asks nothing.
 */
import { hasEnded } from './types';
import type { LiveExecutions } from './live';

/** Between two looks while nothing goes on, in milliseconds. */
const PAUSE_MS = 30_000;

export class Vigil {
  constructor(private _live: LiveExecutions) {
    _live.observe(() => this._weigh());
    document.addEventListener('visibilitychange', () => !document.hidden && this._look());
    this._look();
  }

  private _look(): void {
    clearTimeout(this._timer);
    // A server that does not answer is shown by Lab itself; the next look comes anyway.
    const next = () => {
      this._timer = setTimeout(() => this._look(), PAUSE_MS);
    };
    if (document.hidden || this._unsubscribe) {
      next();
    } else {
      this._live.refresh().then(next, next);
    }
  }

  /** Hold the stream open exactly while something goes on. */
  private _weigh(): void {
    const active = this._live.states.some(state => !hasEnded(state.status) && state.status !== 'interrupted');
    if (active && !this._unsubscribe) {
      // What a subscription tells is told to observers too.
      this._unsubscribe = this._live.subscribe(() => undefined);
    } else if (!active && this._unsubscribe) {
      const unsubscribe = this._unsubscribe;
      this._unsubscribe = null;
      unsubscribe();
    }
  }

  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _unsubscribe: (() => void) | null = null;
}
