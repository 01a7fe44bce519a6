import type { EndUser, TokenRule } from "./end-user.ts";
import type { KeySet } from "./key-set.ts";

/** What a token was found to be, by which rule and keys. */
export interface Believed {
  readonly user: EndUser;
  readonly rule: TokenRule;
  readonly keys: KeySet;
  /** Milliseconds since the Unix epoch. */
  readonly until: number;
}

/**
 * Verified tokens by their whole text, so that a token costs one verification an isolate and not one a request.
 * Holds only what was verified: a flood of forged ones evicts nothing. An entry ends with the token, and counts
 * only under the rule and the keys that it was verified with, so that a withdrawn key or a changed rule takes effect at
 * once. Requests that bring the same new token at the same time each verify it: none waits for another.
 */
export class TokenCache {
  readonly #maxEntries: number;
  readonly #maxCharacters: number;
  readonly #entries = new Map<string, Believed>();
  #characters = 0;

  /**
   * @param maxEntries most tokens kept; the one that was used least lately goes first @default {1_000}
   * @param maxCharacters of all tokens together; what is made of them takes about three times that @default {400_000}
   */
  constructor(maxEntries = 1_000, maxCharacters = 400_000) {
    this.#maxEntries = maxEntries;
    this.#maxCharacters = maxCharacters;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What this very text was found to be; whoever asks sees to it that rule and keys are still in force. */
  recall(text: string, now: number): Believed | undefined {
    const entry = this.#entries.get(text);
    if (entry === undefined) return undefined;
    this.#drop(text);
    if (entry.until <= now) return undefined;
    this.#put(text, entry);
    return entry;
  }

  keep(text: string, believed: Believed): void {
    this.#drop(text);
    this.#put(text, believed);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#characters <= this.#maxCharacters) return;
      this.#drop(oldest);
    }
  }

  #put(text: string, entry: Believed): void {
    this.#entries.set(text, entry);
    this.#characters += text.length;
  }

  #drop(text: string): void {
    if (this.#entries.delete(text)) this.#characters -= text.length;
  }
}
