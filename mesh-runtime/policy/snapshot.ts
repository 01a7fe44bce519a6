import type { AuthorizationRule } from "../authorization/words.ts";
import type { Endpoint } from "../foundation/ports.ts";
import type { TokenRule } from "../identity/end-user.ts";
import type { Evidence, Mode } from "../identity/words.ts";
import type { TrafficSettings } from "../resilience/words.ts";
import type { BalancingSettings, Listener, Placement, Rule, ServiceKey } from "../routing/words.ts";
import type { TelemetrySettings } from "../telemetry/words.ts";

/** Version of the snapshot's form. A runtime refuses a form that it does not know. */
export const snapshotVersion = 1;

/**
 * Compiled policy as one workload needs it: immutable, named by the SHA-256 of its canonical JSON.
 * Plain JSON data; `load.ts` makes tables of it, all or nothing.
 */
export interface Snapshot {
  readonly version: typeof snapshotVersion;
  readonly trustDomain: string;
  /** Whose snapshot this is. */
  readonly workload: ServiceKey;
  readonly spiffeId: string;
  readonly inbound: InboundSettings;
  /** Rules for requests from outside, where policies name the Service of a gateway; absent elsewhere. */
  readonly entry?: {
    readonly authorization: readonly AuthorizationRule[];
    /** How tokens of end users are verified; absent where no document says so. */
    readonly users?: readonly TokenRule[];
  };
  /** The most retries that a route of the mesh promises, where that is more than 1: call trees start with credits for so many. */
  readonly promisedRetries?: number;
  /** Every service that this workload may name, by key, in key order. */
  readonly destinations: Readonly<Record<ServiceKey, Destination>>;
  /** Listeners of the Gateways that this workload implements; empty for all but gateway workers. */
  readonly listeners: readonly Listener[];
  readonly telemetry: TelemetrySettings;
}

/** How this workload treats what arrives. */
export interface InboundSettings {
  readonly mode: Mode;
  /** The weakest evidence that is accepted. */
  readonly evidence: Evidence;
  readonly authorization: readonly AuthorizationRule[];
  /** How tokens of end users are verified; absent where no document says so. */
  readonly users?: readonly TokenRule[];
  /** Milliseconds; 0: none. */
  readonly timeoutMs: number;
  /** Requests under way in one isolate; above it they are refused. */
  readonly maxInFlight: number;
  /** Bodies up to this are digested and verified, bytes. */
  readonly maxDigestBytes: number;
  /** What happens to a body above `maxDigestBytes` that carries no digest. */
  readonly largeBody: "reject" | "unsigned";
  /** Whether a signed request may come once to the whole mesh, whichever route it took; absent: once to each isolate. */
  readonly replay?: "strict";
  /** Whether each request has to be signed; absent: a session may prove several. */
  readonly sessionProofs?: "refused";
}

/** How this workload reaches one service. */
export interface Destination {
  readonly key: ServiceKey;
  readonly spiffeId: string;
  /** The trust domain of the other mesh that it belongs to; absent for those of this one. */
  readonly trustDomain?: string;
  /** Host names that mean this service: `name`, `name.namespace`, `name.namespace.mesh` (bare name within the own namespace only). */
  readonly hosts: readonly string[];
  /** Name of the service binding in a caller's `env` that is this service, if it has one. */
  readonly binding?: string;
  /** Where it is; none for a Service that only routes to others. */
  readonly endpoints: readonly EndpointSettings[];
  /** How its endpoints share requests, where it has several and a document says so. */
  readonly balancing?: BalancingSettings;
  /** What it demands of callers. */
  readonly evidence: Evidence;
  readonly largeBody: "reject" | "unsigned";
  readonly maxDigestBytes: number;
  /** Whether its answers must be signed; absent: not. */
  readonly responses?: "signed";
  /** Whether each request to it has to be signed; absent: a session may prove several. */
  readonly sessionProofs?: "refused";
  /** Rules of the routes attached to it, in order of precedence; absent when no route is attached (then it is its own backend). */
  readonly rules?: readonly Rule[];
  /**
   * By port, where routes name one: all rules that hold for requests to that port, those of `rules` among
   * them. Requests to other ports fall under `rules`, and to the destination itself where there are none.
   */
  readonly portRules?: Readonly<Record<string, readonly Rule[]>>;
  readonly traffic: TrafficSettings;
  /** Of what in `traffic` a TrafficPolicy speaks; absent: of nothing, so that the mesh's defaults hold. */
  readonly stated?: readonly Stated[];
}

/** What a TrafficPolicy may speak of that can also be said elsewhere: by a route, or of the Service that was called. */
export type Stated = "timeout" | "retry" | "maxInFlight";

/** One place where a destination answers. */
export interface EndpointSettings extends Placement {
  readonly address: Endpoint;
  /** Who answers there and what it demands, where that is another workload than the destination's own. */
  readonly recipient?: {
    readonly spiffeId: string;
    readonly evidence: Evidence;
    readonly largeBody: "reject" | "unsigned";
    readonly maxDigestBytes: number;
    readonly responses?: "signed";
    readonly sessionProofs?: "refused";
  };
}

/** The signed pointer from a workload to the snapshot in force: payload of a JWS by the mesh's root key. */
export interface Head {
  readonly workload: ServiceKey;
  /** Mesh-wide, increases with every change that is published. */
  readonly epoch: number;
  /** `sha-256` of the snapshot's bytes, lower-case hex. */
  readonly digest: string;
  /** Seconds since the Unix epoch. */
  readonly iat: number;
  /** After it nobody starts on this head. Seconds since the Unix epoch. @default seven days after `iat` */
  readonly exp?: number;
}

/** How long a head is believed where it does not say, seconds: long enough for an outage over a holiday. */
export const headLifeS = 7 * 86_400;
