/** Ids remembered in each of two generations. */
const most = 2_000;

/** Remembers which reports have been counted, so that a second delivery counts once. Bounded, in memory. */
export class ReportIds {
  #now = new Set<string>();
  #before = new Set<string>();

  /** Whether this id comes for the first time, as far as is remembered. */
  first(id: string): boolean {
    if (this.#now.has(id) || this.#before.has(id)) return false;
    if (this.#now.size >= most) {
      this.#before = this.#now;
      this.#now = new Set();
    }
    this.#now.add(id);
    return true;
  }
}
