/** Numbers for named objects, so that threads find them in shared memory. A freed number is used again as late as possible. */

export class SlotTable {
  readonly #byName = new Map<string, number>();
  readonly #free: number[] = [];
  #next = 0;

  constructor(readonly size: number, readonly what: string) {}

  /**
   * Gives every name its number: those known keep theirs, `fresh` is called with the numbers of the others.
   *
   * @throws {RangeError} when there are more names than numbers.
   */
  assign(names: readonly string[], fresh: (slot: number) => void): void {
    const wanted = new Set(names);
    for (const [name, slot] of this.#byName) {
      if (wanted.has(name)) continue;
      this.#byName.delete(name);
      this.#free.push(slot);
    }
    for (const name of wanted) {
      if (this.#byName.has(name)) continue;
      const slot = this.#next < this.size ? this.#next++ : this.#free.shift();
      if (slot === undefined) throw new RangeError(`Cannot serve ${wanted.size} ${this.what}: at most ${this.size}`);
      this.#byName.set(name, slot);
      fresh(slot);
    }
  }

  get slots(): ReadonlyMap<string, number> {
    return this.#byName;
  }
}
