import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { base64url } from "jose";

/** How long a nonce can be used, milliseconds: time to ask a platform for a token, and to come back. */
export const nonceLifeMs = 120_000;
/** Characters of a nonce: 6 bytes for the time, 16 random ones, 32 of the tag. */
const nonceForm = /^[A-Za-z0-9_-]{72}$/;
const timeBytes = 6;
const randomBytes = 16;

/** Under what nonces are made: the issuer's secret, and its former one while that is being changed. */
export interface NonceSecrets {
  readonly trustDomain: string;
  readonly current: string | undefined;
  readonly previous?: string | undefined;
}

/**
 * Makes a nonce that says itself until when it can be used, with a tag that only this issuer can make: strangers ask
 * for them, and nothing is kept for a stranger. That each is used once is for the issuer's object to see to.
 */
export async function makeNonce(secrets: NonceSecrets, now: number): Promise<Result<string, string>> {
  const { current, trustDomain } = secrets;
  if (current === undefined || current === "") return no("The secret TULLE_KEY_SECRET is not set");
  const head = new Uint8Array(timeBytes + randomBytes);
  new DataView(head.buffer).setUint16(0, Math.floor((now + nonceLifeMs) / 2 ** 32));
  new DataView(head.buffer).setUint32(2, (now + nonceLifeMs) % 2 ** 32);
  crypto.getRandomValues(head.subarray(timeBytes));
  const tag = await crypto.subtle.sign("HMAC", await keyOf(current), tagged(trustDomain, head));
  return ok(base64url.encode(new Uint8Array([...head, ...new Uint8Array(tag)])));
}

/** Until when a nonce can be used, milliseconds since the Unix epoch; undefined for one that is not ours, or has expired. */
export async function readNonce(
  nonce: string,
  { trustDomain, current, previous }: NonceSecrets,
  now: number,
): Promise<number | undefined> {
  if (!nonceForm.test(nonce)) return undefined;
  const bytes = base64url.decode(nonce);
  const head = bytes.slice(0, timeBytes + randomBytes);
  const tag = bytes.slice(timeBytes + randomBytes);
  const view = new DataView(head.buffer);
  const until = view.getUint16(0) * 2 ** 32 + view.getUint32(2);
  if (until <= now || until > now + nonceLifeMs) return undefined;
  for (const secret of [current, previous]) {
    if (secret === undefined || secret === "") continue;
    if (await crypto.subtle.verify("HMAC", await keyOf(secret), tag, tagged(trustDomain, head))) return until;
  }
  return undefined;
}

const encoder = new TextEncoder();

async function keyOf(secret: string): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveKey"]);
  // No salt, as for the keys at rest; another `info`, so that neither key tells anything of the other (RFC 5869 §3.2).
  const info = encoder.encode("tulle issuer attestation nonces v1");
  const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
  const algorithm = { name: "HMAC", hash: "SHA-256", length: 256 };
  return crypto.subtle.deriveKey(derivation, material, algorithm, false, ["sign", "verify"]);
}

/** A nonce of one mesh's issuer is none of another's, should they share a secret. */
const tagged = (trustDomain: string, head: Uint8Array): Uint8Array =>
  new Uint8Array([...head, ...encoder.encode(trustDomain)]);
