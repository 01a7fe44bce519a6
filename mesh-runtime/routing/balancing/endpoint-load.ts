import { hashOf } from "./hash.ts";

/** How fast what is known of an endpoint's latency grows old, milliseconds (Finagle's and Linkerd's 10 s). */
export const decayMs = 10_000;
/** The clock of an isolate counts whole milliseconds, and between two workers most answers take none. */
const leastMs = 1;
/** What a failure or a refusal for load counts as, milliseconds: what fails fast must not look fast. Linkerd's load biaser. */
const penaltyMs = 1_000;
/** What a first request under way counts as, so that an endpoint nobody knows gets one request and not all. */
const unknownMs = 1_000;
/** How long a request under way counts at most, milliseconds: one that was torn down never says that it ended. */
export const flightLeaseMs = 60_000;
/** Failures in a row after which an endpoint is left out. Envoy has 5; an isolate sees less of the traffic. */
export const failuresToEject = 3;
/** How long an endpoint is left out the first time, milliseconds; doubles with each time in a row. */
export const baseEjectionMs = 5_000;
/** Envoy's five minutes. */
export const maxEjectionMs = 300_000;
/** A probe that has not come back after so long is lost, and the next one may go. As the circuit's. */
export const probeLeaseMs = 3_000;

/** A request under way to an endpoint. */
export interface Flight {
  readonly startedAt: number;
}

/** What this isolate knows of one endpoint. Plain data; times are milliseconds since the Unix epoch. */
export interface EndpointLoad {
  /** Of its name. */
  readonly hash: number;
  /** In the order in which they began. */
  readonly flights: Set<Flight>;
  /** Peak-sensitive moving average of latency, milliseconds; 0: nothing known. */
  latencyMs: number;
  /** When that was written. */
  measuredAt: number;
  /** Failures in a row. */
  failures: number;
  /** Times in a row that it was left out. */
  ejections: number;
  /** Until when it is left out; 0: it is not. Once that has passed one probe goes there. */
  ejectedUntil: number;
  /** Until when the probe that is under way may take; 0: none is. */
  probeUntil: number;
  /** When its slow start began: new in the policy, or back. */
  since: number;
  /** Smooth round robin's count. */
  turn: number;
}

/** What an attempt at an endpoint came to: an answer; one that says it is overloaded; no connection; or nothing that the endpoint is to blame for. */
export type End = "answered" | "laboured" | "failed" | "neutral";

/** An endpoint of which nothing is known. */
export const newLoad = (name: string, since: number, turn = 0): EndpointLoad => ({
  hash: hashOf(name),
  flights: new Set(),
  latencyMs: 0,
  measuredAt: 0,
  failures: 0,
  ejections: 0,
  ejectedUntil: 0,
  probeUntil: 0,
  since,
  turn,
});

/** Whether an endpoint may be used: as usual, by one probe, or not now. */
export function standingOf(load: EndpointLoad, now: number): "healthy" | "due" | "ejected" {
  if (load.ejectedUntil === 0) return "healthy";
  return within(load.ejectedUntil, now, maxEjectionMs) || within(load.probeUntil, now, probeLeaseMs)
    ? "ejected"
    : "due";
}

/** A lease that ends later than any given now can was given before the clock was set back. */
const within = (until: number, now: number, longest: number): boolean =>
  now < until && until - now <= longest;

/** An attempt begins; one at an endpoint that is left out is its probe. */
export function begun(load: EndpointLoad, now: number): Flight {
  const flight: Flight = { startedAt: now };
  // Whoever goes away has its request torn down, which then never says that it ended: callers could fill the memory.
  oldestUnderWay(load, now);
  load.flights.add(flight);
  if (load.ejectedUntil !== 0) load.probeUntil = now + probeLeaseMs;
  return flight;
}

/** An attempt has ended. */
export function ended(load: EndpointLoad, flight: Flight, end: End, now: number): void {
  load.flights.delete(flight);
  if (end === "neutral") {
    load.probeUntil = 0;
    return;
  }
  const tookMs = Math.max(now - flight.startedAt, leastMs);
  measured(load, end === "answered" ? tookMs : Math.max(tookMs, penaltyMs), now);
  if (end === "failed") failed(load, now);
  else answered(load, now);
}

function answered(load: EndpointLoad, now: number): void {
  if (load.ejectedUntil !== 0) load.since = now;
  load.failures = 0;
  load.ejections = 0;
  load.ejectedUntil = 0;
  load.probeUntil = 0;
}

function failed(load: EndpointLoad, now: number): void {
  load.failures += 1;
  load.probeUntil = 0;
  // Attempts that had begun before it was left out say nothing new.
  if (load.failures < failuresToEject || within(load.ejectedUntil, now, maxEjectionMs)) return;
  load.ejectedUntil = now + Math.min(baseEjectionMs * 2 ** Math.min(load.ejections, 10), maxEjectionMs);
  load.ejections += 1;
}

/** A peak counts at once, and is forgotten with time; what is below it counts the more, the older that is (Finagle's peak EWMA). */
function measured(load: EndpointLoad, tookMs: number, now: number): void {
  const kept = decayed(load, now);
  load.latencyMs = tookMs >= kept ? tookMs : kept + (tookMs - kept) * (1 - age(load, now));
  load.measuredAt = now;
}

const age = ({ measuredAt }: EndpointLoad, now: number): number =>
  Math.exp(-Math.max(now - measuredAt, 0) / decayMs);

const decayed = (load: EndpointLoad, now: number): number => load.latencyMs * age(load, now);

/**
 * What one more request to an endpoint is expected to wait for: its latency for everyone under way and the one that
 * would come. A request that hangs counts by its age already.
 */
export function costOf(load: EndpointLoad, now: number): number {
  const oldest = oldestUnderWay(load, now);
  if (oldest === undefined) return load.latencyMs === 0 ? 0 : Math.max(decayed(load, now), leastMs);
  const latencyMs = load.latencyMs === 0 ? unknownMs : Math.max(decayed(load, now), leastMs);
  return Math.max(latencyMs, oldest) * (load.flights.size + 1);
}

/** How long the oldest request has been under way, milliseconds; those whose lease has ended are forgotten. */
function oldestUnderWay({ flights }: EndpointLoad, now: number): number | undefined {
  for (const flight of flights) {
    const ageMs = now - flight.startedAt;
    if (ageMs >= 0 && ageMs <= flightLeaseMs) return ageMs;
    flights.delete(flight);
  }
  return undefined;
}
