import type { Answer, Arrival, BindingProps, Noted, Said } from "../foundation/exchange.ts";
import { Fields, type HeaderFields } from "../foundation/fields.ts";
import { header, identityHeaders, meshPrefix } from "../foundation/headers.ts";
import { layer } from "../foundation/layer.ts";
import type { Clock } from "../foundation/ports.ts";
import type { IdentityStep, Refusal } from "../foundation/refusal.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import type { Asked } from "./answer-proof.ts";
import { type AnsweringPorts, answering } from "./answering.ts";
import { readUpTo, type Shelf } from "./body.ts";
import { type BodyPlace, BodyRoom, largestBody } from "./body-room.ts";
import { mismatch } from "./content-digest.ts";
import type { DigestLimits } from "./digested.ts";
import type { GrantedSessions } from "./granted-sessions.ts";
import { outOfTime, type VerifiedMessage, verified, verifyMessage } from "./proof.ts";
import type { ReplayWindow } from "./replay.ts";
import { offered, type SessionKey } from "./session-keys.ts";
import { sessionTag } from "./session-profile.ts";
import type { SignatureInput } from "./signature-input.ts";
import { isWorkloadName, workloadId, workloadOf } from "./spiffe-id.ts";
import type { Unverified, WitCache } from "./svid.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import { isWatch } from "./unrepeated.ts";
import { signatureTag } from "./wimse-profile.ts";
import type { Evidence, Identified, Mode, OneUse, Principal, Replay, SpiffeId } from "./words.ts";

export interface IdentifiedPorts {
  /** The trust bundle in force; undefined before the first join. */
  readonly trust: () => TrustBundle | undefined;
  /**
   * The newest bundle that can be had now; undefined when it is not asked for again so soon. Asked for a token whose
   * key the bundle in force lacks, because a key may have been rotated while this isolate slept.
   */
  readonly refreshTrust?: () => Promise<TrustBundle | undefined>;
  readonly cache: WitCache;
  readonly replay: ReplayWindow;
  /** Room for bodies that are read to be compared. @default those of an isolate, its own */
  readonly bodies?: BodyRoom;
  readonly clock: Clock;
  /** What callers agree sessions with, and the sessions they were granted. Absent: callers sign each request. */
  readonly sessions?: SessionPorts;
  /** What answers are signed with, for callers that demand it. Absent: they are refused. */
  readonly signing?: AnsweringPorts | undefined;
  /** Adds one to a named counter. */
  readonly count: (counter: string) => void;
}

export interface SessionPorts {
  /** This service's keys; none while its isolate has no credential. */
  readonly keys: () => readonly SessionKey[];
  readonly granted: GrantedSessions;
}

/** What of the policy in force decides about callers. */
export interface IdentityPolicy {
  readonly self: SpiffeId;
  readonly inbound: {
    readonly mode: Mode;
    /** The weakest evidence that is accepted. */
    readonly evidence: Evidence;
    readonly maxDigestBytes: number;
    readonly largeBody: "reject" | "unsigned";
    /** `strict`: every proof is used once in the whole mesh; otherwise those on routes that say so are. */
    readonly replay?: Replay;
    /** Whether each request has to be signed; absent: a session may prove several. */
    readonly sessionProofs?: "refused";
  };
}

type Arriving = Arrival & Noted & { readonly policy: IdentityPolicy };

/** What of an arrival says who calls. */
export type Arrived = Pick<Arrival, "bindingProps"> & {
  readonly request: Pick<Request, "method" | "url" | "body">;
  readonly policy: IdentityPolicy;
};

/**
 * Knows who calls, or refuses.
 *
 * A proof that is present is always verified, and a bad one is refused in PERMISSIVE mode too: who tries to
 * prove an identity and fails is broken or an attacker, and admitting it as "nobody" would make tampering
 * invisible. Without a proof, the platform's word (`bindingProps`) counts where the policy takes evidence
 * `binding`. With neither, STRICT refuses, and PERMISSIVE lets in an undefined principal and counts it.
 *
 * What goes on is a request without any header that could be taken for an identity, and without mesh headers;
 * what an identified caller's mesh said in those goes on beside it. A body under a
 * digest is read, compared and handed on as bytes before anybody sees it.
 */
export const identified = (ports: IdentifiedPorts) => {
  const ids = new BindingIds();
  return layer<Arriving, Identified, Answer>("identified", (next) => async (exchange) => {
    // One pass over what the platform has: two layers of names are looked up in it.
    const fields = new Fields(exchange.request.headers);
    const known = await identify(exchange, fields, ports, ids);
    if (!known.ok) return known;
    const { principal, body, oneUse, asked, sessionKey } = known.value;
    if (principal !== undefined) {
      exchange.notes.peer = principal.id.uri;
      // Another trust domain is one source: it could give its workloads any number of names, or those of ours.
      exchange.notes.source = principal.foreign
        ? principal.id.trustDomain
        : `${principal.namespace}/${principal.service}`;
      exchange.notes.evidence = principal.evidence;
    }
    const onward = {
      ...exchange,
      principal,
      said: principal === undefined ? nothing : saidIn(fields, principal),
      oneUse,
      sessionKey,
      request: cleaned(exchange.request, fields, body),
    };
    return asked === undefined ? next(onward) : answering(asked, exchange, ports, () => next(onward));
  });
};

/** The IDs of callers that bindings have named: to check the names and write the ID costs more than all else about them. */
export class BindingIds {
  readonly #ids = new Map<string, SpiffeId>();

  /** Undefined when namespace or service cannot be the name of a workload. */
  of(trustDomain: string, namespace: string, service: string): SpiffeId | undefined {
    // No valid name has a line break in it, so that no two names share a key with a valid pair.
    const key = `${trustDomain}\n${namespace}\n${service}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    if (!isWorkloadName(namespace) || !isWorkloadName(service)) return undefined;
    const id = Object.freeze(workloadId(trustDomain, namespace, service));
    if (this.#ids.size >= mostBindingIds) this.#ids.clear();
    this.#ids.set(key, id);
    return id;
  }
}

/** More callers than one worker is bound to; what comes above begins anew. */
const mostBindingIds = 1_000;

/** Who calls, and the body if it had to be read to know. */
export interface Known {
  readonly principal: Principal | undefined;
  readonly body?: Uint8Array;
  readonly oneUse?: OneUse | undefined;
  /** The request, where its caller demands a signed answer. */
  readonly asked?: Asked | undefined;
  /** The key to agree sessions with, where the caller is to be told. */
  readonly sessionKey?: string | undefined;
}

/** The judgement of {@link identified}: who calls, or why nobody can tell. */
export async function identify(
  exchange: Arrived,
  fields: HeaderFields,
  ports: IdentifiedPorts,
  ids: BindingIds,
): Promise<Result<Known, Refusal>> {
  const { request, policy, bindingProps } = exchange;
  if (claimsProof(fields)) return bySignature(request, fields, policy, ports);
  const { mode, evidence } = policy.inbound;
  const props = typeof bindingProps === "function" ? bindingProps() : bindingProps;
  const named = props === undefined ? undefined : byBinding(props, policy.self, ids);
  if (named?.ok && evidence === "binding") return ok({ principal: named.value });
  if (mode === "PERMISSIVE") {
    ports.count("permissive_admitted");
    return ok({ principal: undefined });
  }
  if (named === undefined) return refused("missing", "the request carries no identity");
  return named.ok
    ? refused("evidence", "a signature is demanded, and the caller is known by its binding only")
    : named;
}

/**
 * Whether a request tries to prove a workload's identity. Signatures with other tags are none of ours: a
 * client outside the mesh may sign for somebody else's reasons.
 */
export function claimsProof(headers: HeaderFields): boolean {
  if (headers.has(header.identityToken)) return true;
  const input = headers.get(header.signatureInput);
  return input !== null && (input.includes(signatureTag) || input.includes(sessionTag));
}

/** The caller that the platform names. Undefined when it names none: a binding without props. */
function byBinding(
  { service, namespace }: BindingProps,
  self: SpiffeId,
  ids: BindingIds,
): Result<Principal, Refusal> | undefined {
  if (service === undefined && namespace === undefined) return undefined;
  const malformed = "the binding's props must name service and namespace as RFC 1123 labels";
  if (typeof service !== "string" || typeof namespace !== "string") return refused("malformed", malformed);
  const id = ids.of(self.trustDomain, namespace, service);
  if (id === undefined) return refused("malformed", malformed);
  return ok({ id, namespace, service, evidence: "binding" });
}

async function bySignature(
  request: Arrived["request"],
  headers: HeaderFields,
  policy: IdentityPolicy,
  { trust, refreshTrust, cache, replay, clock, bodies = new BodyRoom(), sessions }: IdentifiedPorts,
): Promise<Result<Known, Refusal>> {
  const bundle = trust();
  if (bundle === undefined) {
    return no({
      kind: "mesh-not-ready",
      detail: "no trust bundle to verify callers with",
      retryAfterMs: 1_000,
    });
  }
  const keys = policy.inbound.sessionProofs === undefined ? sessions?.keys() : undefined;
  const judge = sessions && keys && { keys, granted: sessions.granted };
  const verifier = { audience: policy.self.uri, bundle, cache, replay, now: clock.now(), sessions: judge };
  const { method, url } = request;
  let message = await verifyMessage({ method, url, headers }, verifier);
  if (!message.ok && message.reason.outdated === true) {
    const newest = await refreshTrust?.();
    if (newest !== undefined && newest.sequence > bundle.sequence)
      message = await verifyMessage(
        { method, url, headers },
        { ...verifier, bundle: newest, now: clock.now() },
      );
  }
  if (!message.ok) return refused(message.reason.step, message.reason.detail);
  const { caller, token, contentDigest, input } = message.value;
  const workload = workloadOf(caller.id);
  if (workload === undefined)
    return refused("token", "sub does not name a workload (/ns/<namespace>/sa/<service>)");
  const isOurs = caller.id.trustDomain === policy.self.trustDomain;
  const known = { id: caller.id, ...workload, evidence: "signature" } as const;
  const principal: Principal = isOurs ? known : { ...known, foreign: true };
  // All of another trust domain is one sender: it names as many workloads as it likes.
  const sender = isOurs ? caller.id.uri : caller.id.trustDomain;
  const place = bodies.place(sender, input.expires * 1_000);
  const body = await verifiedBody(request, contentDigest, policy, { place, clock });
  if (!body.ok) return body;
  const lapse = body.value === undefined ? undefined : lapsed(message.value, bundle, { trust, cache, clock });
  // Nothing is awaited for a bundle that is still the same.
  const late = lapse instanceof Promise ? await lapse : lapse;
  if (late !== undefined) return refused(late.step, late.detail);
  const strict = policy.inbound.replay === "strict" || headers.get(header.replay) === "strict";
  const oneUse = strict ? oneUseOf(caller.thumbprint, sender, input, headers) : undefined;
  const asked = input.signResponse ? { method, url, nonce: input.nonce, token } : undefined;
  // Who wants signed answers signs each request.
  const mayBegin = isOurs && !input.bySession && !input.signResponse && keys !== undefined;
  const sessionKey = mayBegin ? offered(keys, verifier.now)?.name : undefined;
  const found = { principal, oneUse, asked, sessionKey };
  return ok(body.value === undefined ? found : { ...found, body: body.value });
}

/**
 * What has become of a proof while the body came, which its sender can send as slowly as he likes: whoever holds requests
 * back until he is revoked shall have nothing of them.
 */
function lapsed(
  { token, input }: VerifiedMessage,
  judged: TrustBundle,
  { trust, cache, clock }: Pick<IdentifiedPorts, "trust" | "cache" | "clock">,
): Unverified | undefined | Promise<Unverified | undefined> {
  const now = clock.now();
  const detail = outOfTime(input, now);
  if (detail !== undefined) return { step: "clock", detail };
  const bundle = trust();
  if (bundle === undefined || bundle.sequence === judged.sequence) return undefined;
  if (cache.recall(token, bundle, now) !== undefined) return undefined;
  return verified(token, { bundle, cache, now }).then((again) => (again.ok ? undefined : again.reason));
}

/** What is remembered of a proof. The headers are covered by it. */
function oneUseOf(
  sender: string,
  owner: string,
  { nonce, created, expires }: SignatureInput,
  headers: HeaderFields,
): OneUse {
  const watch = headers.get(header.watch) ?? "";
  return { sender, owner, nonce, created, expires, watch: isWatch(watch) ? watch : "" };
}

/**
 * Reads and verifies the body that a digest speaks of. Undefined where there is nothing to read or nothing to
 * compare. Without a digest only an empty body goes through, unless the policy lets bodies go unsigned.
 */
export async function verifiedBody(
  request: Pick<Request, "body"> & { readonly method?: string },
  contentDigest: string | undefined,
  { inbound }: { readonly inbound: DigestLimits },
  room?: { readonly place: BodyPlace; readonly clock: Clock },
): Promise<Result<Uint8Array | undefined, Refusal>> {
  if (request.body === null) {
    if (contentDigest === undefined) return ok(undefined);
    const wrong = await mismatch(contentDigest, new Uint8Array(0));
    return wrong === undefined ? ok(undefined) : refused("digest", wrong);
  }
  if (contentDigest === undefined && inbound.largeBody === "unsigned") return ok(undefined);
  // What no sender has room for is not worth another try.
  const most = room === undefined ? inbound.maxDigestBytes : Math.min(inbound.maxDigestBytes, largestBody);
  const bodiless = hasNoBody(request.method);
  const limitBytes = contentDigest === undefined || bodiless ? 0 : most;
  let head: Awaited<ReturnType<typeof readUpTo>>;
  try {
    head = await readUpTo(request.body, limitBytes, room && shelfOf(room));
  } catch {
    // The caller went away before its body was through; there is nobody left to tell more.
    return no({ kind: "cancelled" });
  } finally {
    room?.place.leave();
  }
  if (!head.whole) {
    // Whether the sender takes note that we stop reading is its affair; the answer is on its way already.
    head.rest.cancel().catch(() => undefined);
    if (head.crowded) return no({ kind: "overloaded", limit: "bodies to be compared", retryAfterMs: 1_000 });
    if (contentDigest === undefined) return refused("digest", "the body is not covered");
    return bodiless
      ? refused("digest", "GET and HEAD have no body that could be handed on")
      : no({ kind: "body-too-large", limitBytes });
  }
  const wrong = contentDigest === undefined ? undefined : await mismatch(contentDigest, head.bytes);
  return wrong === undefined ? ok(head.bytes) : refused("digest", wrong);
}

const shelfOf = ({ place, clock }: { readonly place: BodyPlace; readonly clock: Clock }): Shelf => ({
  kept: place.kept,
  take: (bytes) => place.take(bytes, clock.now()),
});

/**
 * Methods with which no Request is made that has a body (Fetch §5.4). What arrives with one may have a body all the same,
 * and workerd shows one where a client or a proxy only says that it is empty (`content-length: 0`).
 */
const hasNoBody = (method: string | undefined): boolean => method === "GET" || method === "HEAD";

const nothing: Said = { deadline: null, credits: null, hops: null, epoch: null };

/** Epochs of another trust domain are those of another mesh, and say nothing about this one. */
const saidIn = (headers: HeaderFields, { foreign }: Principal): Said => ({
  deadline: headers.get(header.deadline),
  credits: headers.get(header.credits),
  hops: headers.get(header.hops),
  epoch: foreign ? null : headers.get(header.epoch),
});

const claims: ReadonlySet<string> = new Set(identityHeaders);

/** The request without what must not go on; the very same one when there is no such thing. */
function cleaned(request: Request, fields: HeaderFields, body: Uint8Array | undefined): Request {
  const unwanted: string[] = [];
  fields.forEach((_value, name) => {
    if (claims.has(name) || name.startsWith(meshPrefix)) unwanted.push(name);
  });
  if (unwanted.length === 0 && body === undefined) return request;
  // Made from the request itself: so its signal, its platform properties and an upgrade go on with it.
  const verified = hasNoBody(request.method) ? null : (body as Uint8Array<ArrayBuffer>);
  const clean = new Request(request, body === undefined ? {} : { body: verified });
  const { headers } = clean;
  for (const name of unwanted) headers.delete(name);
  return clean;
}

const refused = (step: IdentityStep, detail: string) => no<Refusal>({ kind: "unidentified", step, detail });
