import type { GrantedSession } from "./session-grant.ts";

/**
 * Most sessions of one token at a time. An isolate has one with each destination; it begins another a minute after one was
 * refused, as it may be again and again while a service's isolates have different keys.
 */
const mostOfToken = 16;

/**
 * Sessions that callers were granted, by the exact text of the grant, so that one costs its two signatures' worth of
 * cryptography once an isolate. Holds only what was verified. The grant comes with every request: one that was forgotten
 * is verified anew, and nothing else happens.
 */
export class GrantedSessions {
  readonly #limit: number;
  readonly #entries = new Map<string, GrantedSession>();
  /** The grants of each token that has any here. */
  readonly #ofToken = new Map<string, Set<string>>();

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
    if (session.expiresAt <= now) {
      this.#forget(grant, session);
      return undefined;
    }
    this.#entries.delete(grant);
    this.#entries.set(grant, session);
    return session.wit === wit ? session : undefined;
  }

  /**
   * Whether a grant that nobody knows is worth looking at: of a token that has {@link mostOfToken} sessions none is. To
   * verify one costs as much as three signatures; whoever sent a fresh one with each request could have us spend that, and
   * would push out everybody else's.
   */
  admits(wit: string, now: number): boolean {
    const grants = this.#ofToken.get(wit);
    if (grants === undefined || grants.size < mostOfToken) return true;
    for (const grant of grants) {
      const session = this.#entries.get(grant);
      if (session !== undefined && session.expiresAt <= now) this.#forget(grant, session);
    }
    return grants.size < mostOfToken;
  }

  keep(grant: string, session: GrantedSession): void {
    this.#entries.delete(grant);
    this.#entries.set(grant, session);
    const grants = this.#ofToken.get(session.wit) ?? new Set();
    this.#ofToken.set(session.wit, grants.add(grant));
    if (this.#entries.size <= this.#limit) return;
    const oldest = this.#entries.entries().next();
    if (!oldest.done) this.#forget(...oldest.value);
  }

  #forget(grant: string, { wit }: GrantedSession): void {
    this.#entries.delete(grant);
    const grants = this.#ofToken.get(wit);
    grants?.delete(grant);
    if (grants?.size === 0) this.#ofToken.delete(wit);
  }
}
