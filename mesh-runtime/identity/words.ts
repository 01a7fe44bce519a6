import type { Said } from "../foundation/exchange.ts";
import type { SessionKey } from "./session-keys.ts";

/** A SPIFFE ID in canonical form. `parseSpiffeId` is the only way to make one. */
export interface SpiffeId {
  readonly trustDomain: string;
  /** Begins with "/"; empty for the trust domain itself. */
  readonly path: string;
  readonly uri: string;
}

/** How strongly a caller is known. `binding`: the platform's word; `signature`: its own key, bound to this request. */
export type Evidence = "binding" | "signature";

/** `STRICT`: no verified identity, no entry. `PERMISSIVE`: verify when present, mark and count when not. */
export type Mode = "STRICT" | "PERMISSIVE";

/** The verified caller. */
export interface Principal {
  readonly id: SpiffeId;
  readonly namespace: string;
  readonly service: string;
  readonly evidence: Evidence;
  /** Of another trust domain: namespace and service are names that somebody else gives. */
  readonly foreign?: true;
}

/** Public half of a P-256 key, as it stands in `cnf.jwk`. */
export interface PublicJwk {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
  readonly alg: "ES256";
  readonly kid?: string;
}

/** What a workload signs with: a key pair that never leaves the isolate, and the issuer's token for its public half. */
export interface Credential {
  readonly id: SpiffeId;
  readonly privateKey: CryptoKey;
  readonly publicJwk: PublicJwk;
  /** Compact JWS, `typ: wit+jwt`. */
  readonly wit: string;
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** When renewal begins: half of the life, with jitter drawn once. */
  readonly renewAt: number;
  /** What callers agree sessions with: the keys of this service. Absent: they sign each request. */
  readonly sessionKeys?: readonly SessionKey[];
}

/** Whether requests that are signed may come once to each isolate, or once to the whole mesh. */
export type Replay = "window" | "strict";

/** A verified proof that may be used once in the whole mesh. */
export interface OneUse {
  /** RFC 7638 thumbprint of the key that signed: a nonce is unique to its sender only. */
  readonly sender: string;
  /**
   * Whose key that is, for a fair share of the memory: a SPIFFE ID, or another trust domain as a whole, which could give
   * its workloads any number of names. Absent, as runtimes had it that knew of no shares: the key stands for its owner.
   */
  readonly owner?: string;
  readonly nonce: string;
  /** Seconds since the Unix epoch. */
  readonly created: number;
  readonly expires: number;
  /** The memory that the caller had heard of when it signed; empty: of none. */
  readonly watch: string;
}

/**
 * What whoever remembers proofs says of one. `full`: it can remember no more; `untimely`: by its own clock the proof
 * is not valid; `unknown`: the proof may have been used before this memory began.
 */
export interface Admission {
  readonly verdict: "fresh" | "repeated" | "full" | "untimely" | "unknown";
  /** Names this memory: what is signed with it was signed after it began. */
  readonly watch: string;
}

/** What `identified` adds to what is known. `principal` is undefined only in PERMISSIVE mode. */
export interface Identified {
  readonly principal: Principal | undefined;
  /** What the caller's mesh said; nothing where nobody is identified. */
  readonly said: Said;
  /** The proof, where policy or the caller's route want it used once in the whole mesh. */
  readonly oneUse?: OneUse | undefined;
  /** The key to agree sessions with, where it is to be told to this caller. */
  readonly sessionKey?: string | undefined;
  /** The request without any header that could be taken for an identity, or for the mesh's word. */
  readonly request: Request;
}
