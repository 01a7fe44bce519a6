import type { HeaderFields } from "../foundation/fields.ts";
import { header } from "../foundation/headers.ts";
import { isWatch } from "./unrepeated.ts";

/** More strict destinations than one workload calls; what comes above begins anew. */
const mostWatches = 256;

/**
 * Which memory of proofs each strict destination has told of. A proof that names it was made after that memory began,
 * so that it can be judged, whatever the clocks say (as with the server's nonce of RFC 9449 §8).
 *
 * Heard from anybody who answers: the name goes back to nobody else, and a wrong one is as good as none.
 */
export class Watches {
  readonly #known = new Map<string, string>();

  /** Puts on a message what its recipient has told, to be covered by the proof. */
  mention(recipient: string, headers: HeaderFields): void {
    const watch = this.#known.get(recipient);
    if (watch !== undefined) headers.set(header.watch, watch);
  }

  /**
   * Takes what an answer tells.
   * @returns whether it names a watch that the message had not named
   */
  hear(recipient: string, answer: Pick<HeaderFields, "get">, message: Pick<HeaderFields, "get">): boolean {
    const watch = answer.get(header.watch);
    if (watch === null || !isWatch(watch)) return false;
    if (this.#known.size >= mostWatches) this.#known.clear();
    this.#known.set(recipient, watch);
    return message.get(header.watch) !== watch;
  }
}
