import { base64url } from "@tulle/mesh-runtime/identity/bytes.ts";
import { digestOf } from "@tulle/mesh-runtime/policy/canonical.ts";

/** A new token: what its holder keeps, and what control keeps of it. */
export interface NewToken {
  /** Shown once. */
  readonly token: string;
  /** Public: says which token it is, and opens nothing. */
  readonly id: string;
  /** SHA-256 of the whole token, lower-case hex. */
  readonly hash: string;
}

/** What a bearer brought. */
export interface Presented {
  readonly id: string;
  readonly hash: string;
}

/** The fixed lengths make the two parts unambiguous, although base64url has "_" too. */
const form = /^tulle_op_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;

/**
 * Makes a token: `tulle_op_<id>_<secret>`. The beginning is there for scanners of leaked secrets, the id so that
 * looking a token up takes one comparison whatever the number of tokens.
 *
 * The hash is plain SHA-256. Slow and salted hashes protect secrets that people choose, because those can be guessed;
 * of 256 random bits no share worth naming can be tried, however fast the hash is.
 */
export async function newToken(): Promise<NewToken> {
  const id = [...crypto.getRandomValues(new Uint8Array(8))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  const token = `tulle_op_${id}_${base64url(crypto.getRandomValues(new Uint8Array(32)))}`;
  return { token, id, hash: await digestOf(token) };
}

/** Reads what a bearer brought; `undefined` for what is no such token. Only the hash goes any further. */
export async function presented(token: string): Promise<Presented | undefined> {
  const id = form.exec(token)?.[1];
  return id === undefined ? undefined : { id, hash: await digestOf(token) };
}

/** Compares two SHA-256 in hex in constant time: how much of a hash is right must not show in how long it takes. */
export function sameHash(given: string, expected: string): boolean {
  const encoder = new TextEncoder();
  const [left, right] = [encoder.encode(given), encoder.encode(expected)];
  // Both are of one length, unless the storage is broken; timingSafeEqual throws then.
  return left.length === right.length && crypto.subtle.timingSafeEqual(left, right);
}
