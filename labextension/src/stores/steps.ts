/**
 * The steps of an execution by their ids: versions that share all that has not changed.
 *
 * An execution that goes on has a new version with every batch of events. A copy of a map of all steps for each
 * would be garbage that grows with the square of the log; here a batch copies the few pieces in which it changed
 * something. A version never changes: which places belong to it says its length. Not here: what a step is
 * (`monitor.ts`), and what events make of it (`fold.ts`).
 */
import type { Step } from './monitor';

/** Steps in a piece, as a power of two. */
const BITS = 6;
const PIECE = 1 << BITS;

/** Null where a step was taken away. */
type Piece = (Step | null)[];

function* stepsIn(pieces: readonly Piece[]): IterableIterator<Step> {
  for (const piece of pieces) {
    for (const step of piece) {
      if (step) {
        yield step;
      }
    }
  }
}

export class Steps {
  /**
   * `places`: of each id, in order of appearance; shared by all versions of one log, of which the newest adds to
   * it. `length`: places that belong to this version.
   */
  constructor(
    private _places: Map<string, number> = new Map(),
    private _pieces: readonly Piece[] = [],
    private _length = 0,
    readonly size = 0
  ) {}

  get(id: string): Step | undefined {
    const place = this._places.get(id);
    return place === undefined || place >= this._length
      ? undefined
      : (this._pieces[place >> BITS][place & (PIECE - 1)] ?? undefined);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  /** In order of appearance. */
  values(): IterableIterator<Step> {
    return stepsIn(this._pieces);
  }

  /** The same without an iterator: whoever looks through all of them many times a second makes no garbage. */
  each(visit: (step: Step) => void): void {
    for (const piece of this._pieces) {
      for (const step of piece) {
        if (step) {
          visit(step);
        }
      }
    }
  }

  /** The next version, to be written to. */
  edit(): StepsDraft {
    return new StepsDraft(this._places, this._pieces, this._length, this.size);
  }
}

/** A version that is being made: nobody else knows it until it is `done`. */
export class StepsDraft {
  constructor(
    private _places: Map<string, number>,
    private _before: readonly Piece[],
    private _length: number,
    private _size: number
  ) {
    this._pieces = [..._before];
  }

  get(id: string): Step | undefined {
    const place = this._placeOf(id);
    return place === null ? undefined : (this._pieces[place >> BITS][place & (PIECE - 1)] ?? undefined);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  values(): IterableIterator<Step> {
    return stepsIn(this._pieces);
  }

  set(id: string, step: Step): void {
    const place = this._placeOf(id) ?? this._newPlace(id);
    const piece = this._own(place >> BITS);
    this._size += piece[place & (PIECE - 1)] ? 0 : 1;
    piece[place & (PIECE - 1)] = step;
  }

  delete(id: string): void {
    const place = this._placeOf(id);
    if (place !== null && this.has(id)) {
      this._own(place >> BITS)[place & (PIECE - 1)] = null;
      this._size--;
    }
  }

  /** Put `child` under the step `id`: its list of children is copied once, however many come. */
  grow(id: string, child: string): void {
    const step = this.get(id);
    if (step && this._grown.has(step.children)) {
      step.children.push(child);
    } else if (step) {
      const children = [...step.children, child];
      this._grown.add(children);
      this.set(id, { ...step, children });
    }
  }

  done(): Steps {
    return new Steps(this._places, this._pieces, this._length, this._size);
  }

  private _placeOf(id: string): number | null {
    const place = this._places.get(id);
    return place === undefined || place >= this._length ? null : place;
  }

  private _newPlace(id: string): number {
    if (this._places.size !== this._length) {
      // Another version has gone on from the same one: from here on they have nothing in common.
      this._places = new Map([...this._places].slice(0, this._length));
    }
    this._places.set(id, this._length);
    return this._length++;
  }

  /** A piece that may be written to. */
  private _own(at: number): Piece {
    if (this._pieces[at] === this._before[at]) {
      this._pieces[at] = this._pieces[at] ? [...this._pieces[at]] : [];
    }
    return this._pieces[at];
  }

  private _pieces: Piece[];
  /** Lists of children that were made here. */
  private _grown = new Set<string[]>();
}
