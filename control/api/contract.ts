import type { PublicJwk } from "@tulle/mesh-runtime/identity/words.ts";
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
/** The issuer's part: keys, identities, tokens to join with, revocations, trust in other domains. */
export type * from "./identity-contract.ts";

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
    /** Empty where this version cannot read it: the document is refused. */
    readonly spiffeId: string;
    readonly state: SyncState;
    /** The oldest epoch that an isolate seen lately runs; 0 if none was seen. */
    readonly epoch: number;
    readonly isolates: number;
    /** Milliseconds since the last report; absent if none. */
    readonly lastSeenMs?: number;
    /** Bundles, heads, snapshots and session keys of control's that its isolates refused lately; absent: none. */
    readonly refused?: number;
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
