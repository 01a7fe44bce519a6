import type { Evidence, Mode, PublicJwk } from "@tulle/mesh-runtime/identity/words.ts";
import type { EffectiveRule } from "@tulle/mesh-runtime/policy/effective-rules.ts";
import type { Explanation } from "@tulle/mesh-runtime/policy/explanation.ts";
import type { Issue } from "@tulle/mesh-runtime/policy/issue.ts";
import type { DocumentStatus } from "@tulle/mesh-runtime/policy/status/words.ts";
import type { Traffic } from "@tulle/mesh-runtime/telemetry/edge-signals.ts";
import type { EdgeDelta, SpanRecord } from "@tulle/mesh-runtime/telemetry/words.ts";

/**
 * The admin API as its clients see it: shared by control and the CLI. All paths stand under `/api`
 * and want `Authorization: Bearer <operator token>`. Errors are RFC 9457 problems.
 */

/** Something that is wrong with a document, or with several together. */
export type { Issue } from "@tulle/mesh-runtime/policy/issue.ts";

export interface DocumentRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface StoredDocument extends DocumentRef {
  /** Revision that wrote this text. */
  readonly revision: number;
  /** The text as it was written (YAML or JSON). */
  readonly text: string;
  /** Since when the document has been there, ISO 8601: of two in conflict the older holds. Its text may say otherwise. */
  readonly creationTimestamp?: string;
  /** What it has come to, for kinds that have conditions (Gateway API). Its generation is `revision`. */
  readonly status?: DocumentStatus;
  /** Why this version of Tulle refuses it, although it is in force; absent: it does not. */
  readonly refused?: Refusal;
}

/** A document in force may be refused by a version of Tulle that did not take it. */
export interface Refusal {
  /** Everything that is wrong with it, in the words of apply. */
  readonly issues: readonly Issue[];
  /** What holds until it is mended; a sentence. */
  readonly meanwhile: string;
}

/** A document that is refused, `kind/namespace/name`. */
export interface RefusedDocument extends Refusal {
  readonly document: string;
}

export interface Change extends DocumentRef {
  readonly action: "created" | "changed" | "unchanged" | "deleted";
  /** Unified diff of the texts; empty for unchanged. */
  readonly diff: string;
}

/** `POST /api/policies` */
export interface ApplyRequest {
  readonly sources: readonly { readonly source: string; readonly text: string }[];
  readonly dryRun?: boolean;
  /** Compare-and-set: refuse with 409 unless this is the head revision. */
  readonly expectedRevision?: number;
  readonly reason?: string;
  /** Refuse the change if it leaves a reference unresolved, where Gateway API would accept it with a condition. */
  readonly strict?: boolean;
}

/** Answer of apply, delete and undo. With issues of severity `error` the status is 422 and nothing has changed. */
export interface ChangeAnswer {
  /** The head revision after the change (or the present one, for dry runs, refusals and no change). It is also the epoch. */
  readonly revision: number;
  readonly applied: boolean;
  readonly changes: readonly Change[];
  readonly issues: readonly Issue[];
}

/** `GET /api/policies/history?kind=&namespace=&name=` answers `Revision[]`, newest first. */
export interface Revision {
  readonly revision: number;
  readonly parent: number;
  readonly author: string;
  readonly reason: string;
  /** ISO 8601. */
  readonly at: string;
  readonly digest: string;
  readonly changes: readonly (DocumentRef & { readonly action: Change["action"] })[];
}

/** `POST /api/policies/undo`: takes back one revision (default: the newest). */
export interface UndoRequest {
  readonly revision?: number;
  readonly expectedRevision?: number;
}

/** `POST /api/sync` */
export interface SyncAnswer {
  readonly revision: number;
  readonly adopted: readonly Change[];
  readonly invalid: readonly { readonly key: string; readonly issues: readonly Issue[] }[];
}

export type SyncState = "SYNCED" | "STALE" | "NOT SEEN";

/** `GET /api/status` */
export interface StatusAnswer {
  readonly trustDomain: string;
  readonly revision: number;
  readonly epoch: number;
  /** ISO 8601, control's clock. */
  readonly time: string;
  readonly services: readonly {
    readonly service: string;
    readonly spiffeId: string;
    readonly state: SyncState;
    /** The oldest epoch that an isolate seen lately runs; 0 if none was seen. */
    readonly epoch: number;
    readonly isolates: number;
    /** Milliseconds since the last report; absent if none. */
    readonly lastSeenMs?: number;
    /** Whether this service only routes to others and so never reports itself. */
    readonly virtual: boolean;
  }[];
  /** Documents in force that this version of Tulle refuses; absent: none. */
  readonly refused?: readonly RefusedDocument[];
}

/** `GET /api/services?windowMs=`: golden signals over the window, one entry an edge, and the circuits. */
export interface ServicesAnswer {
  readonly windowMs: number;
  readonly edges: readonly EdgeDelta[];
  readonly circuits: readonly {
    readonly circuit: string;
    readonly state: string;
    readonly sinceMs: number;
    readonly epoch: number;
  }[];
  /** Upper bounds of the latency buckets, milliseconds; the last bucket is open. */
  readonly latencyBoundsMs: readonly number[];
}

/** `POST /api/explain`: what becomes of one request, and why. 404 where nobody could send it. */
export interface ExplainRequest {
  /** Who sends it: `name` or `namespace/name`. Absent: somebody outside, through a gateway. */
  readonly from?: string;
  /** Through which gateway: `gateway`, `namespace/gateway`, with `/listener` if need be. Not beside `from`. */
  readonly via?: string;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

export interface ExplainAnswer extends Explanation {
  /** Of the policy that was asked. */
  readonly epoch: number;
}

export type { Explanation } from "@tulle/mesh-runtime/policy/explanation.ts";

/**
 * `GET /api/routes?service=&namespace=&windowMs=`, or with `gateway=` in place of `service=`: the rules that hold, in
 * the order in which they decide, and what traffic each got. `namespace` keeps to callers of one namespace.
 */
export interface RoutesAnswer {
  /** `namespace/name` of the service or gateway. */
  readonly of: string;
  readonly kind: "Service" | "Gateway";
  readonly windowMs: number;
  readonly views: readonly RoutesView[];
  /** What no rule took. */
  readonly unrouted?: Traffic;
}

/** Rules that hold for the same requests. */
export interface RoutesView {
  /**
   * Whose routes these are: of the service's owner, for all who have none of their own; of the callers' namespace; of
   * nobody, so that the service is its own backend; or those at a listener of a gateway.
   */
  readonly routes: "producer" | "consumer" | "none" | "listener";
  /** Of the callers; empty at a listener. */
  readonly namespaces: readonly string[];
  /** Absent: for every port that no other view of these callers names. */
  readonly port?: number;
  /** `gateway-namespace/gateway-name/listener-name`. */
  readonly listener?: string;
  /** What routes are bound to at the listener; absent: every host. */
  readonly hostname?: string;
  /** In order of precedence. Matches of one rule show the traffic of the whole rule. */
  readonly rules: readonly (EffectiveRule & { readonly traffic?: Traffic })[];
  /** Rules beyond the thousand that are shown. */
  readonly omitted: number;
}

/** `GET /api/traces/:id` */
export interface TraceAnswer {
  readonly traceId: string;
  readonly spans: readonly SpanRecord[];
}

/** `GET /api/check`: what control knows about its own health; the CLI adds what only a client can see. */
export interface CheckAnswer {
  /** ISO 8601. */
  readonly time: string;
  readonly checks: readonly CheckLine[];
  /** The public key that signs bundles and heads, for workers to pin as TULLE_ROOT; absent while there is none. */
  readonly rootKey?: PublicJwk;
  /** The same, and the next one while the root rolls: what TULLE_ROOT should hold. */
  readonly rootKeys?: readonly PublicJwk[];
}

export interface CheckLine {
  readonly name: string;
  readonly result: "ok" | "warning" | "failed";
  readonly detail: string;
  /** What to do; empty when ok. */
  readonly remedy: string;
}

/** `GET /api/keys`; also the answer of `POST /api/keys/rotate` and `POST /api/keys/revoke`. */
export interface KeysAnswer {
  readonly keys: readonly KeyLine[];
  /** How long a key signs, milliseconds. */
  readonly rotationMs: number;
  readonly bundle: { readonly sequence: number /** ISO 8601. */; readonly expiresAt: string };
}

export interface KeyLine {
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  /** `signing`: signs tokens of workloads. `root`: signs bundles and heads. */
  readonly use: "signing" | "root";
  /** Published; in use; kept until the last token that it signed has ended. */
  readonly state: "prepared" | "active" | "retiring";
  /** ISO 8601; absent for root keys, which no clock moves. */
  readonly since?: string;
  /** When it moves on to the next state, or out of the bundle. */
  readonly movesAt?: string;
  /** Of root keys: what workers pin as TULLE_ROOT. */
  readonly publicJwk?: PublicJwk;
}

/** `POST /api/keys/rotate` */
export interface RotateRequest {
  /** @default signing */
  readonly key?: "signing" | "root";
  /** Of a root key that has been prepared and pinned: let it sign. */
  readonly activate?: boolean;
}

/** `POST /api/keys/revoke`: takes a signing key out of the bundle at once. */
export interface RevokeKeyRequest {
  readonly kid: string;
}

/** `POST /api/identity/revocations`, and `…/lift`: exactly one of the first three. */
export interface RevocationRequest {
  readonly spiffeId?: string;
  readonly jti?: string;
  /** RFC 7638 thumbprint of a workload's key. */
  readonly thumbprint?: string;
  readonly reason?: string;
}

/** `GET /api/identity/revocations`; also the answer of the two that change it. */
export interface RevocationsAnswer {
  readonly revoked: readonly RevocationLine[];
  /** Of the bundle that says so. */
  readonly sequence: number;
}

export interface RevocationLine {
  readonly kind: "spiffeId" | "jti" | "thumbprint";
  readonly value: string;
  /** ISO 8601. Tokens of an identity that were issued before are refused, lifted or not. */
  readonly at: string;
  /** Tokens are issued again since then. */
  readonly liftedAt?: string;
  readonly by: string;
  readonly reason: string;
}

/** `GET /api/identity` */
export interface IdentitiesAnswer {
  readonly identities: readonly IdentityLine[];
}

export interface IdentityLine {
  readonly service: string;
  readonly spiffeId: string;
  /** Milliseconds since the last report; absent if none. */
  readonly lastSeenMs?: number;
  /** Tokens issued to it, ever. */
  readonly issued: number;
  /** ISO 8601; absent if none. */
  readonly lastIssuedAt?: string;
  readonly revoked: boolean;
  /** Who may become it at present; without registration entries every binding and every join token that names it. */
  readonly attestors: readonly Attestor[];
  /** Whether it has registration entries, so that only these say who may become it. */
  readonly registered: boolean;
}

/** Ways in which a workload can show the issuer what it is. */
export type Attestor = "binding" | "deno-deploy" | "join-token";

/** `POST /api/identity/entries`: exactly one of the first two. Answers the {@link EntryLine}. */
export interface EntryRequest {
  /** `name` or `namespace/name` of a Service, for its SPIFFE ID. */
  readonly service?: string;
  readonly spiffeId?: string;
  readonly attestor: Attestor;
  /** Each `name:value`; all of them must be so. */
  readonly selectors?: readonly string[];
  /** How long tokens live that are issued by it, milliseconds, from 600_000 to 14_400_000. @default as all others */
  readonly ttlMs?: number;
  readonly note?: string;
}

/** A registration entry: `GET /api/identity/entries` answers all of them, those that are revoked too. */
export interface EntryLine {
  readonly id: string;
  readonly spiffeId: string;
  readonly attestor: Attestor;
  readonly selectors: readonly string[];
  readonly ttlMs?: number;
  readonly note: string;
  /** ISO 8601, as all times here. */
  readonly createdAt: string;
  readonly createdBy: string;
  /** Tokens issued by it, ever. */
  readonly issued: number;
  readonly lastIssuedAt?: string;
  readonly revokedAt?: string;
  readonly revokedBy?: string;
}

export interface EntriesAnswer {
  readonly entries: readonly EntryLine[];
}

/** `GET /api/identity/verification?service=`: what a worker verifies its callers with. */
export interface VerificationAnswer {
  /** The trust bundle as isolates get it: compact JWS. */
  readonly bundle: string;
  /** The keys that sign it. */
  readonly rootKeys: readonly PublicJwk[];
  /** What the service demands of its callers; absent where none was asked for. */
  readonly service?: {
    readonly service: string;
    readonly spiffeId: string;
    readonly inbound: {
      readonly mode: Mode;
      readonly evidence: Evidence;
      readonly maxDigestBytes: number;
      readonly largeBody: "reject" | "unsigned";
      readonly replay?: "strict";
    };
  };
}

/** `POST /api/identity/tokens` */
export interface TokenRequest {
  /** `name` or `namespace/name`. */
  readonly service: string;
  /** Milliseconds, at most 600_000. @default 600_000 */
  readonly ttlMs?: number;
}

export interface TokenAnswer {
  readonly service: string;
  /** Shown once; control keeps a hash of it. */
  readonly token: string;
  /** ISO 8601. */
  readonly expiresAt: string;
}

/** `POST /api/federation`; answers the {@link FederationLine}. */
export interface FederationRequest {
  readonly trustDomain: string;
  readonly bundleEndpoint: {
    /** `https`; `http` to this machine only. */
    readonly url: string;
    /** Who answers is verified by the Web PKI. A worker cannot verify by anything else. @default https_web */
    readonly profile?: "https_web";
  };
  /** Its bundle as text, where it is known already: it is believed without waiting for the endpoint. */
  readonly trustDomainBundle?: string;
}

/** `GET /api/federation`; also the answer of `DELETE /api/federation/:trustDomain`. */
export interface FederationAnswer {
  /** Our own. */
  readonly trustDomain: string;
  readonly federations: readonly FederationLine[];
}

/** Another trust domain that is believed; also the answer of `POST /api/federation/:trustDomain/refresh`. Times are ISO 8601. */
export interface FederationLine {
  readonly trustDomain: string;
  readonly bundleEndpoint: { readonly url: string; readonly profile: "https_web" };
  /** `pending`: its keys have never been seen. `failing`: not lately. `expired`: too long ago to be believed. */
  readonly state: "ok" | "pending" | "failing" | "expired";
  readonly addedBy: string;
  readonly addedAt: string;
  /** Of the bundle that was seen last; absent where it has none. */
  readonly sequence?: number;
  /** The `kid` of each key that is believed about names of this domain. */
  readonly keys: readonly string[];
  /** When its bundle was seen last; absent: never. */
  readonly seenAt?: string;
  /** How often it is looked at, milliseconds. */
  readonly refreshMs?: number;
  /** When its callers are refused, if it is not seen again. */
  readonly believedUntil?: string;
  readonly triedAt?: string;
  /** What was wrong at the last attempt, and how often in a row; absent where nothing was. */
  readonly error?: string;
  readonly failures?: number;
  readonly nextAt: string;
}

/** What a caller of the admin API may do; each includes those before it. */
export type Role = "viewer" | "editor" | "admin";

/** Who did something. */
export interface Actor {
  /** Of the token; `operator` and `viewer` for the two secrets, `kv` for what was found in KV. */
  readonly name: string;
  /** `control`: nobody asked for it, it came about by itself. */
  readonly role: Role | "control";
  /** The token's public id, which tells two tokens apart that bore one name. Absent for secrets. */
  readonly token?: string;
}

/** `POST /api/tokens` */
export interface OperatorTokenRequest {
  readonly name: string;
  readonly role: Role;
  /** Milliseconds, from a minute to 366 days. @default 7_776_000_000 (90 days) */
  readonly ttlMs?: number;
}

/** A token that was made: `GET /api/tokens` answers `{ tokens: OperatorToken[] }`, `DELETE /api/tokens/:name` the one that was revoked. */
export interface OperatorToken {
  readonly name: string;
  readonly role: Role;
  /** Public. The token begins with it; absent for the secrets of the control worker. */
  readonly id?: string;
  /** ISO 8601, as all times here; absent for secrets. */
  readonly createdAt?: string;
  readonly createdBy?: string;
  /** Absent: never. */
  readonly expiresAt?: string;
  /** To the hour; absent: never, or a secret. */
  readonly lastUsedAt?: string;
}

export interface OperatorTokensAnswer {
  readonly tokens: readonly OperatorToken[];
}

/** Answer of `POST /api/tokens`. */
export interface NewOperatorToken extends OperatorToken {
  /** Shown once; control keeps a hash of it. */
  readonly token: string;
}

export type AuditAction =
  | "policy.apply"
  | "policy.delete"
  | "policy.undo"
  | "policy.adopt"
  | "token.create"
  | "token.revoke"
  | "join-token.create"
  | "entry.create"
  | "entry.revoke"
  | "entry.delete"
  | "keys.rotate"
  | "keys.revoke"
  | "identity.revoke"
  | "identity.lift"
  | "federation.add"
  | "federation.remove"
  | "federation.refresh"
  | "access.denied"
  | "audit.checkpoint"
  /** Shown in place of an entry that was made unreadable in the storage. */
  | "audit.unreadable";

/** One place in the chain. */
export interface AuditMark {
  readonly sequence: number;
  /** SHA-256, lower-case hex. */
  readonly hash: string;
}

/** One change, or one that was refused. */
export interface AuditEntry {
  /** From 1, without gaps. */
  readonly sequence: number;
  /** ISO 8601, control's clock. */
  readonly at: string;
  readonly actor: Actor;
  readonly action: AuditAction;
  readonly outcome: "done" | "refused";
  /** The first twenty things that it is about. */
  readonly objects: readonly string[];
  /** How many more. */
  readonly omitted?: number;
  /** The head revision before and after; the same where policy did not change. */
  readonly revision: { readonly before: number; readonly after: number };
  readonly reason: string;
  /** SHA-256 of the change. */
  readonly digest: string;
  /** Refused attempts that were only counted, since the entry before. */
  readonly skipped?: number;
  /** Of a checkpoint: the last entry that was dropped because the log was full. */
  readonly through?: AuditMark;
  /** Hash of the entry before; 64 zeros in the first. */
  readonly previous: string;
  /** SHA-256 over the canonical JSON (RFC 8785) of all other members, whatever they are. */
  readonly hash: string;
}

/** `GET /api/audit?after=&limit=&since=&actor=&newest=`: oldest first, or with `newest=1` the last ones, newest first. */
export interface AuditAnswer {
  readonly entries: readonly AuditEntry[];
  /** Whether more fit. */
  readonly more: boolean;
  /** The newest entry of all; sequence 0 of an empty log. */
  readonly head: AuditMark;
}

/*
 * GET    /api/policies?kind=&namespace=          → StoredDocument[]
 * GET    /api/policies/:kind/:namespace/:name    → StoredDocument, 404
 * POST   /api/policies                           → ChangeAnswer, 409, 413, 422
 * DELETE /api/policies/:kind/:namespace/:name?expectedRevision= → ChangeAnswer, 404, 409, 422
 * POST   /api/policies/undo                      → ChangeAnswer, 409, 422
 */
