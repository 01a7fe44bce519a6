import { no, ok, type Result } from "../foundation/result.ts";
import { base64url, base64urlBytes, sha256, sha256Text } from "./bytes.ts";
import { agreed, keyBytes, keyNamed, type SessionKey, x25519 } from "./session-keys.ts";
import { grantLifeS, grantType, maxGrantLength } from "./session-profile.ts";
import { proofSkewMs } from "./wimse-profile.ts";
import type { Credential } from "./words.ts";

/** What a grant says; in this order, and nothing else. */
export interface GrantClaims {
  /** The one SPIFFE ID that it is for. */
  readonly aud: string;
  /** The caller's half of the agreement, made for this session: X25519 in base64url. */
  readonly epk: string;
  /** The key of the recipient's service that it was agreed with. */
  readonly dk: string;
  /** Seconds since the Unix epoch. */
  readonly iat: number;
  readonly exp: number;
  /** base64url SHA-256 of the caller's token (as `wth` of WPT §3): its key signs the grant. */
  readonly wth: string;
}

/** A session as its caller has it. */
export interface Session {
  /** Compact JWS by the token's key. */
  readonly grant: string;
  /** For MACs over requests. */
  readonly key: CryptoKey;
  /** The token that the grant belongs to. */
  readonly wit: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** A session as its recipient has it. */
export interface GrantedSession {
  readonly key: CryptoKey;
  /** The very text of the token that it belongs to. */
  readonly wit: string;
  /** The key of this service that it was agreed with: without it there is no session either. */
  readonly serviceKey: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

const encoder = new TextEncoder();
const es256 = { name: "ECDSA", hash: "SHA-256" } as const;
const bytesOfText = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(encoder.encode(text));

/** The protected header: compared as text, so that there is nothing in it to be read in two ways. */
const headerPart = base64url(encoder.encode(JSON.stringify({ alg: "ES256", typ: grantType })));

/**
 * Begins a session: agrees a key with a service, and has the workload's key sign what it was agreed by.
 *
 * The key that signs also signs requests. Neither can be taken for the other: a JWS input begins with `eyJ`, a signature
 * base (RFC 9421 §2.5) with a quote.
 *
 * @param audience the recipient's SPIFFE ID
 * @param serviceKey what the recipient told of its key
 * @param now milliseconds since the Unix epoch
 * @returns undefined where that is no key to agree anything with
 */
export async function beginSession(
  audience: string,
  serviceKey: string,
  { id, privateKey, wit, expiresAt }: Credential,
  now: number,
): Promise<Session | undefined> {
  const theirs = keyBytes(serviceKey);
  if (theirs === undefined) return undefined;
  const iat = Math.floor(now / 1_000);
  const exp = Math.min(iat + grantLifeS, Math.floor(expiresAt / 1_000));
  const pair = (await crypto.subtle.generateKey(x25519, false, ["deriveBits"])) as CryptoKeyPair;
  // Some runtimes' types do not tell that "raw" gives bytes.
  const ours = new Uint8Array((await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer);
  const wth = await sha256Text(wit);
  const claims: GrantClaims = { aud: audience, epk: base64url(ours), dk: serviceKey, iat, exp, wth };
  const signed = `${headerPart}.${base64url(encoder.encode(JSON.stringify(claims)))}`;
  const signature = await crypto.subtle.sign(es256, privateKey, bytesOfText(signed));
  const grant = `${signed}.${base64url(new Uint8Array(signature))}`;
  const shared = await agreed(pair.privateKey, theirs);
  if (shared === undefined) return undefined;
  const key = await requestKey(shared, { grant, caller: id.uri, audience, serviceKey: theirs }, "sign");
  return { grant, key, wit, expiresAt: exp * 1_000 };
}

/** By what is judged what a grant says. */
export interface GrantReader {
  /** Our own SPIFFE ID. */
  readonly audience: string;
  /** Who brings the grant, by a token that has been verified: whose, its key, until when. */
  readonly caller: {
    readonly id: { readonly uri: string };
    readonly proofKey: CryptoKey;
    readonly expiresAt: number;
  };
  /** The text of that token. */
  readonly wit: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** By what a grant is judged. */
export interface GrantJudge extends GrantReader {
  readonly keys: readonly SessionKey[];
}

/**
 * Verifies a grant, and agrees on the key of its session: as {@link readGrant} does, and then that it is for a service key
 * that is in use, and that the caller's key is no point of low order (RFC 7748 §6.1).
 *
 * The whole grant goes into the key (RFC 9180 §9.1 calls it context): so a caller's half that somebody copies into a grant
 * of his own agrees on another key, and he who copies it does not know it.
 */
export async function openGrant(grant: string, judge: GrantJudge): Promise<Result<GrantedSession, string>> {
  const { audience, keys, caller, wit, now } = judge;
  const read = await readGrant(grant, judge);
  if (!read.ok) return read;
  const { dk, epk, exp } = read.value;
  const serviceKey = keyNamed(keys, dk, now);
  if (!serviceKey.ok) return serviceKey;
  const theirs = keyBytes(epk);
  const shared = theirs && (await agreed(serviceKey.value.privateKey, theirs));
  if (shared === undefined) return no("the grant has no key to agree anything with");
  const parties = { grant, caller: caller.id.uri, audience, serviceKey: serviceKey.value.publicKey };
  const key = await requestKey(shared, parties, "verify");
  return ok({ key, wit, serviceKey: dk, expiresAt: exp * 1_000 });
}

/**
 * Verifies what a grant says. Checks, in this order: size and form; header of exactly our text; signature by the key of the
 * token that comes with it; claims of exactly our text, for that token and for us; times, no longer than ten minutes nor
 * than the token.
 */
export async function readGrant(grant: string, judge: GrantReader): Promise<Result<GrantClaims, string>> {
  const { audience, caller, wit, now } = judge;
  if (grant.length > maxGrantLength) return no(`the grant is longer than ${maxGrantLength} characters`);
  const [header, payload, signature, ...more] = grant.split(".");
  if (header !== headerPart || payload === undefined || signature === undefined || more.length > 0)
    return no("the grant is not a compact JWS with exactly our header");
  // 64 bytes in canonical base64url: the last of 86 digits carries four bits that must be zero.
  if (!/^[A-Za-z0-9_-]+$/.test(payload) || !/^[A-Za-z0-9_-]{85}[AQgw]$/.test(signature))
    return no("the grant is not in canonical base64url");
  const signedText = bytesOfText(`${header}.${payload}`);
  if (!(await crypto.subtle.verify(es256, caller.proofKey, base64urlBytes(signature), signedText)))
    return no("the grant is not signed by the token's key");
  const claims = claimsOf(payload);
  if (claims === undefined) return no("the claims of the grant are not exactly ours");
  if (claims.wth !== (await sha256Text(wit))) return no("the grant is for another token");
  if (claims.aud !== audience) return no("the grant is for another workload");
  const untimely = untimelyGrant(claims, caller.expiresAt, now);
  return untimely === undefined ? ok(claims) : no(untimely);
}

/** The claims, if their text is the one that we would write: no member more, none twice, no blank. */
function claimsOf(payload: string): GrantClaims | undefined {
  try {
    const text = new TextDecoder().decode(base64urlBytes(payload));
    const given: unknown = JSON.parse(text);
    if (typeof given !== "object" || given === null) return undefined;
    const { aud, epk, dk, iat, exp, wth } = given as Partial<Record<keyof GrantClaims, unknown>>;
    if (typeof aud !== "string" || typeof epk !== "string" || typeof dk !== "string") return undefined;
    if (typeof wth !== "string" || !Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) return undefined;
    const claims: GrantClaims = { aud, epk, dk, iat: Number(iat), exp: Number(exp), wth };
    const isExact = base64url(encoder.encode(JSON.stringify(claims))) === payload;
    return isExact ? claims : undefined;
  } catch {
    // JSON.parse may quote what it read; whatever it says, these are not our claims.
    return undefined;
  }
}

function untimelyGrant({ iat, exp }: GrantClaims, tokenExpiresAt: number, now: number): string | undefined {
  if (iat * 1_000 > now + proofSkewMs) return "the grant was made in the future";
  if (exp * 1_000 <= now) return "the session has expired";
  if (exp - iat > grantLifeS) return "the session lives too long";
  return exp * 1_000 > tokenExpiresAt ? "the session lives longer than the token" : undefined;
}

/** Who agreed, and by what. */
interface Parties {
  readonly grant: string;
  readonly caller: string;
  readonly audience: string;
  readonly serviceKey: Uint8Array;
}

/**
 * The key of requests (HKDF, RFC 5869): salted with the whole grant, bound to both names and to the service's key. It is
 * good for this direction alone; answers are signed, or not proved at all.
 */
async function requestKey(
  shared: ArrayBuffer,
  { grant, caller, audience, serviceKey }: Parties,
  usage: "sign" | "verify",
): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
  const salt = (await sha256(encoder.encode(`tulle-session-v1 ${grant}`))) as Uint8Array<ArrayBuffer>;
  const names = `tulle/1 request ${caller.length} ${caller} ${audience.length} ${audience} `;
  const info = new Uint8Array([...encoder.encode(names), ...serviceKey]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt, info };
  const mac = { name: "HMAC", hash: "SHA-256", length: 256 };
  return crypto.subtle.deriveKey(derivation, material, mac, false, [usage]);
}
