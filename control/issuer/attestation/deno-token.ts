import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { compactVerify, decodeProtectedHeader } from "jose";
import type { Facts } from "../registration.ts";
import { isProviderAlgorithm, type ProviderKeys } from "./provider-keys.ts";

/** Who signs the tokens of Deno Deploy (docs.deno.com/deploy/reference/oidc). */
export const denoIssuer = "https://oidc.deno.com";
/** Longest token that is looked at, characters; theirs have about 1,000. */
export const maxIdTokenLength = 8_192;
/** Longest life of a token, seconds; theirs live five minutes. */
const maxLifeS = 600;
/** How far the provider's clock may be from ours, seconds. */
const leewayS = 30;

/** Against what a token is held. */
export interface DenoTokenExpected {
  /** Exactly what `iss` must be. */
  readonly issuer: string;
  /** Where workloads reach control, such as `https://control.example.com`. */
  readonly controlUrl: string;
  /** RFC 7638, of the key whose possession was proved. */
  readonly thumbprint: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** What Deno Deploy says of a process, and the nonce that it says it to. */
export interface DenoStatement {
  readonly facts: Facts;
  readonly nonce: string;
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number;
}

/** `keys`: the provider's keys cannot be had, which passes. All others mean that nobody may believe this. */
export type DenoFault =
  | "form"
  | "algorithm"
  | "keys"
  | "kid"
  | "signature"
  | "issuer"
  | "audience"
  | "time"
  | "claims";

/**
 * The audience that a token must have been made for: this control plane, one nonce, and one key. A token that is
 * stolen, or was made for somebody else, is of no use with another key.
 */
export const audienceFor = (controlUrl: string, nonce: string, thumbprint: string): string =>
  `${controlUrl}/attest#${nonce}.${thumbprint}`;

/**
 * Verifies an OIDC token of Deno Deploy. Its key comes from the provider's own key set and from nowhere else: `jwk`,
 * `jku` and `x5u` of a header are not read. Identifiers are what counts, since slugs can be given to another app.
 */
export async function verifyDenoToken(
  token: string,
  expected: DenoTokenExpected,
  keys: ProviderKeys,
): Promise<Result<DenoStatement, DenoFault>> {
  const header = token.length > maxIdTokenLength ? undefined : headerOf(token);
  if (header === undefined) return no("form");
  const { alg, kid, typ } = header;
  if (!isProviderAlgorithm(alg)) return no("algorithm");
  if (typeof kid !== "string" || kid.length > 256) return no("kid");
  if (typ !== undefined && typ !== "JWT") return no("form");
  const key = await keys.find(kid, alg, expected.now);
  if (key === "unavailable") return no("keys");
  if (key === "unknown") return no("kid");
  let claims: unknown;
  try {
    const { payload } = await compactVerify(token, key, { algorithms: [alg] });
    claims = JSON.parse(new TextDecoder().decode(payload));
  } catch {
    // jose and JSON.parse may quote the token; what they mean is that the provider did not sign it.
    return no("signature");
  }
  return typeof claims === "object" && claims !== null
    ? judge(claims as Readonly<Record<string, unknown>>, expected)
    : no("claims");
}

function judge(
  claims: Readonly<Record<string, unknown>>,
  { issuer, controlUrl, thumbprint, now }: DenoTokenExpected,
): Result<DenoStatement, DenoFault> {
  const { iss, aud, exp, nbf, iat, sub } = claims;
  if (iss !== issuer) return no("issuer");
  // A list of audiences is a token for others too.
  const nonce = typeof aud === "string" ? nonceIn(aud, controlUrl, thumbprint) : undefined;
  if (nonce === undefined) return no("audience");
  const nowS = now / 1_000;
  if (!isTime(exp) || !isTime(iat) || !(nbf === undefined || isTime(nbf))) return no("time");
  if (exp <= nowS - leewayS || iat > nowS + leewayS || (nbf ?? iat) > nowS + leewayS) return no("time");
  if (exp <= iat || exp - iat > maxLifeS) return no("time");
  if (typeof sub !== "string" || !sub.startsWith("deployment:")) return no("claims");
  const facts: Record<string, string> = {};
  for (const name of ["org_id", "app_id", "context_id", "context_name"]) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (typeof value !== "string" || value === "" || value.length > 256) return no("claims");
    facts[name] = value;
  }
  return ok({ facts, nonce, issuedAt: iat * 1_000 });
}

/** What stands between this control plane's address and the key. */
function nonceIn(audience: string, controlUrl: string, thumbprint: string): string | undefined {
  const [start, end] = [audienceFor(controlUrl, "", ""), `.${thumbprint}`];
  const before = start.slice(0, -1);
  if (!audience.startsWith(before) || !audience.endsWith(end)) return undefined;
  const nonce = audience.slice(before.length, audience.length - end.length);
  return /^[A-Za-z0-9_-]{1,128}$/.test(nonce) ? nonce : undefined;
}

const isTime = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

function headerOf(token: string): ReturnType<typeof decodeProtectedHeader> | undefined {
  try {
    return decodeProtectedHeader(token);
  } catch {
    // Not a token; the caller says so.
    return undefined;
  }
}
