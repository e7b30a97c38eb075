/**
 * Lists that are worked out of steps, section by section: of a long execution that goes on nearly all is as it
 * was, and is neither worked out again nor garbage a moment later.
 */
import type { Step } from './monitor';
import type { Steps } from './steps';

export type Read = (id: string) => Step | undefined;

interface Section<T> {
  made: readonly T[];
  /** What it was made from: steps as they were, and a number. */
  read: readonly Step[];
  given: number;
}

export class Sections<T> {
  /** From here on, all that is kept was made with `setting`: with another one, nothing is kept. */
  under(setting: readonly unknown[]): void {
    if (setting.some((each, at) => each !== this._setting[at])) {
      this._known.clear();
    }
    this._setting = setting;
  }

  /** What was made for `id`, if all that it was made from is the same. */
  find(id: string, steps: Steps, given: number): readonly T[] | null {
    const known = this._known.get(id);
    if (!known || known.given !== given) {
      return null;
    }
    for (let at = 0; at < known.read.length; at++) {
      if (steps.get(known.read[at].id) !== known.read[at]) {
        return null;
      }
    }
    return known.made;
  }

  /** Keep what `make` gives for `id`. */
  make(id: string, steps: Steps, given: number, make: (read: Read) => T[]): readonly T[] {
    const read: Step[] = [];
    const made = make(each => {
      const step = steps.get(each);
      if (step) {
        read.push(step);
      }
      return step;
    });
    this._known.set(id, { made, read, given });
    return made;
  }

  private _known = new Map<string, Section<T>>();
  private _setting: readonly unknown[] = [];
}

/** Put `more` at the end of `all`. */
export function append<T>(all: T[], more: readonly T[]): void {
  for (let at = 0; at < more.length; at++) {
    all.push(more[at]);
  }
}
