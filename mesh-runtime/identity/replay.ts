/** What a nonce turns out to be. `full`: the memory is, so nobody can tell. */
export type Freshness = "fresh" | "repeated" | "full";

/** Nonces are forgotten in groups whose last one has run out; this long is what one group spans, milliseconds. */
const groupMs = 8_000;

/**
 * Remembers the nonces of verified proofs for as long as they could be replayed to this isolate. Plain
 * data, bounded, and no storage: an attacker who can choose the isolate gets one replay in each, within
 * the half minute for which a proof is valid.
 *
 * When it is full of nonces that could still be replayed, it admits nobody rather than forget one: whoever
 * can fill it could otherwise replay at will. With the default limit and proofs of 30 s that takes more than
 * 1,800 signed requests a second, sustained, which is more than one isolate verifies (bench/README.md); it then holds
 * about 8 MB. Only verified proofs are
 * put in, so outsiders cannot fill it.
 */
export class ReplayWindow {
  readonly #limit: number;
  /** By the end of the group, milliseconds since the Unix epoch. At most nine at a time: a proof is valid for a minute. */
  readonly #groups = new Map<number, Set<string>>();
  #size = 0;

  /** @param limit most nonces kept @default {65_536} */
  constructor(limit = 65_536) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Takes note of a proof's nonce.
   *
   * @param sender thumbprint of the key that signed; nonces are unique to a sender only
   * @param until when the proof can no longer be accepted, milliseconds since the Unix epoch
   * @param now milliseconds since the Unix epoch
   */
  admit(sender: string, nonce: string, until: number, now: number): Freshness {
    const key = `${sender} ${nonce}`;
    for (const [end, group] of this.#groups) {
      if (end <= now) {
        this.#size -= group.size;
        this.#groups.delete(end);
      } else if (group.has(key)) return "repeated";
    }
    if (this.#size >= this.#limit) return "full";
    const end = Math.ceil(until / groupMs) * groupMs;
    const group = this.#groups.get(end);
    if (group === undefined) this.#groups.set(end, new Set([key]));
    else group.add(key);
    this.#size++;
    return "fresh";
  }
}
