import type { Evidence, Mode, PublicJwk } from "@tulle/mesh-runtime/identity/words.ts";

/** The part of the admin API that the issuer answers; see `contract.ts`. */

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
  /** ISO 8601; absent for the root key in use. */
  readonly since?: string;
  /** When it moves on to the next state, or out of the bundle; of a next root key: when it may be activated at the earliest. */
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
  /** With `activate`: although not everybody is known to believe it. Who does not refuses what control says. */
  readonly force?: boolean;
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
  /** Empty for an identity that has registration entries and, at present, no Service. */
  readonly service: string;
  /** Empty where this version cannot read it: the Service is refused. */
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
      readonly sessionProofs?: "refused";
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
