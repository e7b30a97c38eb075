/**
 * A list that only grows: versions that share what they have in common, so that a new one copies nothing.
 */

/** What can be read from a list, an array or a log. */
export interface Listing<T> extends Iterable<T> {
  readonly length: number;
  at: (index: number) => T | undefined;
  find: (fits: (item: T) => boolean) => T | undefined;
  findIndex: (fits: (item: T) => boolean) => number;
  filter: (fits: (item: T) => boolean) => T[];
  slice: (from: number, to?: number) => T[];
}

export class Log<T> implements Listing<T> {
  /** `kept` may hold more than the `length` items of this version: those that a later one has added. */
  private constructor(
    private _kept: T[],
    readonly length: number
  ) {}

  static of<T>(items: readonly T[]): Log<T> {
    return new Log([...items], items.length);
  }

  /** The next version, with `more` at its end. This one stays as it is. */
  grown(more: readonly T[]): Log<T> {
    // Where another version has gone on from this one, they have nothing in common from here on.
    const newest = this.length > 0 && this._kept.length === this.length;
    const kept = newest ? this._kept : this.slice(0);
    for (const item of more) {
      kept.push(item);
    }
    return new Log(kept, kept.length);
  }

  at(index: number): T | undefined {
    const place = index < 0 ? index + this.length : index;
    return place < this.length ? this._kept[place] : undefined;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let index = 0; index < this.length; index++) {
      yield this._kept[index];
    }
  }

  find(fits: (item: T) => boolean): T | undefined {
    return this.at(this._place(fits));
  }

  findIndex(fits: (item: T) => boolean): number {
    const place = this._place(fits);
    return place < this.length ? place : -1;
  }

  filter(fits: (item: T) => boolean): T[] {
    const found: T[] = [];
    for (let index = 0; index < this.length; index++) {
      if (fits(this._kept[index])) {
        found.push(this._kept[index]);
      }
    }
    return found;
  }

  /** Both from the beginning: there is no counting from the end. */
  slice(from: number, to = this.length): T[] {
    return this._kept.slice(from, Math.min(to, this.length));
  }

  /** Where the first that fits stands; the length where there is none. */
  private _place(fits: (item: T) => boolean): number {
    let index = 0;
    while (index < this.length && !fits(this._kept[index])) {
      index++;
    }
    return index;
  }
}
