import { outOfTime } from "@tulle/mesh-runtime/identity/proof.ts";
import { ReplayWindow } from "@tulle/mesh-runtime/identity/replay.ts";
import { proofSkewMs } from "@tulle/mesh-runtime/identity/wimse-profile.ts";
import type { Admission, OneUse } from "@tulle/mesh-runtime/identity/words.ts";

/**
 * How far from its beginning a watch doubts the time of a proof, milliseconds: what was admitted before it may say
 * that it was signed by a clock that ran ahead as far as is tolerated, and two machines that hold the object one after
 * the other may differ as much again.
 */
export const doubtMs = 2 * proofSkewMs;

/**
 * Remembers every proof that was used at one service, as long as it is valid: a memory without storage, which
 * begins when its object does and ends with it.
 *
 * What was signed before it began may have been used before it began, and is not admitted. When it was signed goes by
 * the name of the watch, which nobody can know before it has begun; else by the proof's own time.
 *
 * Judges by its own clock, which never goes back: a proof is forgotten when it has expired by the same clock that
 * refuses expired ones, however the clocks of those who ask differ.
 */
export class ReplayWatch {
  readonly name: string;
  readonly #beganAt: number;
  readonly #window: ReplayWindow;
  #latest: number;

  /**
   * @param name random, so that nobody can sign for a watch that is still to come
   * @param beganAt milliseconds since the Unix epoch
   * @param limit most proofs remembered; above it none is admitted, and of one caller none above the share that
   * {@link ReplayWindow} leaves him, seven eighths where he is alone @default {65_536} about 8 MB; at 30 s a proof, 2,000 requests a second
   */
  constructor(name: string, beganAt: number, limit?: number) {
    this.name = name;
    this.#beganAt = beganAt;
    this.#latest = beganAt;
    this.#window = new ReplayWindow(limit);
  }

  /** How many proofs are remembered. */
  get size(): number {
    return this.#window.size;
  }

  /** @param now milliseconds since the Unix epoch */
  admit(proof: OneUse, now: number): Admission {
    this.#latest = Math.max(this.#latest, now);
    return { verdict: this.#verdict(proof, this.#latest), watch: this.name };
  }

  #verdict(
    { sender, owner = sender, nonce, created, expires, watch }: OneUse,
    now: number,
  ): Admission["verdict"] {
    if (outOfTime({ created, expires }, now) !== undefined) return "untimely";
    if (watch !== this.name && created * 1_000 <= this.#beganAt + doubtMs) return "unknown";
    return this.#window.admit(sender, nonce, expires * 1_000, now, owner);
  }
}
