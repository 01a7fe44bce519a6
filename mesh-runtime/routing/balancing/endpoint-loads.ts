import type { Random } from "../../foundation/ports.ts";
import type { Placement } from "../words.ts";
import { type EndpointLoad, newLoad } from "./endpoint-load.ts";

/** Destinations that are remembered; the one that was used first is forgotten for another. */
const maxDestinations = 1_024;

interface Held {
  /** For whom the loads below are, in the same order. */
  readonly choice: readonly unknown[];
  readonly byName: ReadonlyMap<string, EndpointLoad>;
  readonly loads: readonly EndpointLoad[];
}

/**
 * What this isolate knows of the endpoints of destinations that have several. Plain data, for as long as the policy
 * has them: an endpoint that leaves it is forgotten, and one that comes is new.
 */
export class EndpointLoads {
  readonly #random: Random;
  readonly #held = new Map<string, Held>();

  /** @param random where in the round an isolate begins: most see few requests, and all would begin with the first */
  constructor(random: Random) {
    this.#random = random;
  }

  /** The loads of a destination's endpoints, in their order. */
  of(key: string, choice: readonly { readonly endpoint: Placement }[], now: number): readonly EndpointLoad[] {
    const held = this.#held.get(key);
    if (held?.choice === choice) return held.loads;
    const byName = new Map<string, EndpointLoad>();
    // Nobody is new among endpoints of which the isolate sees the first: they would all begin slowly alike.
    const since = held === undefined ? 0 : now;
    for (const { endpoint } of choice) {
      const { name, weight } = endpoint;
      byName.set(name, held?.byName.get(name) ?? newLoad(name, since, this.#random() * weight));
    }
    const loads = [...byName.values()];
    if (held === undefined && this.#held.size >= maxDestinations) this.#forgetFirst();
    this.#held.set(key, { choice, byName, loads });
    return loads;
  }

  #forgetFirst(): void {
    for (const key of this.#held.keys()) {
      this.#held.delete(key);
      return;
    }
  }
}
