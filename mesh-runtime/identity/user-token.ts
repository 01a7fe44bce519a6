import { compactVerify } from "jose";
import { no, ok, type Result } from "../foundation/result.ts";
import type { Claims, EndUser, TokenRule } from "./end-user.ts";
import { isTokenAlgorithm, type KeySet, keysFor } from "./key-set.ts";

/** Longest token that is looked at, characters. Larger ones do not fit into the headers that servers take. */
export const maxTokenLength = 8_192;
/** How far the clock of an issuer may be from ours, milliseconds. */
export const tokenLeewayMs = 60_000;
const maxKidLength = 256;
/** Most keys that one token is held against: it need not name one, and each costs. */
const mostKeysTried = 16;

/** The check that failed. Counted, and told to operators; callers see none of it. */
export type TokenFault =
  | "several"
  | "malformed"
  | "algorithm"
  | "issuer"
  | "expired"
  | "audience"
  | "key"
  | "signature";

/** Why a token is not believed; never any part of it. */
export interface Disbelief {
  readonly fault: TokenFault;
  readonly detail: string;
}

/** A token taken apart. Nothing in it is verified. */
export interface ReadToken {
  readonly text: string;
  /** The middle part, as it stands there. */
  readonly payload: string;
  readonly alg: string;
  readonly kid: string | undefined;
  readonly claims: Claims;
}

/** Three parts of base64url, nothing else: no blanks, no padding, no commas of headers that were joined. */
const compact = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/**
 * Takes a token apart (RFC 7515 §5.2, RFC 7519 §7.2). `crit` is refused whatever it names, because no extension is
 * known here; `typ` is not looked at, because issuers write many. Of claims named twice the last one counts.
 */
export function readToken(text: string): Result<ReadToken, Disbelief> {
  if (text.length > maxTokenLength)
    return disbelieved("malformed", `it is longer than ${maxTokenLength} characters`);
  const parts = compact.exec(text);
  const [, head = "", payload = ""] = parts ?? [];
  const header = parts === null ? undefined : jsonOf(head);
  const claims = parts === null ? undefined : jsonOf(payload);
  if (header === undefined || claims === undefined) return disbelieved("malformed", "it is not a signed JWT");
  const { alg, kid, crit } = header;
  if (!isTokenAlgorithm(alg))
    return disbelieved("algorithm", "its algorithm is none of those with a public key");
  if (crit !== undefined) return disbelieved("malformed", "it demands extensions (crit)");
  if (kid !== undefined && (typeof kid !== "string" || kid.length > maxKidLength))
    return disbelieved("malformed", "its kid is not a short text");
  return ok({ text, payload, alg, kid, claims });
}

/** A part of a token: an object, in JSON, in UTF-8. */
function jsonOf(part: string): Claims | undefined {
  try {
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (each) =>
      each.charCodeAt(0),
    );
    const value: unknown = JSON.parse(
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
    );
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Claims)
      : undefined;
  } catch {
    // Whatever the parsers say, and they quote what they read, it is no part of a token.
    return undefined;
  }
}

/**
 * Whether a token's claims are those that a rule demands now: `exp` in the future and `nbf` in the past, within a
 * minute; an audience of the rule's. A token without `exp` would be valid for ever, and is refused.
 *
 * @returns when it ends, milliseconds since the Unix epoch, leeway included
 */
export function judgeClaims(
  { exp, nbf, aud }: Claims,
  { audiences }: TokenRule,
  now: number,
): Result<number, Disbelief> {
  if (typeof exp !== "number" || !Number.isFinite(exp))
    return disbelieved("expired", "its exp is missing or not a number");
  if (nbf !== undefined && (typeof nbf !== "number" || !Number.isFinite(nbf)))
    return disbelieved("expired", "its nbf is not a number");
  const until = exp * 1_000 + tokenLeewayMs;
  if (until <= now) return disbelieved("expired", "it has expired");
  if (nbf !== undefined && nbf * 1_000 > now + tokenLeewayMs)
    return disbelieved("expired", "it is not valid yet");
  const meant: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (audiences !== undefined && !meant.some((one) => typeof one === "string" && audiences.includes(one)))
    return disbelieved("audience", "it is for another audience");
  return ok(until);
}

/**
 * Verifies a token's signature with the keys of its issuer that may have made it.
 *
 * @returns undefined: one of them did. `key`: there is none for it, and newer keys might tell otherwise.
 */
export async function judgeSignature(
  { text, alg, kid }: ReadToken,
  keys: KeySet,
): Promise<Disbelief | undefined> {
  const candidates = keysFor(keys, alg, kid).slice(0, mostKeysTried);
  for (const candidate of candidates) {
    try {
      // jose makes the platform's key of a JWK once, and keeps it with the object.
      await compactVerify(text, candidate.jwk, { algorithms: [alg] });
      return undefined;
    } catch {
      // Not this one, or the platform does not take it. What jose says may quote the token.
    }
  }
  // Without a kid on both sides a key that is not there yet looks like a signature that does not verify.
  const named = candidates.some((candidate) => candidate.kid !== undefined && candidate.kid === kid);
  return named
    ? { fault: "signature", detail: "its signature does not verify" }
    : { fault: "key", detail: "no key of its issuer has signed it" };
}

/** The end user that a verified token speaks of. */
export function userOf(
  { claims }: ReadToken,
  { issuer, spaceDelimited }: TokenRule,
  issuers: readonly string[],
): Result<EndUser, Disbelief> {
  const { sub = "" } = claims;
  if (typeof sub !== "string") return disbelieved("malformed", "its sub is not a text");
  const principal = sub === "" ? "" : `${issuer}/${sub}`;
  // "https://id.example" could otherwise name somebody who is "https://id.example/staff"'s, by a slash in `sub`.
  if (
    issuers.some(
      (other) => other !== issuer && principal.startsWith(`${other}/`) && other.length > issuer.length,
    )
  )
    return disbelieved("malformed", "its sub would name a user of another issuer");
  return ok({ issuer, subject: sub, principal, claims, spaceDelimited });
}

const disbelieved = (fault: TokenFault, detail: string) => no<Disbelief>({ fault, detail });
