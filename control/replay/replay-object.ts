import { DurableObject } from "cloudflare:workers";
import type { Admission, OneUse } from "@tulle/mesh-runtime/identity/words.ts";
import type { Env } from "../env.ts";
import { ReplayWatch } from "./replay-watch.ts";

/**
 * Where every isolate of one service asks whether a proof is used for the first time, if policy says `replay: strict`.
 * In memory only: nothing is written on the way of a request, and what a new start has forgotten it does not admit.
 */
export class ReplayObject extends DurableObject<Env> {
  readonly #watch = new ReplayWatch(crypto.randomUUID(), Date.now());

  /** Takes note of a proof. One at a time, and nothing is waited for: of many at once one is the first. */
  admit(proof: OneUse): Admission {
    return this.#watch.admit(proof, Date.now());
  }
}
