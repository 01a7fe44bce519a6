import { compactVerify, decodeJwt, decodeProtectedHeader } from "jose";
import type { IdentityStep } from "../foundation/refusal.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { importPublicJwk, jwkThumbprint, parsePublicJwk } from "./public-jwk.ts";
import { parseSpiffeId } from "./spiffe-id.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import { maxWitLength, maxWitLifetimeMs, witLeewayMs, witType } from "./wimse-profile.ts";
import type { SpiffeId } from "./words.ts";

/** The check that failed, and what it found; never any part of the token. */
export interface Unverified {
  readonly step: IdentityStep;
  readonly detail: string;
  /** Whether a newer trust bundle might say otherwise. */
  readonly outdated?: true;
}

/** What a verified token says. */
export interface VerifiedWit {
  readonly id: SpiffeId;
  /** The key that must have signed the request: `cnf.jwk`. */
  readonly proofKey: CryptoKey;
  /** RFC 7638 thumbprint of that key: tells senders apart where the token's text, which is not unique, must not. */
  readonly thumbprint: string;
  /** Milliseconds since the Unix epoch, without leeway. */
  readonly expiresAt: number;
}

/** JSON-valued, and nothing else is known of it. */
export type Claims = Readonly<Record<string, unknown>>;

/**
 * Verifies a Workload Identity Token that is also a WIT-SVID, with the bundle of the mesh's trust domain, or that of
 * the federated one that `sub` names.
 *
 * Checks, in this order: size; three parts of base64url, nothing else; header of exactly `alg` ES256, `typ` and a `kid` that the bundle knows (so
 * `jwk`, `jku`, `x5u`, `x5c`, `crit` are refused, and nothing is ever fetched); signature; `sub` canonical and
 * of the bundle's trust domain; no `aud` (WIT-SVID: a token with one is a bearer token of another kind); `exp`
 * and `nbf` with 60 s leeway; at most 24 h of life; `cnf.jwk` a public P-256 key with alg ES256; not revoked.
 * `iat` limits nothing but the length of the life (WIT-SVID §4). Of claims named twice the last one counts,
 * at the issuer and here alike, because both are read by `JSON.parse`.
 *
 * @param now milliseconds since the Unix epoch
 */
export async function verifyWit(
  wit: string,
  trusted: TrustBundle,
  now: number,
): Promise<Result<VerifiedWit, Unverified>> {
  const shaped = shape(wit);
  if (!shaped.ok) return shaped;
  const bundle = bundleFor(wit, trusted);
  const current = inForce(bundle, now);
  if (!current.ok) return current;
  const key = signingKey(wit, bundle);
  if (!key.ok) return key;
  const opened = await openedWith(key.value, wit);
  if (!opened.ok) return opened;
  const claims = opened.value;

  const id = subject(claims, bundle);
  if (!id.ok) return id;
  const bound = withoutAudience(claims);
  if (!bound.ok) return bound;
  const expiresAt = lifetime(claims, now);
  if (!expiresAt.ok) return expiresAt;
  const proof = await boundKey(claims);
  if (!proof.ok) return proof;
  const { proofKey, thumbprint } = proof.value;
  const believed = unrevoked(claims, id.value, thumbprint, bundle);
  if (!believed.ok) return believed;
  return ok({ id: id.value, proofKey, thumbprint, expiresAt: expiresAt.value });
}

/*
 * The checks of `verifyWit`, one by one. They are exported for `explanation/`, where the same ones are made in the same
 * order, and each is told of; nothing else calls them.
 */

/** How long the token is, and of which characters. */
export function shape(wit: string): Result<undefined, Unverified> {
  if (wit.length > maxWitLength)
    return failed("malformed", `the token is longer than ${maxWitLength} characters`);
  return compact.test(wit) ? passed : failed("token", "the token is not a compact JWS in base64url");
}

/**
 * The bundle that may judge a token: what `sub` says, unverified, chooses whose keys are tried, and nothing else. The
 * claims that those keys verify must be of that domain (`subject`), so a key never speaks for another's.
 */
export function bundleFor(wit: string, trusted: TrustBundle): TrustBundle {
  const { federated } = trusted;
  if (federated === undefined) return trusted;
  try {
    const { sub } = decodeJwt(wit);
    const id = typeof sub === "string" ? parseSpiffeId(sub) : undefined;
    return (id?.ok ? federated.get(id.value.trustDomain) : undefined) ?? trusted;
  } catch {
    // No token: our own bundle refuses it.
    return trusted;
  }
}

/** Whether the bundle may still be asked. */
export const inForce = ({ expiresAt }: TrustBundle, now: number): Result<undefined, Unverified> =>
  expiresAt <= now ? outdated("trust-domain", "the trust bundle has expired") : passed;

/**
 * A compact JWS with a signature of 64 bytes. Decoders skip blanks, take padding, and pass over the four spare bits
 * of the last character; so one token would have many texts, each with a place of its own in the cache.
 */
const compact = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]$/;

/** The key that the header names; the header must be exactly what ours is. */
export function signingKey(wit: string, { keys }: TrustBundle): Result<CryptoKey, Unverified> {
  try {
    const { alg, typ, kid, ...others } = decodeProtectedHeader(wit);
    if (typ !== witType) return failed("token", `typ must be ${witType}`);
    if (alg !== "ES256") return failed("token", "alg must be ES256");
    if (Object.keys(others).length > 0)
      return failed("token", "the header has members besides alg, typ and kid");
    const key = typeof kid === "string" ? keys.get(kid) : undefined;
    return key === undefined ? outdated("token", "kid names no key of the trust bundle") : ok(key);
  } catch {
    return unparsed;
  }
}

/** What the token says, if this key signed it. */
export async function openedWith(key: CryptoKey, wit: string): Promise<Result<Claims, Unverified>> {
  try {
    const { payload } = await compactVerify(wit, key, { algorithms: ["ES256"] });
    const claims: unknown = JSON.parse(new TextDecoder().decode(payload));
    if (typeof claims !== "object" || claims === null) return failed("token", "the claims are not an object");
    return ok(claims as Claims);
  } catch {
    return unparsed;
  }
}

/** Whose token it is. */
export function subject({ sub }: Claims, { trustDomain }: TrustBundle): Result<SpiffeId, Unverified> {
  const id = typeof sub === "string" ? parseSpiffeId(sub) : no("a string");
  if (!id.ok) return failed("token", `sub must be ${id.reason}`);
  if (id.value.trustDomain !== trustDomain) return failed("trust-domain", "sub is of another trust domain");
  return id;
}

/** WIT-SVID: a token with an audience is a bearer token of another kind. */
export const withoutAudience = (claims: Claims): Result<undefined, Unverified> =>
  Object.hasOwn(claims, "aud") ? failed("token", "the token has an audience") : passed;

/** When the token expires, milliseconds since the Unix epoch, if it may be used now. */
export function lifetime({ exp, nbf, iat }: Claims, now: number): Result<number, Unverified> {
  if (typeof exp !== "number") return failed("token", "exp must be a number");
  if (nbf !== undefined && typeof nbf !== "number") return failed("token", "nbf must be a number");
  if (iat !== undefined && typeof iat !== "number") return failed("token", "iat must be a number");
  const expiresAt = exp * 1_000;
  if (expiresAt + witLeewayMs <= now) return failed("token", "the token has expired");
  if (nbf !== undefined && nbf * 1_000 > now + witLeewayMs)
    return failed("token", "the token is not valid yet");
  // Without iat, what is left of the life is all that can be bounded.
  const life = iat === undefined ? expiresAt - now : Math.max(expiresAt - iat * 1_000, expiresAt - now);
  if (life > maxWitLifetimeMs + witLeewayMs) return failed("token", "the token lives too long");
  return ok(expiresAt);
}

/** The key that must have signed the request, and its thumbprint. */
export async function boundKey({
  cnf,
}: Claims): Promise<Result<Pick<VerifiedWit, "proofKey" | "thumbprint">, Unverified>> {
  const jwk = parsePublicJwk(typeof cnf === "object" && cnf !== null ? (cnf as Claims).jwk : undefined);
  if (!jwk.ok) return failed("token", `cnf.jwk must be ${jwk.reason}`);
  const proofKey = await importPublicJwk(jwk.value);
  if (!proofKey.ok) return failed("token", `cnf.jwk must be ${proofKey.reason}`);
  return ok({ proofKey: proofKey.value, thumbprint: await jwkThumbprint(jwk.value) });
}

/** Whether neither token, key nor workload stands in the list of what is no longer believed. */
export function unrevoked(
  { jti, iat }: Claims,
  id: SpiffeId,
  thumbprint: string,
  { revoked }: TrustBundle,
): Result<undefined, Unverified> {
  const before = revoked.workloads.get(id.uri);
  const isRevoked =
    (typeof jti === "string" && revoked.tokens.has(jti)) ||
    revoked.keys.has(thumbprint) ||
    // A token that does not say when it was issued cannot show that it is younger.
    (before !== undefined && (typeof iat === "number" ? iat < before : true));
  return isRevoked ? failed("revoked", "the token is revoked") : passed;
}

const passed = ok(undefined);
const failed = (step: IdentityStep, detail: string) => no<Unverified>({ step, detail });
const outdated = (step: IdentityStep, detail: string) => no<Unverified>({ step, detail, outdated: true });
/** jose and JSON.parse may quote the token; whatever they say, the issuer did not make it. */
const unparsed = failed("token", "the token cannot be parsed or its signature does not verify");

/**
 * Verified tokens by their exact text, so that a caller's token costs one verification an isolate and not
 * one a request. Holds only what was verified: a flood of junk evicts nothing. An entry ends with the token,
 * and counts only under the bundle that verified it, so that a removed key or a revocation takes effect with
 * the next bundle. Requests that bring the same new token at once each verify it: none waits for another.
 */
export class WitCache {
  readonly #limit: number;
  readonly #entries = new Map<
    string,
    { readonly wit: VerifiedWit; readonly trustDomain: string; readonly sequence: number }
  >();

  /** @param limit most tokens kept; the least recently used one goes first @default {1_000} */
  constructor(limit = 1_000) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What this very text was found to be under this very bundle, if it has not expired. */
  recall(text: string, bundle: TrustBundle, now: number): VerifiedWit | undefined {
    const entry = this.#entries.get(text);
    if (entry === undefined) return undefined;
    this.#entries.delete(text);
    const { wit, trustDomain, sequence } = entry;
    if (wit.expiresAt <= now || sequence !== bundle.sequence || trustDomain !== bundle.trustDomain)
      return undefined;
    this.#entries.set(text, entry);
    return wit;
  }

  keep(text: string, wit: VerifiedWit, { trustDomain, sequence }: TrustBundle): void {
    this.#entries.delete(text);
    this.#entries.set(text, { wit, trustDomain, sequence });
    if (this.#entries.size <= this.#limit) return;
    const oldest = this.#entries.keys().next();
    if (!oldest.done) this.#entries.delete(oldest.value);
  }
}
