import type { GrantedSession } from "./session-grant.ts";

/**
 * Sessions that callers were granted, by the exact text of the grant, so that one costs its two signatures' worth of
 * cryptography once an isolate. Holds only what was verified. The grant comes with every request: one that was forgotten
 * is verified anew, and nothing else happens.
 */
export class GrantedSessions {
  readonly #limit: number;
  readonly #entries = new Map<string, GrantedSession>();

  /** @param limit most sessions kept; the least recently used one goes first @default {2_000} */
  constructor(limit = 2_000) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * What this very grant was found to be, if it came with this very token and has not expired. Whether token and key of
   * the service are still believed is not asked here.
   */
  recall(grant: string, wit: string, now: number): GrantedSession | undefined {
    const session = this.#entries.get(grant);
    if (session === undefined) return undefined;
    this.#entries.delete(grant);
    if (session.expiresAt <= now) return undefined;
    this.#entries.set(grant, session);
    return session.wit === wit ? session : undefined;
  }

  keep(grant: string, session: GrantedSession): void {
    this.#entries.delete(grant);
    this.#entries.set(grant, session);
    if (this.#entries.size <= this.#limit) return;
    const oldest = this.#entries.keys().next();
    if (!oldest.done) this.#entries.delete(oldest.value);
  }
}
