import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { base64url } from "jose";

/** Fewer characters than this cannot hold 128 bits of randomness in hex. */
const minSecretLength = 32;
const version = "v1";
const ivBytes = 12;

/** A private key as it may be stored: `v1.<iv>.<ciphertext>`, base64url. */
export type WrappedKey = string;

/**
 * Encrypts a private key for storage under the Worker's secret: AES-256-GCM with a key that HKDF-SHA-256
 * draws from the secret. The random IV is drawn at each call, and `kid` is bound in, so that one stored key
 * cannot be put into another's place.
 *
 * @param secret a Worker secret of at least 32 characters, random, not a password
 */
export async function wrapKey(
  privateJwk: JsonWebKey,
  kid: string,
  secret: string,
): Promise<Result<WrappedKey, string>> {
  const key = await wrappingKey(secret, "encrypt");
  if (!key.ok) return key;
  const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
  const plain = new TextEncoder().encode(JSON.stringify(privateJwk));
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv, additionalData: bound(kid) },
    key.value,
    plain,
  );
  return ok(`${version}.${base64url.encode(iv)}.${base64url.encode(new Uint8Array(sealed))}`);
}

/** Decrypts what {@link wrapKey} made. Refuses another secret, another `kid`, and a single changed bit, all alike. */
export async function unwrapKey(
  wrapped: WrappedKey,
  kid: string,
  secret: string,
): Promise<Result<JsonWebKey, string>> {
  const key = await wrappingKey(secret, "decrypt");
  if (!key.ok) return key;
  const [form, iv, sealed, ...more] = wrapped.split(".");
  if (form !== version || iv === undefined || sealed === undefined || more.length > 0) {
    return no(`Cannot unwrap signing key: the form must be ${version}`);
  }
  try {
    const algorithm = { name: "AES-GCM", iv: base64url.decode(iv), additionalData: bound(kid) };
    const plain = await crypto.subtle.decrypt(algorithm, key.value, base64url.decode(sealed));
    return ok(JSON.parse(new TextDecoder().decode(plain)) as JsonWebKey);
  } catch {
    // The runtime says no more than that it does not authenticate, and more must not be said.
    return no(
      "Cannot unwrap signing key: it was wrapped under another secret or for another kid, or has been changed",
    );
  }
}

async function wrappingKey(secret: string, usage: "encrypt" | "decrypt"): Promise<Result<CryptoKey, string>> {
  if (secret.length < minSecretLength) {
    return no(`Cannot use the secret for signing keys: at least ${minSecretLength} characters are required`);
  }
  const encoder = new TextEncoder();
  const material = await crypto.subtle.importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveKey"]);
  // No salt: the secret is random already, and one place for everything it needs is easier to restore (RFC 5869 §3.1).
  const derivation = {
    name: "HKDF",
    hash: "SHA-256",
    salt: new Uint8Array(0),
    info: encoder.encode("tulle issuer signing keys v1"),
  };
  return ok(
    await crypto.subtle.deriveKey(derivation, material, { name: "AES-GCM", length: 256 }, false, [usage]),
  );
}

const bound = (kid: string): Uint8Array => new TextEncoder().encode(`tulle signing key ${kid}`);
