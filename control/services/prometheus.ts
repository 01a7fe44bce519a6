import type { CircuitState } from "@tulle/mesh-runtime/resilience/words.ts";
import { latencyBoundsMs, mergeInto } from "@tulle/mesh-runtime/telemetry/histogram.ts";
import { edgeName } from "@tulle/mesh-runtime/telemetry/instruments.ts";
import type { EdgeDelta } from "@tulle/mesh-runtime/telemetry/words.ts";

/** `Content-Type` of the text exposition format. */
export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

/** What control tells a scraper. */
export interface MeshMetrics {
  /** Totals since the beginning, of all objects; entries of one edge are added up. */
  readonly edges: readonly EdgeDelta[];
  readonly circuits: readonly { readonly circuit: string; readonly state: CircuitState }[];
  readonly services: readonly {
    readonly service: string;
    /** Isolates that have reported lately. */
    readonly isolates: number;
    /** The oldest epoch that one of them runs; 0 if none was seen. */
    readonly epoch: number;
  }[];
  /** The newest epoch of the mesh. */
  readonly epoch: number;
  /** Documents in force that this version of Tulle refuses. */
  readonly refused: number;
  /** Sums of the counters that workloads report, by name. */
  readonly events: Readonly<Record<string, number>>;
  /** Other trust domains that are believed. */
  readonly federations?: readonly {
    readonly trustDomain: string;
    /** How long ago its bundle was seen, milliseconds; absent: never. */
    readonly ageMs: number | undefined;
    /** Attempts in a row that failed. */
    readonly failures: number;
  }[];
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [suffix: string, labels: Labels, value: number];

/**
 * Renders the text exposition format 0.0.4: every family once, with its HELP and TYPE, its samples together.
 * Latencies are in seconds, Prometheus' base unit.
 */
export function renderMetrics(metrics: MeshMetrics): string {
  const edges = merged(metrics.edges).map((edge) => ({ edge, labels: labelsOf(edge) }));
  return [
    family(
      "tulle_requests_total",
      "counter",
      "Requests by edge. effective: as callers saw them, after retries; attempt: each try; inbound: as the callee counted.",
      edges.map(({ edge, labels }) => ["", labels, edge.count]),
    ),
    family(
      "tulle_request_duration_seconds",
      "histogram",
      "Time until the response's headers, by edge.",
      edges.flatMap(({ edge, labels }) => histogram(edge, labels)),
    ),
    family(
      "tulle_circuit_state",
      "gauge",
      "1 for the state that a circuit is in.",
      metrics.circuits.flatMap(({ circuit, state }) =>
        circuitStates.map((each): Sample => ["", { circuit, state: each }, each === state ? 1 : 0]),
      ),
    ),
    family(
      "tulle_isolates",
      "gauge",
      "Isolates that have reported lately, by service.",
      metrics.services.map(({ service, isolates }) => ["", { service }, isolates]),
    ),
    family(
      "tulle_workload_epoch",
      "gauge",
      "The oldest policy epoch that an isolate of the service runs.",
      metrics.services.map(({ service, epoch }) => ["", { service }, epoch]),
    ),
    family("tulle_policy_epoch", "gauge", "The newest policy epoch of the mesh.", [["", {}, metrics.epoch]]),
    family(
      "tulle_documents_refused",
      "gauge",
      "Documents in force that this version of Tulle refuses; tulle check names them.",
      [["", {}, metrics.refused]],
    ),
    family(
      "tulle_workload_events_total",
      "counter",
      "What workloads count beside requests, such as spans_dropped.",
      Object.entries(metrics.events).map(([event, count]) => ["", { event }, count]),
    ),
    family(
      "tulle_federated_bundle_age_seconds",
      "gauge",
      "How long ago the bundle of a federated trust domain was seen. None while it never was.",
      (metrics.federations ?? []).flatMap(({ trustDomain, ageMs }): Sample[] =>
        ageMs === undefined ? [] : [["", { trust_domain: trustDomain }, ageMs / 1_000]],
      ),
    ),
    family(
      "tulle_federated_bundle_failures",
      "gauge",
      "Attempts in a row to see the bundle of a federated trust domain that failed.",
      (metrics.federations ?? []).map(({ trustDomain, failures }) => [
        "",
        { trust_domain: trustDomain },
        failures,
      ]),
    ),
  ].join("");
}

const circuitStates: readonly CircuitState[] = ["closed", "open", "half-open", "ramp"];

function family(name: string, type: string, help: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return "";
  const lines = samples.map(
    ([suffix, labels, value]) => `${name}${suffix}${labelText(labels)} ${valueText(value)}\n`,
  );
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** Buckets are cumulative in this format, and the last one, `+Inf`, equals the count. */
function histogram(edge: EdgeDelta, labels: Labels): Sample[] {
  let below = 0;
  const samples = [...latencyBoundsMs, Number.POSITIVE_INFINITY].map((bound, bucket): Sample => {
    below += edge.latency[bucket] ?? 0;
    return ["_bucket", { ...labels, le: valueText(bound / 1_000) }, below];
  });
  samples.push(["_sum", labels, edge.latencySumMs / 1_000], ["_count", labels, below]);
  return samples;
}

const labelsOf = (edge: EdgeDelta): Labels => ({
  perspective: edge.perspective,
  source: edge.source,
  destination: edge.destination,
  route: edge.route,
  backend: edge.backend,
  class: edge.class,
  refusal: edge.refusal,
});

/** One entry an edge: the same series twice makes the whole scrape invalid. */
function merged(edges: readonly EdgeDelta[]): readonly EdgeDelta[] {
  const byName = new Map<string, EdgeDelta>();
  for (const edge of edges) {
    const name = edgeName(edge);
    const held = byName.get(name);
    byName.set(name, held === undefined ? edge : sumOf(held, edge));
  }
  return [...byName.values()];
}

function sumOf(a: EdgeDelta, b: EdgeDelta): EdgeDelta {
  const latency = [...a.latency];
  mergeInto(latency, b.latency);
  return { ...a, count: a.count + b.count, latency, latencySumMs: a.latencySumMs + b.latencySumMs };
}

const labelText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
};

/** Backslash, quote and line feed are what the format escapes in a label's value. */
const escaped = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

const valueText = (value: number): string =>
  value === Number.POSITIVE_INFINITY ? "+Inf" : value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
