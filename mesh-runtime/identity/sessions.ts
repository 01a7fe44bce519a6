import { beginSession, type Session } from "./session-grant.ts";
import { keyBytes } from "./session-keys.ts";
import type { Credential } from "./words.ts";

/** More destinations than one workload calls; what comes above begins anew. */
const mostDestinations = 256;
/** How many requests are signed before a session pays: to begin one costs both sides as much as three signatures. */
const signedFirst = 4;
/** How long a destination's key may have been heard of when a session begins, milliseconds: it may be near its end. */
const keyHeardWithinMs = 60_000;
/** How long before its end a session is used no more, milliseconds: the proof has to arrive in time. */
const headroomMs = 10_000;
/** How long one request may take to begin a session before another tries, milliseconds. */
const beginningMs = 5_000;
/** How long a destination that refused a session is signed to, milliseconds. */
const restMs = 60_000;

interface Destination {
  signed: number;
  key: { readonly text: string; readonly heardAt: number } | undefined;
  session: Session | undefined;
  /** Leases, milliseconds since the Unix epoch. */
  beginningUntil: number;
  restUntil: number;
}

/**
 * The sessions that this isolate has begun, one for each destination that it calls often. No request waits for another
 * that begins one: it is signed meanwhile.
 *
 * A destination's key is heard from anybody who answers. A wrong one agrees on a key that the destination does not
 * have, which then refuses, and is signed to; nothing is believed because of it, here or there.
 */
export class Sessions {
  readonly #destinations = new Map<string, Destination>();

  /**
   * The session to prove the next request to a destination with: the present one, or the promise of one that this
   * request begins; undefined where it is to be signed.
   */
  next(
    audience: string,
    credential: Credential,
    now: number,
  ): Session | Promise<Session | undefined> | undefined {
    const destination = this.#destinations.get(audience);
    if (destination === undefined) return undefined;
    const { session, signed, key, beginningUntil, restUntil } = destination;
    if (session !== undefined && session.wit === credential.wit && now < session.expiresAt - headroomMs)
      return session;
    if (key === undefined || signed < signedFirst || now < beginningUntil || now < restUntil)
      return undefined;
    if (now - key.heardAt > keyHeardWithinMs) return undefined;
    // What is left of the token may be too little to pay.
    if (credential.expiresAt - now < keyHeardWithinMs) return undefined;
    destination.beginningUntil = now + beginningMs;
    return this.#begin(destination, audience, key.text, credential, now);
  }

  async #begin(
    destination: Destination,
    audience: string,
    key: string,
    credential: Credential,
    now: number,
  ): Promise<Session | undefined> {
    // A runtime that cannot is one that signs.
    const session = await beginSession(audience, key, credential, now).catch(() => undefined);
    destination.beginningUntil = 0;
    // To be heard of anew before another one begins.
    destination.key = undefined;
    destination.session = session;
    if (session === undefined) destination.restUntil = now + restMs;
    return session;
  }

  /** Takes note that a request was signed, and what the answer tells of the destination's key. */
  signed(audience: string, key: string | null, now: number): void {
    const destination = this.#destinations.get(audience) ?? this.#add(audience);
    destination.signed++;
    if (key !== null && keyBytes(key) !== undefined) destination.key = { text: key, heardAt: now };
  }

  /** Uses a session that was refused no more, and begins no other one for a while. */
  refused(audience: string, session: Session, now: number): void {
    const destination = this.#destinations.get(audience);
    if (destination?.session !== session) return;
    destination.session = undefined;
    destination.key = undefined;
    destination.restUntil = now + restMs;
  }

  #add(audience: string): Destination {
    if (this.#destinations.size >= mostDestinations) this.#destinations.clear();
    const destination: Destination = {
      signed: 0,
      key: undefined,
      session: undefined,
      beginningUntil: 0,
      restUntil: 0,
    };
    this.#destinations.set(audience, destination);
    return destination;
  }
}
