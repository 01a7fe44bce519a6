import { CompactSign, compactVerify, decodeJwt, decodeProtectedHeader } from "jose";
import type { Random } from "../foundation/ports.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { sha256Text } from "./bytes.ts";
import { importPublicJwk, jwkThumbprint, parsePublicJwk, sameKey } from "./public-jwk.ts";
import { parseSpiffeId } from "./spiffe-id.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import { maxWitLength } from "./wimse-profile.ts";
import type { Credential, PublicJwk } from "./words.ts";

export { jwkThumbprint };

/** A workload's own key pair. */
export interface WorkloadKeys {
  /** Cannot be exported, not even by us. */
  readonly privateKey: CryptoKey;
  readonly publicJwk: PublicJwk;
}

/** Makes the key pair of this isolate. A new one with every token (workload-creds §3: SHOULD). */
export async function generateKeys(): Promise<WorkloadKeys> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  // Some runtimes' types do not tell what these two return by their arguments: a pair for ECDSA, and a JWK.
  const pair = (await crypto.subtle.generateKey(algorithm, false, ["sign", "verify"])) as CryptoKeyPair;
  const { kty, crv, x, y } = (await crypto.subtle.exportKey("jwk", pair.publicKey)) as JsonWebKey;
  const publicJwk = parsePublicJwk({ kty, crv, x, y, alg: "ES256" });
  if (!publicJwk.ok) throw new TypeError(`Cannot generate keys: the runtime must export ${publicJwk.reason}`);
  return { privateKey: pair.privateKey, publicJwk: publicJwk.value };
}

/** `typ` of a proof of possession. */
export const possessionType = "tulle-pop+jwt";
/** How old a proof of possession may be, and how far its maker's clock may be ahead, milliseconds. */
const possessionWindowMs = 60_000;
const maxPossessionLength = 2_048;

/** What a new key signs to show the issuer that its private half is held by whoever asks. */
export interface PossessionRequest extends WorkloadKeys {
  /** `namespace/name`; empty where control knows it from the binding. */
  readonly workload: string;
  /** Undefined at the first join, when the mesh has not told its trust domain yet. */
  readonly trustDomain: string | undefined;
  /** A join token, or one of the platform: bound by its hash, so that neither this proof nor the token is of use to anyone with another key. */
  readonly joinToken?: string;
  /** What keys for sessions are to be sealed for, if any: bound, so that nobody on the way puts his own in its place. */
  readonly sealingKey?: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly jti: string;
}

/** Proves possession of a new key, as `JoinRequest.possession` says: compact JWS, ES256, `typ: tulle-pop+jwt`. */
export async function provePossession(request: PossessionRequest): Promise<string> {
  const { workload, trustDomain, joinToken, sealingKey, now, jti, privateKey } = request;
  const claims = {
    aud: `${trustDomain ?? ""}/issuer`,
    iat: Math.floor(now / 1_000),
    jti,
    sub: workload,
    ...(joinToken === undefined ? {} : { th: await sha256Text(joinToken) }),
    ...(sealingKey === undefined ? {} : { sk: sealingKey }),
  };
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: "ES256", typ: possessionType })
    .sign(privateKey);
}

/** What a proof of possession is measured against. */
export interface PossessionExpected {
  /** The issuer's own; a proof made for another mesh's issuer is refused. */
  readonly trustDomain: string;
  /** `namespace/name` as the join request states it. */
  readonly workload: string;
  /** The token that is the evidence, if one is; a proof that speaks of another, or of none, is refused. */
  readonly joinToken?: string;
  /** The sealing key of the join request, if it has one; a proof that names another, or none, is refused. */
  readonly sealingKey?: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** What a proof of possession showed. */
export interface Possession {
  /** The key, with exactly the members that belong into `cnf.jwk`. */
  readonly publicJwk: PublicJwk;
  /** RFC 7638. */
  readonly thumbprint: string;
  readonly jti: string;
}

/**
 * Verifies that whoever made this join request holds the private half of the key that it brings.
 *
 * @param publicJwk as it came; it is parsed here and may be anything
 */
export async function verifyPossession(
  jws: string,
  publicJwk: unknown,
  expected: PossessionExpected,
): Promise<Result<Possession, string>> {
  const jwk = parsePublicJwk(publicJwk);
  if (!jwk.ok) return no(`publicJwk must be ${jwk.reason}`);
  const key = await importPublicJwk(jwk.value);
  if (!key.ok) return no(`publicJwk must be ${key.reason}`);
  const claims = await possessionClaims(jws, key.value);
  if (!claims.ok) return claims;
  const { aud, iat, jti, sub, th, sk } = claims.value;
  if (aud !== "/issuer" && aud !== `${expected.trustDomain}/issuer`)
    return no("the proof of possession is for another issuer");
  if (sub !== expected.workload) return no("the proof of possession is for another workload");
  if (typeof iat !== "number" || Math.abs(iat * 1_000 - expected.now) > possessionWindowMs) {
    return no("the proof of possession is not from this minute");
  }
  if (typeof jti !== "string" || jti === "" || jti.length > 64)
    return no("the proof of possession has no usable jti");
  const tokenHash = expected.joinToken === undefined ? undefined : await sha256Text(expected.joinToken);
  if (th !== tokenHash) return no("the proof of possession is for another join token");
  if (sk !== expected.sealingKey) return no("the proof of possession is for another sealing key");
  return ok({ publicJwk: jwk.value, thumbprint: await jwkThumbprint(jwk.value), jti });
}

async function possessionClaims(
  jws: string,
  key: CryptoKey,
): Promise<Result<Readonly<Record<string, unknown>>, string>> {
  if (jws.length > maxPossessionLength)
    return no(`the proof of possession is longer than ${maxPossessionLength} characters`);
  try {
    if (decodeProtectedHeader(jws).typ !== possessionType)
      return no(`the proof of possession must have typ ${possessionType}`);
    const { payload } = await compactVerify(jws, key, { algorithms: ["ES256"] });
    const claims: unknown = JSON.parse(new TextDecoder().decode(payload));
    if (typeof claims === "object" && claims !== null) return ok(claims as Readonly<Record<string, unknown>>);
    return no("the claims of the proof of possession are not an object");
  } catch {
    // jose and JSON.parse may quote what they read; whatever they say, this key did not sign it.
    return no("the proof of possession is not signed by the key that it is for");
  }
}

/**
 * Makes a credential of the issuer's answer. Reads the token without verifying it, because the channel to the
 * issuer is trusted and it is others who have to believe it; but a token that is not for these keys, or of
 * no use, is refused here rather than at the first callee.
 *
 * @param now milliseconds since the Unix epoch
 * @param random draws the jitter of the renewal, once: ±10 %, so that isolates that started together do not renew together
 */
export function credentialFrom(
  wit: string,
  keys: WorkloadKeys,
  now: number,
  random: Random,
): Result<Credential, string> {
  const claims = wit.length > maxWitLength ? undefined : readClaims(wit);
  if (claims === undefined) return no("Cannot use the credential: it is not a token");
  const { sub, iat, exp, cnf } = claims;
  const id = typeof sub === "string" ? parseSpiffeId(sub) : no("a string");
  if (!id.ok) return no(`Cannot use the credential: sub must be ${id.reason}`);
  if (typeof iat !== "number" || typeof exp !== "number")
    return no("Cannot use the credential: it must have iat and exp");
  const jwk = parsePublicJwk(
    typeof cnf === "object" && cnf !== null ? (cnf as { jwk?: unknown }).jwk : undefined,
  );
  if (!jwk.ok || !sameKey(jwk.value, keys.publicJwk))
    return no("Cannot use the credential: it is for another key");
  const issuedAt = iat * 1_000;
  const expiresAt = exp * 1_000;
  if (expiresAt <= now || expiresAt <= issuedAt) return no("Cannot use the credential: it has expired");
  const halfLifeMs = (expiresAt - issuedAt) / 2;
  const renewAt = issuedAt + halfLifeMs * (0.9 + 0.2 * random());
  return ok({ id: id.value, ...keys, wit, issuedAt, expiresAt, renewAt });
}

function readClaims(wit: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return decodeJwt(wit);
  } catch {
    // Not a token; the caller says so.
    return undefined;
  }
}

/**
 * Whether a bundle has the key that signed our token, and does not revoke it. Otherwise nobody believes it any more,
 * or soon nobody will, and only another one helps.
 */
export async function believes(
  { keys, revoked }: TrustBundle,
  { wit, id, publicJwk, issuedAt }: Credential,
): Promise<boolean> {
  const { kid } = decodeProtectedHeader(wit);
  if (typeof kid !== "string" || !keys.has(kid)) return false;
  const jti = readClaims(wit)?.jti;
  if (typeof jti === "string" && revoked.tokens.has(jti)) return false;
  if (revoked.keys.size > 0 && revoked.keys.has(await jwkThumbprint(publicJwk))) return false;
  const before = revoked.workloads.get(id.uri);
  return before === undefined || issuedAt >= before * 1_000;
}

/** Whether it is time to ask for the next credential. */
export const renewalDue = (credential: Credential, now: number): boolean => now >= credential.renewAt;

/** The first wait after a renewal that failed, and the longest, milliseconds; half of each is drawn. */
const retryMs = { first: 6_000, longest: 120_000 } as const;

/**
 * How long to wait after `failures` renewals in a row that failed, milliseconds. There is time, half of a credential's
 * life, and an issuer that is down or full shall not find every isolate of the mesh at its door when it comes back.
 */
export const renewalRetryMs = (failures: number, random: Random): number =>
  Math.min(retryMs.first * 2 ** (failures - 1), retryMs.longest) * (0.5 + random() / 2);
