import type { HeaderFields } from "../foundation/fields.ts";
import { header } from "../foundation/headers.ts";
import type { IdentityStep } from "../foundation/refusal.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { base64 } from "./bytes.ts";
import type { GrantedSessions } from "./granted-sessions.ts";
import type { ReplayWindow } from "./replay.ts";
import { type GrantedSession, type GrantJudge, openGrant, type Session } from "./session-grant.ts";
import { keyNamed, type SessionKey } from "./session-keys.ts";
import { macBytes } from "./session-profile.ts";
import { fieldValue, requestTarget, signatureBase } from "./signature-base.ts";
import {
  parseSignature,
  parseSignatureInput,
  type SignatureInput,
  signatureParameters,
} from "./signature-input.ts";
import { type Unverified, type VerifiedWit, verifyWit, type WitCache } from "./svid.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import {
  maxComponents,
  maxHeadLength,
  maxProofValidityS,
  methodComponent,
  mustBeCovered,
  proofSkewMs,
  proofValidityS,
  signatureLabel,
  targetComponent,
} from "./wimse-profile.ts";
import type { Credential } from "./words.ts";

const es256 = { name: "ECDSA", hash: "SHA-256" } as const;
const hmac = "HMAC";
const encoder = new TextEncoder();

/** Where signature bases are written, one after the other: to make room anew for each costs half of an encoding. */
const room = new Uint8Array(8_192);

/**
 * The bytes of a signature base, until the next call: WebCrypto copies what it is given before it returns
 * (Web Cryptography §14.3.3, step 2).
 */
function bytesOf(base: string): Uint8Array<ArrayBuffer> {
  // Three bytes a character at most.
  if (base.length * 3 > room.length) return new Uint8Array(encoder.encode(base));
  return room.subarray(0, encoder.encodeInto(base, room).written);
}

/** The parts of a request that a proof speaks of. */
export interface ProvenMessage {
  /** Upper case, as the wire has it. */
  readonly method: string;
  /** The whole URL, as the `Request` on either side has it. Read often: not a `Request`, which makes it anew each time. */
  readonly url: string;
  readonly headers: HeaderFields;
}

/**
 * Proves a request: sets `Workload-Identity-Token`, `Signature-Input` and `Signature` on its headers, in the
 * place of any that an earlier attempt left there. Covers method, request target, and whichever of the
 * headers of {@link mustBeCovered} the request has; to be called when all of those are final.
 *
 * @param audience the destination's SPIFFE ID: a binding's host name means nothing, so this names the callee
 * @param now milliseconds since the Unix epoch
 * @param nonce unique for this key; printable ASCII without quotes and backslashes
 * @returns the reason when the request cannot be signed: its method or a covered header cannot be written unambiguously
 */
export async function signMessage(
  message: ProvenMessage,
  proof: {
    audience: string;
    credential: Credential;
    now: number;
    nonce: string;
    /** Demands that the answer be signed. @default false */
    signResponse?: boolean;
    /** Proves by this session's key, and not by the credential's. */
    session?: Session | undefined;
  },
): Promise<Result<undefined, string>> {
  const { method, headers } = message;
  const { audience, credential, now, nonce, signResponse = false, session } = proof;
  if (!isMethod(method)) return no("Cannot sign a request: its method must be upper case");
  if (session === undefined) headers.delete(header.session);
  else headers.set(header.session, session.grant);
  const { present } = proofParts(headers);
  present.set(header.identityToken, credential.wit);
  if (present.size > maxComponents - 2)
    return no(`Cannot sign a request: more than ${maxComponents} parts would be covered`);
  const components = [methodComponent, targetComponent, ...present.keys()];
  const created = Math.floor(now / 1_000);
  const parameters = signatureParameters(components, {
    created,
    expires: created + proofValidityS,
    nonce,
    audience,
    signResponse,
    bySession: session !== undefined,
  });
  const base = signatureBase(components, parameters, (component) =>
    componentValue(component, message, present, credential.wit),
  );
  if (!base.ok) return no(`Cannot sign a request: ${base.reason}`);
  const signature = await (session === undefined
    ? signatureOver(credential.privateKey, base.value)
    : crypto.subtle.sign(hmac, session.key, bytesOf(base.value)));
  headers.set(header.identityToken, credential.wit);
  headers.set(header.signatureInput, `${signatureLabel}=${parameters}`);
  headers.set(header.signature, signatureField(signature));
  return ok(undefined);
}

/** What a key makes of a signature base. */
export const signatureOver = (key: CryptoKey, base: string): Promise<ArrayBuffer> =>
  crypto.subtle.sign(es256, key, bytesOf(base));

/** A signature as its header has it. */
export const signatureField = (signature: ArrayBuffer): string =>
  `${signatureLabel}=:${base64(new Uint8Array(signature))}:`;

/** What a verified proof vouches for. */
export interface VerifiedMessage {
  readonly caller: VerifiedWit;
  /** The text of the caller's token. */
  readonly token: string;
  /** `Content-Digest`, covered by the proof; undefined when the request has none. */
  readonly contentDigest: string | undefined;
  readonly input: SignatureInput;
}

/** Where and by what a proof is judged. */
export interface Verifier {
  /** Our own SPIFFE ID, from our own policy; `Host` and the like are never asked. */
  readonly audience: string;
  readonly bundle: TrustBundle;
  readonly cache: WitCache;
  readonly replay: ReplayWindow;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** What proofs by session are judged by. Absent: none is believed. */
  readonly sessions?: SessionJudge | undefined;
}

/** This service's keys for sessions, and the sessions that were granted. */
export interface SessionJudge {
  readonly keys: readonly SessionKey[];
  readonly granted: GrantedSessions;
}

/**
 * Verifies the token and the proof of a request, in the order of {@link IdentityStep}. Every header of
 * {@link mustBeCovered} that the request has must be covered; covering more is allowed. Nothing of the
 * request has been used before this is through, and the body is still to be compared with `contentDigest`.
 */
export async function verifyMessage(
  message: ProvenMessage,
  { audience, bundle, cache, replay, now, sessions }: Verifier,
): Promise<Result<VerifiedMessage, Unverified>> {
  const { length, present, inputHeader, signatureHeader } = proofParts(message.headers);
  const wit = present.get(header.identityToken)?.trim();
  if (wit === undefined || inputHeader === undefined || signatureHeader === undefined) {
    return failed("missing", "token, Signature-Input and Signature are required together");
  }
  const excess = oversize(length);
  if (excess !== undefined) return failed("malformed", excess);
  const input = parseSignatureInput(inputHeader);
  if (!input.ok) return failed("malformed", input.reason);
  const { bySession } = input.value;
  const signature = parseSignature(signatureHeader, input.value.label, bySession ? macBytes : 64);
  if (!signature.ok) return failed("malformed", signature.reason);
  const grant = present.get(header.session);
  if (bySession !== (grant !== undefined))
    return failed("malformed", "the tag and the grant of a session are required together");
  if (!isMethod(message.method)) return failed("malformed", "the method is not upper case");
  const gap = missingFrom(input.value, present);
  if (gap !== undefined) return failed("malformed", gap);

  // Nothing is awaited for a caller that is known, as nearly all are.
  const known = cache.recall(wit, bundle, now);
  const caller = known === undefined ? await verified(wit, { bundle, cache, now }) : ok(known);
  if (!caller.ok) return caller;
  const { components, parameters, nonce, expires } = input.value;
  const base = signatureBase(components, parameters, (component) =>
    componentValue(component, message, present, wit),
  );
  if (!base.ok) return failed("proof", base.reason);
  const { id, proofKey, thumbprint } = caller.value;
  if (grant === undefined) {
    if (!(await isSigned(proofKey, signature.value, base.value)))
      return failed("proof", "the signature is not by the token's key over this request");
  } else {
    if (id.trustDomain !== bundle.trustDomain)
      return failed("session", "sessions are for callers of our own trust domain");
    const judge = { audience, caller: caller.value, wit, now };
    const known = remembered(grant, judge, sessions);
    const session = known === undefined ? await granted(grant, judge, sessions) : ok(known);
    if (!session.ok) return failed("session", session.reason);
    if (!(await crypto.subtle.verify(hmac, session.value.key, signature.value, bytesOf(base.value))))
      return failed("proof", "the proof is not by the session's key over this request");
  }
  if (input.value.audience !== audience) return failed("audience", "the proof is for another workload");
  const untimely = outOfTime(input.value, now);
  if (untimely !== undefined) return failed("clock", untimely);
  // Another trust domain could give its workloads any number of names.
  const owner = id.trustDomain === bundle.trustDomain ? id.uri : id.trustDomain;
  const freshness = replay.admit(thumbprint, nonce, expires * 1_000, now, owner);
  if (freshness === "repeated") return failed("replay", "this nonce has been used");
  if (freshness === "full") return failed("replay", "too many nonces to tell whether this one has been used");
  const contentDigest = present.get(header.contentDigest);
  return ok({ caller: caller.value, token: wit, contentDigest, input: input.value });
}

/** Whether this key signed this signature base. */
export const isSigned = (
  key: CryptoKey,
  signature: Uint8Array<ArrayBuffer>,
  base: string,
): Promise<boolean> => crypto.subtle.verify(es256, key, signature, bytesOf(base));

/**
 * What a grant was found to be, if its key is still one of this service: whoever revokes the service, because its keys
 * leaked, means the sessions that were agreed with them too.
 */
function remembered(
  grant: string,
  { wit, now }: Pick<GrantJudge, "wit" | "now">,
  sessions: SessionJudge | undefined,
): GrantedSession | undefined {
  const session = sessions?.granted.recall(grant, wit, now);
  return session && keyNamed(sessions?.keys ?? [], session.serviceKey, now).ok ? session : undefined;
}

/** What a grant says, and keeps it in mind. */
async function granted(
  grant: string,
  judge: Omit<GrantJudge, "keys">,
  sessions: SessionJudge | undefined,
): Promise<Result<GrantedSession, string>> {
  if (sessions === undefined) return no("sessions are not taken here");
  if (!sessions.granted.admits(judge.wit, judge.now)) return no("the token has too many sessions already");
  const opened = await openGrant(grant, { ...judge, keys: sessions.keys });
  if (opened.ok) sessions.granted.keep(grant, opened.value);
  return opened;
}

/** What of a request's headers has to do with its proof. */
export interface ProofParts {
  /** Characters of all headers, names and values. */
  readonly length: number;
  readonly present: Map<string, string>;
  readonly inputHeader: string | undefined;
  readonly signatureHeader: string | undefined;
}

/** What a token says, and keeps it in mind. */
export async function verified(
  wit: string,
  { bundle, cache, now }: Pick<Verifier, "bundle" | "cache" | "now">,
): Promise<Result<VerifiedWit, Unverified>> {
  const found = await verifyWit(wit, bundle, now);
  if (found.ok) cache.keep(wit, found.value, bundle);
  return found;
}

/**
 * The headers that must be covered, and those of the proof itself, in one pass: beside the cryptography,
 * reading headers is what costs most here.
 */
export function proofParts(headers: HeaderFields): ProofParts {
  const present = new Map<string, string>();
  let length = 0;
  let inputHeader: string | undefined;
  let signatureHeader: string | undefined;
  headers.forEach((value, name) => {
    length += name.length + value.length;
    if (mustBeCovered(name)) present.set(name, value);
    else if (name === header.signatureInput) inputHeader = value;
    else if (name === header.signature) signatureHeader = value;
  });
  return { length, present, inputHeader, signatureHeader };
}

/** What is wrong with the size of a head, or undefined. */
export const oversize = (length: number): string | undefined =>
  length > maxHeadLength ? `the header fields have more than ${maxHeadLength} characters` : undefined;

/** What the proof leaves open although it must not, or undefined. */
export function missingFrom(
  { components }: SignatureInput,
  present: ReadonlyMap<string, string>,
): string | undefined {
  if (!components.includes(methodComponent) || !components.includes(targetComponent))
    return "method and request target must be covered";
  for (const name of present.keys()) {
    if (!components.includes(name)) return `${name} is present and not covered`;
  }
  return undefined;
}

/** What a covered component is, as it is signed; undefined where the message has no usable value for it. */
export function componentValue(
  component: string,
  { method, url, headers }: ProvenMessage,
  present: ReadonlyMap<string, string>,
  wit: string,
): string | undefined {
  if (component === methodComponent) return method;
  if (component === targetComponent) return fieldValue(requestTarget(url));
  // A token that is ours or has been verified is base64url: the longest value needs no second look.
  if (component === header.identityToken) return wit;
  const value = present.get(component) ?? headers.get(component);
  return value === null ? undefined : fieldValue(value);
}

/** What is wrong with the times of a proof, or undefined. */
export function outOfTime(
  { created, expires }: Pick<SignatureInput, "created" | "expires">,
  now: number,
): string | undefined {
  if (created * 1_000 > now + proofSkewMs) return "the proof was made in the future";
  if (expires * 1_000 <= now) return "the proof has expired";
  if (expires <= created) return "the proof expires before it was made";
  return expires - created > maxProofValidityS ? "the proof is valid for too long" : undefined;
}

/** Runtimes differ in which methods they turn to upper case, so only what all of them agree on is signed. */
export const isMethod = (method: string): boolean => /^[A-Z][A-Z-]{0,31}$/.test(method);

const failed = (step: IdentityStep, detail: string) => no<Unverified>({ step, detail });
