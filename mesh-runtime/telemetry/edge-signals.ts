import type { RefusalKind } from "../foundation/refusal.ts";
import { emptyHistogram, latencyBoundsMs, mergeInto, quantile } from "./histogram.ts";
import type { EdgeDelta } from "./words.ts";

/** What one line of `tulle stat` is about. */
export const groupings = ["edge", "route", "backend"] as const;
export type Grouping = (typeof groupings)[number];

/** The golden signals of one edge over the window. */
export interface Signals extends Traffic {
  readonly source: string;
  readonly destination: string;
  /** Empty unless asked for by route. */
  readonly route: string;
  /** Empty unless asked for by backend. */
  readonly backend: string;
}

/** What some requests came to over the window. */
export interface Traffic {
  /** Whose count this is: the caller's, or the callee's own where no caller reports (outside, unknown). */
  readonly seenBy: "caller" | "callee";
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** In [0, 1]; failures are 5xx and what the mesh refused for a reason that is not the caller's. */
  readonly successRate: number;
  /** Milliseconds; absent when nothing was counted, or control counts in other buckets. */
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly p99Ms?: number;
  /** Tries at backends; absent where only the callee counts. */
  readonly attempts?: number;
  /** Tries beyond one for each request; requests that were refused before any try count as none. */
  readonly retries?: number;
  readonly refused: number;
}

/** Whether a refusal counts against the destination: what its callers did wrong does not. */
const countsAsFailure: Readonly<Record<RefusalKind, boolean>> = {
  "mesh-not-ready": true,
  misconfigured: true,
  unidentified: false,
  "replay-undecided": true,
  "answer-unsigned": true,
  "answer-unverified": true,
  denied: false,
  "invalid-token": false,
  "keys-unavailable": true,
  "no-route": false,
  "too-long-to-match": false,
  "no-backend": true,
  "deadline-exceeded": true,
  "circuit-open": true,
  overloaded: true,
  "too-many-hops": true,
  unreachable: true,
  "body-too-large": false,
  "headers-too-large": false,
  cancelled: false,
  "handler-failed": true,
  internal: true,
};

/** A refusal of a kind that this version does not know counts as failure: doubt must not look healthy. */
function failed({ class: outcome, refusal }: EdgeDelta): boolean {
  if (outcome !== "refused") return outcome === "5xx";
  return !Object.hasOwn(countsAsFailure, refusal) || countsAsFailure[refusal as RefusalKind];
}

/**
 * Adds deltas up to one entry an edge (or route, or backend of it), busiest first. Requests are counted
 * as callers saw them, after retries; a callee's own count stands in only where no caller reports.
 * @param boundsMs the bucket bounds that control counts with; other ones than ours give no quantiles
 */
export function goldenSignals(
  deltas: readonly EdgeDelta[],
  windowMs: number,
  by: Grouping,
  boundsMs: readonly number[],
): readonly Signals[] {
  const groups = new Map<string, EdgeDelta[]>();
  for (const delta of deltas) {
    const key = JSON.stringify(keyOf(delta, by));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [delta]);
    else group.push(delta);
  }
  const signals = [...groups.values()].flatMap((group): Signals[] => {
    const [first] = group;
    const traffic = trafficOf(group, windowMs, boundsMs);
    return first === undefined || traffic === undefined ? [] : [{ ...keyOf(first, by), ...traffic }];
  });
  return signals.sort((a, b) => b.requests - a.requests);
}

/**
 * What the requests of some deltas came to, as callers saw them; the callee's own count stands in where no
 * caller reports. Undefined where nothing was requested.
 * @param boundsMs as in {@link goldenSignals}
 */
export function trafficOf(
  group: readonly EdgeDelta[],
  windowMs: number,
  boundsMs: readonly number[],
): Traffic | undefined {
  const attempted = group.filter(({ perspective }) => perspective === "attempt");
  const effective = group.filter(({ perspective }) => perspective === "effective");
  const counted =
    effective.length > 0 ? effective : group.filter(({ perspective }) => perspective === "inbound");
  const requests = total(counted);
  if (requests === 0) return undefined;
  const latency = emptyHistogram();
  for (const delta of counted) mergeInto(latency, delta.latency);
  const attempts = total(attempted);
  const refused = counted.filter((delta) => delta.class === "refused");
  const sameBuckets = JSON.stringify(boundsMs) === JSON.stringify(latencyBoundsMs);
  return {
    seenBy: effective.length > 0 ? "caller" : "callee",
    requests,
    requestsPerSecond: (requests * 1_000) / windowMs,
    successRate: 1 - total(counted.filter(failed)) / requests,
    ...(sameBuckets ? quantiles(latency) : {}),
    ...(attempted.length > 0 ? { attempts, retries: Math.max(0, attempts - requests) } : {}),
    refused: total(refused),
  };
}

function keyOf({ source, destination, route, backend }: EdgeDelta, by: Grouping) {
  return {
    source,
    destination,
    route: by === "route" ? route : "",
    backend: by === "backend" ? backend : "",
  };
}

function total(deltas: readonly EdgeDelta[]): number {
  return deltas.reduce((sum, { count }) => sum + count, 0);
}

function quantiles(latency: readonly number[]): Pick<Signals, "p50Ms" | "p95Ms" | "p99Ms"> {
  const [p50Ms, p95Ms, p99Ms] = [0.5, 0.95, 0.99].map((q) => quantile(latency, q));
  return {
    ...(p50Ms !== undefined && { p50Ms }),
    ...(p95Ms !== undefined && { p95Ms }),
    ...(p99Ms !== undefined && { p99Ms }),
  };
}
