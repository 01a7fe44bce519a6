import { type IssuedSessionKey, pkcs8, x25519 } from "@tulle/mesh-runtime/identity/session-keys.ts";
import { keyEpochMs } from "@tulle/mesh-runtime/identity/session-profile.ts";
import { entryTtl } from "./registration.ts";

/** What keys are drawn from, and for which time. */
export interface Drawing {
  /** The Worker secret that signing keys are encrypted with, of at least 32 random characters. */
  readonly secret: string;
  /**
   * When this identity was last revoked, milliseconds since the Unix epoch; 0: never, or nobody knows any more. Whoever was
   * it before has other keys.
   */
  readonly since: number;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** How long the token lives that they come with, milliseconds. */
  readonly ttlMs: number;
}

/**
 * The keys of one service for sessions: of the hour before, of this one, and of all that the token lives through. They
 * are drawn from the secret (HKDF-SHA-256, RFC 5869) and stored nowhere: every isolate of a service is given the same ones,
 * so that a session holds whichever it meets, and nobody else's identity leads to them.
 */
export async function sessionKeysFor(
  spiffeId: string,
  { secret, since, now, ttlMs }: Drawing,
): Promise<readonly IssuedSessionKey[]> {
  const encoder = new TextEncoder();
  const material = await crypto.subtle.importKey("raw", encoder.encode(secret), "HKDF", false, [
    "deriveBits",
  ]);
  const first = Math.floor(now / keyEpochMs) - 1;
  const last = Math.floor((now + ttlMs) / keyEpochMs);
  return Promise.all(
    Array.from({ length: last - first + 1 }, async (_, index) => {
      const from = (first + index) * keyEpochMs;
      // Hours that no token from before the revocation reaches are drawn as without it: that it is forgotten changes none.
      const apart = from > since + entryTtl.maxMs ? 0 : since;
      const info = encoder.encode(`tulle session keys v1 ${from} ${apart} ${spiffeId}`);
      const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
      const secretBytes = new Uint8Array(await crypto.subtle.deriveBits(derivation, material, 256));
      return { ...(await halves(secretBytes)), from, until: from + keyEpochMs };
    }),
  );
}

/** Both halves as text. A private key of X25519 is any 32 bytes (RFC 7748 §5). */
async function halves(secret: Uint8Array): Promise<Pick<IssuedSessionKey, "publicKey" | "secret">> {
  const key = await crypto.subtle.importKey("pkcs8", pkcs8(secret), x25519, true, ["deriveBits"]);
  const { x, d } = (await crypto.subtle.exportKey("jwk", key)) as JsonWebKey;
  if (x === undefined || d === undefined) throw new TypeError("Cannot draw keys: the runtime exports no JWK");
  return { publicKey: x, secret: d };
}
