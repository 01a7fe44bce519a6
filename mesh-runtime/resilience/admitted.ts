import type { Answer } from "../foundation/exchange.ts";
import { layer } from "../foundation/layer.ts";
import type { Clock } from "../foundation/ports.ts";
import { no } from "../foundation/result.ts";

/** How long a slot is held at most, milliseconds: a cancelled request can be torn down without giving it back. */
export const slotLeaseMs = 60_000;

/** When a refused caller may come again, milliseconds: slots come free at the pace of requests. */
const retryAfterMs = 1_000;

/** A place among the requests under way. */
export interface Slot {
  readonly key: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/**
 * The requests under way in this isolate, by key. Plain data: a slot is a lease, so that a request which
 * the platform ended without running its last line blocks nobody for longer than {@link slotLeaseMs}.
 */
export class InFlight {
  readonly #held = new Map<string, Set<Slot>>();

  /** Takes a slot, or answers `undefined` when the limit is reached. Expired slots are swept only then. */
  enter(key: string, limit: number, now: number): Slot | undefined {
    const held = this.#held.get(key) ?? new Set();
    if (held.size >= limit) {
      for (const slot of held) if (!live(slot, now)) held.delete(slot);
      if (held.size >= limit) return undefined;
    }
    const slot: Slot = { key, expiresAt: now + slotLeaseMs };
    this.#held.set(key, held.add(slot));
    return slot;
  }

  /** Gives a slot back; giving back one that was swept changes nothing. */
  leave(slot: Slot): void {
    const held = this.#held.get(slot.key);
    held?.delete(slot);
    if (held?.size === 0) this.#held.delete(slot.key);
  }

  /** For how many keys slots are taken. */
  get size(): number {
    return this.#held.size;
  }

  /** How many slots are taken for this key, expired ones included. */
  count(key: string): number {
    return this.#held.get(key)?.size ?? 0;
  }
}

/** A lease that ends later than any given now can was given before the clock was set back. */
const live = (slot: Slot, now: number): boolean =>
  now < slot.expiresAt && slot.expiresAt - now <= slotLeaseMs;

/** Whose places are counted, and how many there are. */
export interface Places {
  readonly key: string;
  readonly limit: number;
}

/**
 * After this layer the request has a place among those under way, where places are counted. Refuses with
 * `overloaded`; never queues. A queued request would outlive its caller's patience and hide the overload.
 *
 * The place is held until the rest answers; the body that streams afterwards is not counted.
 *
 * @param limitOf whose places it takes; undefined: nobody's
 */
export const admitted = <Needs extends object>(
  ports: { readonly clock: Clock; readonly inFlight: InFlight },
  limitOf: (exchange: Needs) => Places | undefined,
) =>
  layer<Needs, unknown, Answer>("admitted", (next) => {
    return (exchange) => {
      const places = limitOf(exchange);
      return places === undefined ? next(exchange) : placed(exchange, places);
    };

    async function placed(exchange: Parameters<typeof next>[0], { key, limit }: Places): Promise<Answer> {
      const slot = ports.inFlight.enter(key, limit, ports.clock.now());
      if (slot === undefined)
        return no({ kind: "overloaded", limit: `${key}: ${limit} in flight`, retryAfterMs });
      try {
        return await next(exchange);
      } finally {
        ports.inFlight.leave(slot);
      }
    }
  });
