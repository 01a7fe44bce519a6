import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { parsePublicJwk, sameKey } from "@tulle/mesh-runtime/identity/public-jwk.ts";
import { maxWitLength, maxWitLifetimeMs, witType } from "@tulle/mesh-runtime/identity/wimse-profile.ts";
import type { PublicJwk, SpiffeId } from "@tulle/mesh-runtime/identity/words.ts";
import { compactVerify, importJWK } from "jose";

/** What the issuer decided, against which the token is held before it leaves. */
export interface WitExpected {
  /** The one that this issuer issues for. */
  readonly trustDomain: string;
  readonly spiffeId: SpiffeId;
  /** The key whose possession the workload proved. */
  readonly publicJwk: PublicJwk;
  /** The longest life that policy allows, milliseconds. */
  readonly maxTtlMs: number;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** The published half of the key that signed: a token that nobody can verify must not leave. */
  readonly signer: { readonly kid: string; readonly publicJwk: PublicJwk };
}

/** Everything that a token of ours may claim. */
const known: ReadonlySet<string> = new Set(["iss", "sub", "iat", "nbf", "exp", "jti", "cnf"]);

/**
 * Looks at a finished token once more before it leaves, knowing only what was decided and nothing of how it
 * was made: so that a mistake in registration, composing or rotation ends here and not at every callee.
 *
 * @returns what is wrong with it; never any part of it
 */
export async function inspectWit(wit: string, expected: WitExpected): Promise<Result<undefined, string>> {
  if (wit.length > maxWitLength) return faulty("it is too long");
  const { kid, publicJwk } = expected.signer;
  let claims: Readonly<Record<string, unknown>>;
  try {
    const verified = await compactVerify(wit, await importJWK(publicJwk, "ES256"), { algorithms: ["ES256"] });
    const { alg, typ, kid: signedBy, ...others } = verified.protectedHeader;
    if (alg !== "ES256" || typ !== witType || signedBy !== kid || Object.keys(others).length > 0) {
      return faulty(`its header must be alg ES256, typ ${witType} and kid ${kid}`);
    }
    claims = JSON.parse(new TextDecoder().decode(verified.payload));
  } catch {
    // jose and JSON.parse may quote the token; what they mean is that nobody could verify it.
    return faulty("the published signing key does not verify it");
  }
  return inspectClaims(claims, expected);
}

function inspectClaims(
  claims: Readonly<Record<string, unknown>>,
  expected: WitExpected,
): Result<undefined, string> {
  const { trustDomain, spiffeId, publicJwk, maxTtlMs, now } = expected;
  const { sub, iat, nbf, exp, jti, cnf } = claims;
  for (const name of Object.keys(claims)) {
    if (!known.has(name)) return faulty(`it claims ${JSON.stringify(name.slice(0, 32))}`);
  }
  if (sub !== spiffeId.uri) return faulty(`sub must be ${spiffeId.uri}`);
  // Nobody would believe it, and whoever did would have merged two bundles.
  if (spiffeId.trustDomain !== trustDomain || !spiffeId.uri.startsWith(`spiffe://${trustDomain}/`))
    return faulty(`sub must be of the trust domain ${trustDomain}`);
  if (typeof iat !== "number" || typeof exp !== "number" || typeof nbf !== "number")
    return faulty("it must have iat, nbf and exp");
  if (exp * 1_000 <= now || nbf * 1_000 > now || iat * 1_000 > now) return faulty("it is not valid now");
  const capMs = Math.min(maxTtlMs, maxWitLifetimeMs);
  if ((exp - iat) * 1_000 > capMs)
    return faulty(`it lives ${exp - iat} s, allowed are ${Math.floor(capMs / 1_000)} s`);
  if (typeof jti !== "string" || jti.length < 22) return faulty("jti must hold 128 bits");
  const jwk = parsePublicJwk((cnf as { jwk?: unknown } | undefined)?.jwk);
  if (!jwk.ok) return faulty(`cnf.jwk must be ${jwk.reason}`);
  return sameKey(jwk.value, publicJwk) ? ok(undefined) : faulty("cnf.jwk is not the key that was proved");
}

const faulty = (why: string) => no(`Cannot let a token leave: ${why}`);
