import { no, ok, type Result } from "../foundation/result.ts";
import { sha256Text } from "./bytes.ts";
import type { PublicJwk } from "./words.ts";

/** 32 bytes: 43 characters of which the last carries two bits that must be zero, so one text a value. */
const coordinate = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** Members that only private or symmetric keys have (RFC 7518 §6). */
const secretMembers = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];

/** Whether a JWK holds anything that must never be published. */
export const holdsSecret = (jwk: object): boolean =>
  secretMembers.some((member) => (jwk as Readonly<Record<string, unknown>>)[member] !== undefined);

/**
 * Reads the public half of a P-256 key for ES256, as it must stand in `cnf.jwk`. WIMSE wants `alg` there,
 * and only an asymmetric one; ES256 alone is taken, so there is nothing to confuse it with.
 *
 * @returns a fresh JWK with exactly the members of {@link PublicJwk}, or what is required
 */
export function parsePublicJwk(value: unknown): Result<PublicJwk, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return no("a JWK object");
  if (holdsSecret(value)) return no("a public key; this one holds secret members");
  const jwk = value as Readonly<Record<string, unknown>>;
  if (jwk.kty !== "EC" || jwk.crv !== "P-256") return no("a P-256 key");
  if (jwk.alg !== "ES256") return no(`a key with alg "ES256"`);
  const { x, y, kid } = jwk;
  if (typeof x !== "string" || typeof y !== "string" || !coordinate.test(x) || !coordinate.test(y)) {
    return no("coordinates of 32 bytes in canonical base64url");
  }
  if (kid !== undefined && typeof kid !== "string") return no("a kid that is a string");
  return ok({ kty: "EC", crv: "P-256", x, y, alg: "ES256", ...(kid === undefined ? {} : { kid }) });
}

/** Imports a public key for verifying. A point that is not on the curve is refused. */
export async function importPublicJwk({ kty, crv, x, y }: PublicJwk): Promise<Result<CryptoKey, string>> {
  try {
    // Only these four members: runtimes and jose refuse a `use` such as "wit-svid" that they do not know.
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    return ok(await crypto.subtle.importKey("jwk", { kty, crv, x, y }, algorithm, false, ["verify"]));
  } catch {
    // DataError: the runtime's own check of the point, which is what this function reports.
    return no("a point on the curve P-256");
  }
}

/** RFC 7638 thumbprint, base64url: the same for every spelling of the same key. */
export function jwkThumbprint({ kty, crv, x, y }: PublicJwk): Promise<string> {
  return sha256Text(JSON.stringify({ crv, kty, x, y }));
}

/** Whether two JWKs are the same key. */
export const sameKey = (a: PublicJwk, b: PublicJwk): boolean => a.x === b.x && a.y === b.y;
