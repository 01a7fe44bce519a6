import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import type { IssuedSessionKey } from "@tulle/mesh-runtime/identity/session-keys.ts";
import { witLeewayMs } from "@tulle/mesh-runtime/identity/wimse-profile.ts";
import type { PublicJwk, SpiffeId } from "@tulle/mesh-runtime/identity/words.ts";
import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import { UsedNonces } from "./attestation/used-nonces.ts";
import { BoundKeys } from "./bound-keys.ts";
import type { JoinTokens } from "./join-tokens.ts";
import type { Facts } from "./registration.ts";
import type { Registrations } from "./registrations.ts";
import type { RevocationList } from "./revocations.ts";
import { UsedPossessions } from "./used-possessions.ts";

/** What a workload that was attested, or brings a join token, wants. */
export interface AdmitRequest {
  readonly spiffeId: SpiffeId;
  readonly service: ServiceKey;
  /** The key whose possession was proved, and the proof's `jti`. */
  readonly publicJwk: PublicJwk;
  readonly possessionJti: string;
  /** What keys for sessions are to be sealed for, bound by that proof. */
  readonly sealingKey?: string | undefined;
  /** How long the token shall live where no registration entry says otherwise, milliseconds. */
  readonly ttlMs: number;
  readonly evidence: Evidence;
}

/** What a workload showed, verified as far as it can be without the issuer's memory. */
export type Evidence =
  /** What the props of its binding say. */
  | { readonly attestor: "binding"; readonly facts: Facts }
  /** base64url SHA-256 of the token, still to be taken. */
  | { readonly attestor: "join-token"; readonly tokenHash: string }
  /** The nonce is ours and in time, and still to be used; `until` is when it expires. */
  | {
      readonly attestor: "deno-deploy";
      readonly facts: Facts;
      readonly nonce: string;
      readonly until: number;
      /** When the platform said it, milliseconds since the Unix epoch. */
      readonly saidAt: number;
    }
  /**
   * A signature with a token that is valid: goes on from a join token, the one evidence that cannot come again. `by`:
   * the thumbprint of the key that signed; `wit`: the token, to be verified once more by what is revoked now.
   */
  | { readonly attestor: "renewal"; readonly by: string; readonly wit: string };

export interface Admitted {
  readonly wit: string;
  readonly rootJwk: PublicJwk;
  readonly bundle: string;
  /** Keys for sessions with this service, for isolates that a binding vouches for. */
  readonly sessionKeys?: readonly IssuedSessionKey[];
  /** The same for all others, sealed for the key of their request and signed by the root key. */
  readonly sealedSessionKeys?: string;
}

/** Why nobody was admitted. */
export interface NotAdmitted {
  readonly kind:
    | "not-ready"
    | "bad-token"
    | "bad-possession"
    | "revoked"
    /** The evidence is nobody's, or was used before. */
    | "not-attested"
    /** No registration entry lets this evidence be this identity. */
    | "not-entitled"
    /** A signature with a token that did not begin with a join token. */
    | "not-renewable"
    /** A signature with a token that is not believed any more. */
    | "unbelieved";
  readonly detail: string;
}

/** By which registration entry somebody is admitted, if it took one, and how long the token lives, milliseconds. */
export interface Entitled {
  readonly entry: string | undefined;
  readonly ttlMs: number;
}

const badToken: NotAdmitted = { kind: "bad-token", detail: "the join token is not valid" };

/** What evidence counts as: a renewal goes on from a join token. */
const attestorOf = ({ attestor }: Evidence) => (attestor === "renewal" ? "join-token" : attestor);

/** What is said of evidence from before a revocation that was lifted; a binding's was given in that very moment. */
function outlived({ attestor }: Evidence, spiffeId: string): NotAdmitted {
  switch (attestor) {
    case "join-token":
      return badToken;
    case "deno-deploy":
      return { kind: "not-attested", detail: attestor };
    case "renewal":
      return { kind: "unbelieved", detail: spiffeId };
    case "binding":
      return { kind: "revoked", detail: spiffeId };
  }
}

/** The door of the issuer: who may be whom, with everything that works only once. */
export class Admission {
  readonly #tokens: JoinTokens;
  readonly #revocations: RevocationList;
  readonly #registrations: Registrations;
  readonly #nonces: UsedNonces;
  readonly #keys: BoundKeys;
  readonly #possessions = new UsedPossessions();

  constructor(
    sql: SqlStorage,
    tokens: JoinTokens,
    revocations: RevocationList,
    registrations: Registrations,
  ) {
    this.#tokens = tokens;
    this.#revocations = revocations;
    this.#registrations = registrations;
    this.#nonces = new UsedNonces(sql);
    this.#keys = new BoundKeys(sql);
  }

  /**
   * Whether a workload may be who it wants to be, and for how long. Takes nothing: what works once is still good where
   * no token can be made.
   *
   * @param thumbprint of the key in the request (RFC 7638)
   */
  judge(request: AdmitRequest, thumbprint: string, now: number): Result<Entitled, NotAdmitted> {
    const { spiffeId, service, evidence } = request;
    const attestor = attestorOf(evidence);
    const facts = "facts" in evidence ? evidence.facts : {};
    const entry = this.#registrations.entitles(spiffeId.uri, attestor, facts);
    // Before anything is told, of revocations too, or remembered: strangers shall learn nothing, and fill nothing.
    const stranger =
      entry === undefined || attestor === "join-token" ? this.stranger(evidence, service, now) : undefined;
    if (stranger !== undefined) return no(stranger);
    const denied = this.#revocations.denied([
      ["spiffeId", spiffeId.uri],
      ["thumbprint", thumbprint],
    ]);
    if (denied !== undefined)
      return no({ kind: "revoked", detail: denied === "spiffeId" ? spiffeId.uri : "this key" });
    const revokedAt = this.#revocations.revokedAt(spiffeId.uri);
    if (revokedAt !== undefined && this.#madeAt(evidence, service, now) <= revokedAt)
      return no(outlived(evidence, spiffeId.uri));
    if (entry === undefined) return no({ kind: "not-entitled", detail: attestor });
    // What a platform vouches for, it vouches for anew each time: or whoever was once inside would stay for ever, from outside.
    if (evidence.attestor === "renewal" && (this.#keys.attestorOf(evidence.by) ?? attestor) !== attestor)
      return no({ kind: "not-renewable", detail: spiffeId.uri });
    const { id, ttlMs = request.ttlMs } = entry === "open" ? {} : entry;
    return ok({ entry: id, ttlMs });
  }

  /**
   * Judges once more, and takes what works once, in one go: nothing in here is waited for, so that of two who bring the
   * same exactly one gets through. The evidence comes last: whoever is refused for something else can bring it again.
   *
   * @param now when the request came: whoever was revoked since is refused, though that be lifted
   */
  take(request: AdmitRequest, thumbprint: string, now: number): Result<Entitled, NotAdmitted> {
    const judged = this.judge(request, thumbprint, now);
    if (!judged.ok) return judged;
    const { spiffeId, service, evidence, possessionJti } = request;
    const attestor = attestorOf(evidence);
    if (!this.#possessions.take(possessionJti, now))
      return no({ kind: "bad-possession", detail: "the proof of possession has been used" });
    const until = now + judged.value.ttlMs + witLeewayMs;
    if (!this.#keys.bind(thumbprint, spiffeId.uri, attestor, until, now))
      return no({ kind: "bad-possession", detail: "the key belongs to another workload" });
    if (evidence.attestor === "join-token" && !this.#tokens.take(evidence.tokenHash, service, now))
      return no(badToken);
    if (evidence.attestor === "deno-deploy" && !this.#nonces.take(evidence.nonce, evidence.until, now))
      return no({ kind: "not-attested", detail: "the nonce has been used" });
    return judged;
  }

  /**
   * Why evidence is nobody's, whoever it is held against; undefined where it is somebody's. Anybody can reach the
   * issuer over HTTP with a token that he made up, and must not hear which services there are, nor which are revoked.
   */
  stranger(evidence: Evidence, service: ServiceKey, now: number): NotAdmitted | undefined {
    switch (evidence.attestor) {
      case "join-token":
        return this.#tokens.madeAt(evidence.tokenHash, service, now) === undefined ? badToken : undefined;
      case "deno-deploy":
        return this.#registrations.knows("deno-deploy", evidence.facts)
          ? undefined
          : { kind: "not-attested", detail: "deno-deploy" };
      default:
        return undefined;
    }
  }

  /** From when evidence is that could have been kept: what is older than a revocation is worth nothing after it was lifted. */
  #madeAt(evidence: Evidence, service: ServiceKey, now: number): number {
    switch (evidence.attestor) {
      case "join-token":
        return this.#tokens.madeAt(evidence.tokenHash, service, now) ?? 0;
      case "deno-deploy":
        return evidence.saidAt;
      // A binding says it now, and of a token its own time has been looked at.
      default:
        return now;
    }
  }
}
