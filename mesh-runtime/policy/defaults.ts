import type { Evidence, Mode } from "../identity/words.ts";
import type { CircuitPolicy, RetryPolicy, TrafficSettings } from "../resilience/words.ts";
import type { BalancingSettings } from "../routing/words.ts";
import type { TelemetrySettings } from "../telemetry/words.ts";

/*
 * What holds where no document says otherwise. Plain data: the control plane compiles with it, and an
 * isolate uses `meshTraffic` for what comes in at a gateway.
 */

/** Name of the trust domain of a mesh that has not chosen one. Istio's is `cluster.local`, for the same reason: it resolves nowhere. */
export const defaultTrustDomain = "mesh.local";

/** Namespace of a document that names none; Kubernetes' own. */
export const defaultNamespace = "default";

/** Name of the Service that implements a Gateway which does not name one. */
export const defaultGatewayWorker = "gateway";

/** A mesh starts closed. Istio starts PERMISSIVE, and meshes stay so for years. */
export const defaultMode: Mode = "STRICT";

/** Holds between accounts and runtimes; `binding` is the shortcut that an owner turns on. */
export const defaultEvidence: Evidence = "signature";

/** Attempts beyond the first, and what is worth them. */
export const defaultRetry: RetryPolicy = {
  /** Linkerd 1, Envoy 1 once a policy exists, Istio 2, Kuma 5. Two tries catch a blip; more multiply an outage. */
  attempts: 1,
  /** Envoy's `gateway-error`: answers of something in front of the application. A 500 is the application's own word. */
  codes: [502, 503, 504],
  /** None, as Linkerd: the request's own timeout is the bound, and a slow answer is not a lost one. Envoy: the route's. */
  perTryTimeoutMs: 0,
  /** Envoy, Linkerd and Kuma agree on 25 to 250 ms; with full jitter. */
  backoffBaseMs: 25,
  backoffMaxMs: 250,
  /** Envoy, Linkerd and Finagle agree on 20 %. */
  budgetRatio: 0.2,
  /** Linkerd's 64 KiB: what an isolate of 128 MB can keep for a thousand requests. */
  maxReplayBytes: 64 * 1024,
  /** Istio retries every method and has paid out twice for it. */
  nonIdempotent: false,
};

/** When a destination is left alone. All values but the first come from the simulation of the circuit. */
export const defaultCircuit: CircuitPolicy = {
  /** A circuit that must be asked for is missing when it is needed. */
  enabled: true,
  /** Envoy 5, Linkerd 7; with a span, 5 lets 1.3 % of an outage through and rejects nothing at blips. */
  consecutiveFailures: 5,
  /** Five failures within a blip of less than half a second are one event. Peers have no span. */
  minimumSpanMs: 500,
  /** Hystrix, resilience4j and opossum agree; no false opening up to 20 % background errors. */
  failureRatio: 0.5,
  /** Hystrix's 20: at 5 % background errors a false opening has odds of 1e-8; resilience4j's 100 costs seconds. */
  minimumOutcomes: 20,
  /** Hystrix's 10 s. */
  windowMs: 10_000,
  /** Linkerd's 1 s, doubling … */
  baseOpenMs: 1_000,
  /** … to 30 s, half of Linkerd's: somebody else's probe tells this isolate earlier. */
  maxOpenMs: 30_000,
  /** A probe that has not come back after 3 s is lost, and the next one may go. */
  permitMs: 3_000,
  /** With one, a backend that answers every second request would pass half of the time. */
  successesToClose: 3,
};

/** How a destination is treated that no TrafficPolicy speaks of, and what comes in at a gateway. */
export const meshTraffic: TrafficSettings = {
  /** Envoy and Kuma 15 s; Istio and Linkerd none, and hang. For the request with all its attempts. */
  timeoutMs: 15_000,
  retry: defaultRetry,
  circuit: defaultCircuit,
  /** Envoy's 1,024, per isolate; beyond it memory is short before the destination is. */
  maxInFlight: 1_024,
};

/** How requests are balanced among several endpoints. */
export const defaultBalancing: BalancingSettings = {
  /** Istio and Linkerd; round robin, as with Envoy and gRPC, sends as much to what is slow as to what is fast. */
  algorithm: "LeastRequest",
  /** None, as with Envoy and Istio: nothing is cold in a worker but its first request. */
  slowStartMs: 0,
  /** Istio; who writes localities wants them used. Endpoints without are not affected. */
  preferLocal: true,
};

/** How a workload treats what arrives. */
export const defaultInbound = {
  /** None: the caller's deadline travels with the request, and the platform ends what outlives it. */
  timeoutMs: 0,
  /** Envoy's 1,024, per isolate. */
  maxInFlight: 1_024,
  /** 1 MiB takes about a millisecond to digest and a hundredth of an isolate's memory to hold. */
  maxDigestBytes: 1024 * 1024,
  /** A body that nobody vouches for is an unsigned request. */
  largeBody: "reject",
} as const;

export const defaultTelemetry: TelemetrySettings = {
  /** Istio's 1 %; errors are recorded at any ratio. */
  sampleRatio: 0.01,
  /** Off, as with Istio and Linkerd: a line for every exchange is the dearest part of telemetry. */
  accessLog: false,
};

/** Gateway API `RetryConstraint.budget`, where it is silent. */
export const retryBudget = { percent: 20, interval: "10s" } as const;

/** Gateway API `RetryConstraint.minRetryRate`, where it is silent. */
export const retryFloor = { count: 10, interval: "1s" } as const;

/** What Gateway API says where a route is silent, so that the meaning holds without an API server. */
export const routeDefaults = {
  /** HTTPRouteRule.matches and HTTPPathMatch: every path. */
  path: { type: "PathPrefix", value: "/" },
  /** HTTPBackendRef.weight. */
  weight: 1,
  /** HTTPRequestRedirectFilter.statusCode. */
  redirectStatus: 302,
  /** HTTPCORSFilter.maxAge, seconds. */
  corsMaxAge: 5,
  /** Fraction.denominator of HTTPRequestMirrorFilter. */
  mirrorDenominator: 100,
  /** HTTPRouteRetry.attempts. */
  retryAttempts: 1,
} as const;
