import { blockBytes, KeptBytes } from "../foundation/kept-bytes.ts";
import { longestProofMs } from "./wimse-profile.ts";

/**
 * Room for the bodies of one isolate that are read before anybody has judged whether their sender may call: a body
 * under a digest is compared first, and whoever is known could otherwise fill the isolate's memory with uploads that
 * never end, allowed or not. No sender gets more than half of it, nor more than twice of what is then left to others:
 * neither one nor several shut out everybody else.
 *
 * A place is a lease. workerd tears down a request that its caller calls off, and runs none of its lines any more
 * (measured; not a `finally` either): what it had taken would never be given back. So a place is held for as long as
 * the proof is valid, because with a body that comes later nobody is let in. After that its bytes, which are plain data,
 * are dropped by the first who wants the room.
 */
export class BodyRoom {
  readonly #limitBytes: number;
  readonly #senders = new Map<string, Sender>();
  #total = 0;
  /** When the first lease ends, as far as is known; milliseconds since the Unix epoch. */
  #soonest = Number.POSITIVE_INFINITY;

  /** @param limitBytes of all bodies together @default 33 MiB, a quarter of an isolate's memory */
  constructor(limitBytes = 2 * largestBody + 1_024 * 1_024) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes that are held at present, each body with the block that it may need beyond its own. */
  get held(): number {
    return this.#total;
  }

  /**
   * A place for one body.
   * @param name whose body; all of a sender's bodies share his part
   * @param until when nobody waits for it any more, milliseconds since the Unix epoch
   */
  place(name: string, until: number): BodyPlace {
    const lease: Lease = { name, until, kept: new KeptBytes(), bytes: 0, isLost: false };
    return {
      kept: lease.kept,
      take: (bytes, now) => this.#take(lease, bytes, now),
      leave: () => this.#release(lease),
    };
  }

  #take(lease: Lease, bytes: number, now: number): boolean {
    if (lease.isLost) return false;
    const more = lease.bytes === 0 ? bytes + blockBytes : bytes;
    if (!this.#fits(lease.name, more)) this.#sweep(now);
    // Its own time may have been over.
    if (lease.isLost || !this.#fits(lease.name, more)) return false;
    const sender = this.#senders.get(lease.name) ?? { bytes: 0, leases: new Set() };
    sender.bytes += more;
    this.#senders.set(lease.name, sender);
    sender.leases.add(lease);
    lease.bytes += more;
    this.#total += more;
    this.#soonest = Math.min(this.#soonest, lease.until);
    return true;
  }

  #fits(name: string, bytes: number): boolean {
    const theirs = (this.#senders.get(name)?.bytes ?? 0) + bytes;
    const left = this.#limitBytes - this.#total - bytes;
    return theirs <= this.#limitBytes / 2 && theirs <= 2 * left;
  }

  /** Takes their places from those whose time is over. */
  #sweep(now: number): void {
    // Whoever is refused again and again shall not have all leases looked through each time.
    if (isLive(this.#soonest, now)) return;
    this.#soonest = Number.POSITIVE_INFINITY;
    for (const { leases } of this.#senders.values()) {
      for (const lease of leases) {
        if (isLive(lease.until, now)) this.#soonest = Math.min(this.#soonest, lease.until);
        else {
          lease.isLost = true;
          lease.kept.drop(Number.POSITIVE_INFINITY);
          this.#release(lease);
        }
      }
    }
  }

  #release(lease: Lease): void {
    const sender = this.#senders.get(lease.name);
    if (sender?.leases.delete(lease) !== true) return;
    sender.bytes -= lease.bytes;
    this.#total -= lease.bytes;
    lease.bytes = 0;
    if (sender.leases.size === 0) this.#senders.delete(lease.name);
  }
}

/** The largest body that one sender has room for, bytes: no policy has larger ones compared. */
export const largestBody = 16 * 1_024 * 1_024;

interface Sender {
  bytes: number;
  readonly leases: Set<Lease>;
}

interface Lease {
  readonly name: string;
  readonly until: number;
  readonly kept: KeptBytes;
  bytes: number;
  isLost: boolean;
}

/** A lease that ends later than any that is given now was given before the clock was set back. */
const isLive = (until: number, now: number): boolean => now < until && until - now <= longestProofMs;

export interface BodyPlace {
  /** Where what is read is kept; dropped when the place is lost. */
  readonly kept: KeptBytes;
  /** Takes in so many bytes more; false where there is no room for them, and once the place is lost. */
  take(bytes: number, now: number): boolean;
  /** Gives all of it back. */
  leave(): void;
}
