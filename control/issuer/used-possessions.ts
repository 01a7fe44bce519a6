/** How long a proof of possession is remembered: it is valid for a minute before and after its time, milliseconds. */
const rememberedMs = 120_000;

/**
 * Which proofs of possession have been used, for as long as they could be used again. In memory only: one that comes
 * again after a restart yields a token for the key that made it, of no use to another.
 */
export class UsedPossessions {
  readonly #limit: number;
  /** By `jti`: until when it is remembered, milliseconds since the Unix epoch; in the order in which they came. */
  readonly #used = new Map<string, number>();

  /** @param limit most that are remembered; when there are as many, none is taken @default {100_000} */
  constructor(limit = 100_000) {
    this.#limit = limit;
  }

  /** Uses a proof: whether this is the first time. When too many are remembered, it is nobody's first. */
  take(jti: string, now: number): boolean {
    for (const [old, until] of this.#used) {
      if (until > now) break;
      this.#used.delete(old);
    }
    if (this.#used.has(jti) || this.#used.size >= this.#limit) return false;
    this.#used.set(jti, now + rememberedMs);
    return true;
  }
}
