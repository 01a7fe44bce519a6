import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { jwkThumbprint, parsePublicJwk } from "@tulle/mesh-runtime/identity/public-jwk.ts";
import type { PublicJwk } from "@tulle/mesh-runtime/identity/words.ts";
import { unwrapKey, type WrappedKey, wrapKey } from "./key-encryption.ts";

/** A key pair as the issuer stores it: the private half only under the Worker's secret. */
export interface StoredKey {
  readonly kid: string;
  readonly publicJwk: PublicJwk;
  readonly wrapped: WrappedKey;
}

/** A key pair in use. The private half cannot be exported again. */
export interface SigningKey {
  readonly kid: string;
  readonly publicJwk: PublicJwk;
  readonly privateKey: CryptoKey;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256" } as const;

/** Makes a key pair and encrypts its private half at once. The `kid` is the RFC 7638 thumbprint: unique in every bundle. */
export async function makeKey(secret: string): Promise<Result<StoredKey, string>> {
  const pair = (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
  const [privateJwk, exported] = await Promise.all([
    crypto.subtle.exportKey("jwk", pair.privateKey),
    crypto.subtle.exportKey("jwk", pair.publicKey),
  ]);
  const publicJwk = parsePublicJwk({ ...exported, alg: "ES256" });
  if (!publicJwk.ok) return no(`Cannot make a signing key: the runtime must export ${publicJwk.reason}`);
  const kid = await jwkThumbprint(publicJwk.value);
  const wrapped = await wrapKey(privateJwk as JsonWebKey, kid, secret);
  return wrapped.ok ? ok({ kid, publicJwk: publicJwk.value, wrapped: wrapped.value }) : wrapped;
}

/** Decrypts a stored key for signing. */
export async function openKey(stored: StoredKey, secret: string): Promise<Result<SigningKey, string>> {
  const jwk = await unwrapKey(stored.wrapped, stored.kid, secret);
  if (!jwk.ok) return jwk;
  const { kty, crv, x, y, d } = jwk.value;
  if (d === undefined) return no("Cannot open a signing key: it has no private half");
  const members = { kty, crv, x, y, d } as JsonWebKey;
  const privateKey = await crypto.subtle.importKey("jwk", members, algorithm, false, ["sign"]);
  return ok({ kid: stored.kid, publicJwk: stored.publicJwk, privateKey });
}

/** What private keys rest under. */
export interface Secrets {
  readonly current: string | undefined;
  /** What they rested under before; read with, never written with. */
  readonly previous?: string | undefined;
}

/** Encrypts stored keys under another secret, by `kid`: all of them, or none. */
export async function resealed(
  stored: readonly StoredKey[],
  from: string,
  to: string,
): Promise<Result<ReadonlyMap<string, StoredKey>, string>> {
  const again = new Map<string, StoredKey>();
  for (const key of stored) {
    const jwk = await unwrapKey(key.wrapped, key.kid, from);
    if (!jwk.ok) return jwk;
    const wrapped = await wrapKey(jwk.value, key.kid, to);
    if (!wrapped.ok) return wrapped;
    again.set(key.kid, { ...key, wrapped: wrapped.value });
  }
  return ok(again);
}
