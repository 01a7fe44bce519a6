/** Tokens that this isolate has not seen to be valid and that it asks the object about, in one second. */
const strangersPerSecond = 20;
/** Valid tokens that are remembered; there are at most 200 at a time. */
const maxKnown = 1_000;

/**
 * Keeps those who only try from the object that keeps the tokens, which also writes all policy: anybody can make up
 * texts of a token's form. Tokens that were valid here before always pass, so that a flood of others does not lock their
 * holders out of an isolate that knows them. Plain data of one isolate.
 */
export class StrangerLimit {
  /** Hashes: nobody who does not hold the token can bring one. */
  readonly #known = new Set<string>();
  #second = 0;
  #strangers = 0;

  /**
   * Whether the object may be asked about this token.
   * @param hash of the whole token
   * @param now milliseconds since the Unix epoch
   */
  admits(hash: string, now: number): boolean {
    if (this.#known.has(hash)) return true;
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#strangers = 0;
    }
    this.#strangers += 1;
    return this.#strangers <= strangersPerSecond;
  }

  /** The object has said that this token is valid. That it still is, the object says anew each time. */
  remember(hash: string): void {
    if (this.#known.size >= maxKnown) this.#known.clear();
    this.#known.add(hash);
  }

  /** It is not valid any longer. */
  forget(hash: string): void {
    this.#known.delete(hash);
  }
}
