import type { PublicJwk } from "@tulle/mesh-runtime/identity/words.ts";
import type { Issue } from "@tulle/mesh-runtime/policy/issue.ts";
import type { DocumentStatus } from "@tulle/mesh-runtime/policy/status/words.ts";
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
}

export interface Change extends DocumentRef {
  readonly action: "created" | "changed" | "unchanged" | "deleted";
  /** What it has come to, for kinds that have conditions (Gateway API). Its generation is `revision`. */
  readonly status?: DocumentStatus;
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
}

/** Answer of apply, delete and undo. With issues of severity `error` the status is 422 and nothing has changed. */
export interface ChangeAnswer {
  /** Refuse the change if it leaves a reference unresolved, where Gateway API would accept it with a condition. */
  readonly strict?: boolean;
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
}

export interface CheckLine {
  readonly name: string;
  readonly result: "ok" | "warning" | "failed";
  readonly detail: string;
  /** What to do; empty when ok. */
  readonly remedy: string;
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

/*
 * GET    /api/policies?kind=&namespace=          → StoredDocument[]
 * GET    /api/policies/:kind/:namespace/:name    → StoredDocument, 404
 * POST   /api/policies                           → ChangeAnswer, 409, 413, 422
 * DELETE /api/policies/:kind/:namespace/:name?expectedRevision= → ChangeAnswer, 404, 409, 422
 * POST   /api/policies/undo                      → ChangeAnswer, 409, 422
 */
