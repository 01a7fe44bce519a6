import type { CircuitPolicy, RetryConstraint, RetryPolicy, TrafficSettings } from "../resilience/words.ts";
import type { TelemetrySettings } from "../telemetry/words.ts";
import type { Catalog } from "./catalog.ts";
import {
  defaultCircuit,
  defaultEvidence,
  defaultInbound,
  defaultMode,
  defaultRetry,
  defaultTelemetry,
  meshTraffic,
} from "./defaults.ts";
import type { DocumentOf } from "./documents.ts";
import { millisecondsOf } from "./milliseconds.ts";
import type { InboundSettings, Stated } from "./snapshot.ts";

type Service = DocumentOf<"Service">;
type TrafficPolicy = DocumentOf<"TrafficPolicy">;

/** How a destination is treated: what its policies say, and the defaults for the rest. */
export function trafficOf(catalog: Catalog, service: Service): TrafficSettings {
  const { traffic, backendTraffic } = catalog.about(service);
  const settings = traffic[0] === undefined ? meshTraffic : trafficSettings(traffic[0]);
  const constraint = backendTraffic[0]?.spec.retryConstraint;
  return constraint === undefined ? settings : { ...settings, retryConstraint: constraintOf(constraint) };
}

/** Of what a Service's TrafficPolicy speaks, where it can also be said elsewhere. */
export function statedOf(catalog: Catalog, service: Service): readonly Stated[] {
  const spec = catalog.about(service).traffic[0]?.spec;
  return spec === undefined ? [] : statable.filter((what) => spec[what] !== undefined);
}

const statable: readonly Stated[] = ["timeout", "retry", "maxInFlight"];

/** The settings that one TrafficPolicy makes. */
export function trafficSettings({ spec }: TrafficPolicy): TrafficSettings {
  return {
    timeoutMs: ms(spec.timeout, meshTraffic.timeoutMs),
    retry: retryOf(spec.retry),
    circuit: circuitOf(spec.circuit),
    maxInFlight: spec.maxInFlight ?? meshTraffic.maxInFlight,
  };
}

/** How a workload treats what arrives, but for its rules. */
export function inboundOf(
  catalog: Catalog,
  { spec }: Service,
): Omit<InboundSettings, "authorization" | "users"> {
  const defaults = catalog.config?.spec.defaults;
  return {
    mode: spec.mode ?? defaults?.mode ?? defaultMode,
    evidence: spec.evidence ?? defaults?.evidence ?? defaultEvidence,
    timeoutMs: ms(spec.timeout, defaultInbound.timeoutMs),
    maxInFlight: spec.maxInFlight ?? defaultInbound.maxInFlight,
    maxDigestBytes: spec.maxDigestBytes ?? defaultInbound.maxDigestBytes,
    largeBody: spec.largeBody ?? defaultInbound.largeBody,
    ...(spec.replay === "strict" ? { replay: spec.replay } : {}),
    ...proofsOf(catalog, spec),
  };
}

/** Whether callers of a Service demand signed answers. */
export const responsesOf = ({ spec }: Service): { readonly responses?: "signed" } =>
  spec.responses === "signed" ? { responses: spec.responses } : {};

/**
 * Whether each request to a Service has to be signed: where it says so, and where a request may come once. A session that
 * is not believed has its request sent again, under another nonce, and that would be a second one.
 */
function proofsOf(
  { config }: Catalog,
  { replay, sessionProofs = config?.spec.defaults?.sessionProofs }: Service["spec"],
): { readonly sessionProofs?: "refused" } {
  return replay === "strict" || sessionProofs === "refused" ? { sessionProofs: "refused" } : {};
}

/** What is recorded of a workload: member by member, the nearest word counts: of the Service, its namespace, the mesh. */
export function telemetryOf(catalog: Catalog, service: Service): TelemetrySettings {
  const speaking = catalog.about(service).telemetry.map(({ spec }) => spec);
  const nearest = [
    ...speaking.filter(({ targetRefs }) => targetRefs !== undefined),
    ...speaking.filter(({ targetRefs }) => targetRefs === undefined),
    catalog.config?.spec.defaults ?? {},
  ];
  const said = <Name extends keyof TelemetrySettings>(name: Name): TelemetrySettings[Name] | undefined =>
    nearest.map((spec) => (spec as Partial<TelemetrySettings>)[name]).find((value) => value !== undefined);
  const otlpEndpoint = said("otlpEndpoint");
  return {
    sampleRatio: said("sampleRatio") ?? defaultTelemetry.sampleRatio,
    accessLog: said("accessLog") ?? defaultTelemetry.accessLog,
    ...(otlpEndpoint === undefined ? {} : { otlpEndpoint }),
  };
}

const ms = (written: string | undefined, otherwise: number): number =>
  written === undefined ? otherwise : millisecondsOf(written);

function retryOf(retry: TrafficPolicy["spec"]["retry"]): RetryPolicy {
  if (retry === undefined) return defaultRetry;
  return {
    attempts: retry.attempts ?? defaultRetry.attempts,
    codes: retry.codes ?? defaultRetry.codes,
    perTryTimeoutMs: ms(retry.perTryTimeout, defaultRetry.perTryTimeoutMs),
    backoffBaseMs: ms(retry.backoffBase, defaultRetry.backoffBaseMs),
    backoffMaxMs: ms(retry.backoffMax, defaultRetry.backoffMaxMs),
    budgetRatio: retry.budgetRatio ?? defaultRetry.budgetRatio,
    maxReplayBytes: retry.maxReplayBytes ?? defaultRetry.maxReplayBytes,
    nonIdempotent: retry.nonIdempotent ?? defaultRetry.nonIdempotent,
  };
}

type WrittenConstraint = NonNullable<DocumentOf<"XBackendTrafficPolicy">["spec"]["retryConstraint"]>;

const constraintOf = ({ budget, minRetryRate }: WrittenConstraint): RetryConstraint => ({
  percent: budget.percent,
  intervalMs: millisecondsOf(budget.interval),
  minimumCount: minRetryRate.count,
  minimumIntervalMs: millisecondsOf(minRetryRate.interval),
});

function circuitOf(circuit: TrafficPolicy["spec"]["circuit"]): CircuitPolicy {
  if (circuit === undefined) return defaultCircuit;
  return {
    enabled: circuit.enabled ?? defaultCircuit.enabled,
    consecutiveFailures: circuit.consecutiveFailures ?? defaultCircuit.consecutiveFailures,
    minimumSpanMs: ms(circuit.minimumSpan, defaultCircuit.minimumSpanMs),
    failureRatio: circuit.failureRatio ?? defaultCircuit.failureRatio,
    minimumOutcomes: circuit.minimumOutcomes ?? defaultCircuit.minimumOutcomes,
    windowMs: ms(circuit.window, defaultCircuit.windowMs),
    baseOpenMs: ms(circuit.baseOpen, defaultCircuit.baseOpenMs),
    maxOpenMs: ms(circuit.maxOpen, defaultCircuit.maxOpenMs),
    permitMs: ms(circuit.permit, defaultCircuit.permitMs),
    successesToClose: circuit.successesToClose ?? defaultCircuit.successesToClose,
  };
}
