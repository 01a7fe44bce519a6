import type { IssuedSessionKey } from "./identity/session-keys.ts";
import type { Admission, OneUse, PublicJwk } from "./identity/words.ts";
import type { CircuitAnswer, CircuitReport } from "./resilience/words.ts";
import type { EdgeDelta, SpanRecord } from "./telemetry/words.ts";

/**
 * The verbs between a workload and the control plane. The same ones travel over Workers RPC (where
 * the service binding's props say who calls) and over HTTP (where the request is signed).
 */
export interface ControlPort {
  join(request: JoinRequest): Promise<JoinAnswer | Declined>;
  report(request: ReportRequest): Promise<ReportAnswer | Declined>;
  /** Whether a proof that came to this workload is used for the first time. The one verb that a request may wait for, where policy says `replay: strict`. */
  admit(request: AdmitRequest): Promise<AdmitAnswer | Declined>;
}

/** Version of these verbs. Unknown optional members are ignored; a greater version is declined. */
export const contractVersion = 1;

export interface JoinRequest {
  readonly version: number;
  /** Random name of this isolate, for counting and for granting sentinels; not an identity. */
  readonly isolate: string;
  readonly publicJwk: PublicJwk;
  /**
   * Proof of possession of the private key: compact JWS, `typ: tulle-pop+jwt`, signed by the new key;
   * claims `aud` (`<trust domain or empty>/issuer`), `iat`, `jti`, `sub` (`namespace/name`), `th`
   * (base64url SHA-256 of the join token, or of the platform's) where a token is the evidence, and `sk`, the text of
   * `sealingKey`, where there is one.
   */
  readonly possession: string;
  /** What the isolate runs already, so that an equal snapshot is not sent again. */
  readonly digest?: string;
  /** A one-time join token; only over HTTP. */
  readonly joinToken?: string;
  /**
   * What the platform says of this process; only over HTTP, and not beside a join token. An OIDC token of Deno Deploy
   * whose audience is `<address of control>/attest#<nonce>.<RFC 7638 thumbprint of publicJwk>`, the nonce a fresh one
   * of the issuer ({@link NonceAnswer}).
   */
  readonly idToken?: string;
  /**
   * What the service's keys for sessions are to be sealed for: X25519, 32 bytes in canonical base64url, made for this one
   * join. Of use over HTTP only; over a binding they come as they are. Absent: none come over HTTP.
   */
  readonly sealingKey?: string;
  /**
   * `namespace/name`. Over RPC the binding's props say who calls: a worker cannot read the props of its
   * own binding, so it may leave this empty, and what it does say must equal them. `sub` of the proof of
   * possession equals this member as it was sent.
   */
  readonly workload: string;
}

/** Answer of `POST /workload/nonce`: a nonce of the issuer, good for one join within two minutes. */
export interface NonceAnswer {
  readonly ok: true;
  /** 72 characters of base64url. */
  readonly nonce: string;
}

export interface JoinAnswer {
  readonly ok: true;
  readonly trustDomain: string;
  readonly wit: string;
  /** Public root key that signs heads and bundles. Trusted because the channel is; pinned afterwards. */
  readonly rootJwk: PublicJwk;
  /** Compact JWS by the root key, `typ: tulle-bundle+jwt`: the trust bundle. */
  readonly bundle: string;
  /** Compact JWS by the root key, `typ: tulle-head+jwt`: see `policy/snapshot.ts` `Head`. */
  readonly head: string;
  /** Canonical JSON of the snapshot; absent when `digest` was up to date. */
  readonly snapshot?: string;
  readonly circuits: readonly CircuitAnswer[];
  /**
   * Keys with which callers agree sessions with this service: the one that is offered now, the one before, and those of
   * the token's life. Private halves are in it: only over a binding, which is no network.
   */
  readonly sessionKeys?: readonly IssuedSessionKey[];
  /**
   * The same over HTTP, where the request has a `sealingKey`: compact JWS by the root key, `typ:
   * tulle-session-keys+jwt`, see `identity/sealed-keys.ts`. With neither, callers sign each request.
   */
  readonly sealedSessionKeys?: string;
}

/** Why control does not serve a workload. `remedy` says what to do, for the operator. */
export interface Declined {
  readonly ok: false;
  readonly reason:
    | "unregistered"
    | "not-attested"
    | "bad-possession"
    | "bad-token"
    /** The identity or the key is revoked, until an operator lifts it. */
    | "revoked"
    | "unsupported-version"
    /** The request has not the form of this contract, or is larger than control takes. */
    | "malformed"
    | "not-ready";
  readonly detail: string;
  readonly remedy: string;
}

export interface AdmitRequest extends OneUse {
  readonly version: number;
  /** Who asks, and to whom the proof came: nobody else's proofs may be used up. */
  readonly workload: string;
}

export interface AdmitAnswer extends Admission {
  readonly ok: true;
}

export interface ReportRequest {
  readonly version: number;
  readonly isolate: string;
  readonly workload: string;
  /** Names this report, so that a second delivery counts once. */
  readonly id: string;
  /** What is in force in this isolate. */
  readonly epoch: number;
  readonly digest: string;
  readonly bundleSequence: number;
  /** While the root key rolls: the next one, by its member `x`, if this isolate believes it already. */
  readonly nextRoot?: string;
  readonly circuits: readonly CircuitReport[];
  readonly edges: readonly EdgeDelta[];
  readonly spans: readonly SpanRecord[];
  /** Named counters since the last report: `snapshot_refused`, `spans_dropped`, `reports_dropped`, `mirrors_dropped`, `permissive_admitted`, `session_keys_refused`, … */
  readonly counters: Readonly<Record<string, number>>;
}

export interface ReportAnswer {
  readonly ok: true;
  /** The newest epoch of the mesh. */
  readonly epoch: number;
  /** Present when the reported epoch is older. */
  readonly head?: string;
  /** Present when the head's digest differs from the reported one. */
  readonly snapshot?: string;
  /** Present when the bundle is newer than the reported sequence. */
  readonly bundle?: string;
  readonly circuits: readonly CircuitAnswer[];
  readonly nextReportMs: number;
}
