/** What a nonce turns out to be. `full`: the memory is, so nobody can tell. */
export type Freshness = "fresh" | "repeated" | "full";

/** Nonces are forgotten in groups whose last one has run out; this long is what one group spans, milliseconds. */
const groupMs = 8_000;

/** How many times as much as is free one owner may hold: alone seven eighths of all. */
const mostOfFree = 7;

/** Nonces that run out together, and how many of them each owner holds. */
interface Group {
  readonly nonces: Set<string>;
  readonly held: Map<string, number>;
}

/**
 * Remembers the nonces of verified proofs for as long as they could be replayed to this isolate. Plain
 * data, bounded, and no storage: an attacker who can choose the isolate gets one replay in each, within
 * the half minute for which a proof is valid.
 *
 * When it is full of nonces that could still be replayed, it admits nobody rather than forget one: whoever
 * can fill it could otherwise replay at will. With the default limit and proofs of 30 s that takes more than
 * 1,900 signed requests a second, sustained; it then holds about 8 MB. Only verified proofs are
 * put in, so outsiders cannot fill it; and of those who can, each only as far as {@link mostOfFree} times what he leaves
 * to others, because an isolate refuses faster than that, and whom no rule lets in shall keep nobody out.
 */
export class ReplayWindow {
  readonly #limit: number;
  /** By the end of the group, milliseconds since the Unix epoch. At most nine at a time: a proof is valid for a minute. */
  readonly #groups = new Map<number, Group>();
  /** By owner. */
  readonly #held = new Map<string, number>();
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
   * @param owner to whom the sender belongs, for a fair share of the room; absent: he may take all of it
   */
  admit(sender: string, nonce: string, until: number, now: number, owner?: string): Freshness {
    const key = `${sender} ${nonce}`;
    for (const [end, group] of this.#groups) {
      if (end <= now) {
        this.#groups.delete(end);
        this.#forget(group);
      } else if (group.nonces.has(key)) return "repeated";
    }
    const free = this.#limit - this.#size;
    const held = owner === undefined ? 0 : (this.#held.get(owner) ?? 0);
    if (free <= 0 || held >= mostOfFree * free) return "full";
    const end = Math.ceil(until / groupMs) * groupMs;
    const known = this.#groups.get(end);
    const group = known ?? { nonces: new Set(), held: new Map() };
    if (known === undefined) this.#groups.set(end, group);
    group.nonces.add(key);
    this.#size++;
    if (owner !== undefined) {
      this.#held.set(owner, held + 1);
      group.held.set(owner, (group.held.get(owner) ?? 0) + 1);
    }
    return "fresh";
  }

  #forget({ nonces, held }: Group): void {
    this.#size -= nonces.size;
    for (const [owner, count] of held) {
      const left = (this.#held.get(owner) ?? 0) - count;
      if (left > 0) this.#held.set(owner, left);
      else this.#held.delete(owner);
    }
  }
}
