/**
 * Room for the bodies of one isolate that are read before anybody has judged whether their sender may call: a body
 * under a digest is compared first, and whoever is known could otherwise fill the isolate's memory with uploads that
 * never end, allowed or not. No sender gets more than half of it, so that one cannot shut out all others.
 */
export class BodyRoom {
  readonly #limitBytes: number;
  readonly #held = new Map<string, number>();
  #total = 0;

  /** @param limitBytes of all bodies together @default 32 MiB, a quarter of an isolate's memory */
  constructor(limitBytes = 32 * 1_024 * 1_024) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes that are held at present. */
  get held(): number {
    return this.#total;
  }

  /**
   * A place for one body.
   * @param sender who shares half of the room among all that he sends
   */
  place(sender: string): BodyPlace {
    let own = 0;
    return {
      take: (bytes) => {
        const theirs = (this.#held.get(sender) ?? 0) + bytes;
        if (this.#total + bytes > this.#limitBytes || theirs > this.#limitBytes / 2) return false;
        own += bytes;
        this.#total += bytes;
        this.#held.set(sender, theirs);
        return true;
      },
      leave: () => {
        const left = (this.#held.get(sender) ?? 0) - own;
        this.#total -= own;
        own = 0;
        if (left > 0) this.#held.set(sender, left);
        else this.#held.delete(sender);
      },
    };
  }
}

export interface BodyPlace {
  /** Takes in so many bytes more; false where there is no room for them. */
  take(bytes: number): boolean;
  /** Gives all of it back. */
  leave(): void;
}
