/** What an attempt says about its destination. `neutral` says nothing: the caller's fault, or cancelled. */
export type Outcome = "success" | "failure" | "overload" | "neutral";

export interface RetryPolicy {
  /** Retries beyond the first attempt. */
  readonly attempts: number;
  /** Status codes worth another try. */
  readonly codes: readonly number[];
  /** Upper bound of one attempt, milliseconds; 0: none. */
  readonly perTryTimeoutMs: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** Share of requests that may be retries, in [0, 1]. */
  readonly budgetRatio: number;
  /** Bodies above this are not kept for another try, bytes. */
  readonly maxReplayBytes: number;
  /** Whether methods that are not idempotent may be retried after they may have been processed. */
  readonly nonIdempotent: boolean;
}

/**
 * How much of the traffic to a backend may be retries (Gateway API `RetryConstraint`). Every caller's isolate keeps
 * to it by itself; beyond it a further retry is refused.
 */
export interface RetryConstraint {
  /** Of all requests within `intervalMs`, retries among them, in percent. */
  readonly percent: number;
  readonly intervalMs: number;
  /** So many retries within `minimumIntervalMs` are let through whatever their share. */
  readonly minimumCount: number;
  readonly minimumIntervalMs: number;
}

/** Parameters of a circuit; names and defaults with their reasons stand in `policy/defaults.ts`. */
export interface CircuitPolicy {
  readonly enabled: boolean;
  /** Local trip: so many failures in a row … */
  readonly consecutiveFailures: number;
  /** … over at least so long, milliseconds. */
  readonly minimumSpanMs: number;
  /** Rate trip, here and at the authority: share of failures in [0, 1] … */
  readonly failureRatio: number;
  /** … of at least so many outcomes … */
  readonly minimumOutcomes: number;
  /** … within so long, milliseconds. */
  readonly windowMs: number;
  /** First penalty of a local trip, milliseconds; doubles to the maximum. */
  readonly baseOpenMs: number;
  readonly maxOpenMs: number;
  /** How long the holder of a probe's permit may take before it is given to another, milliseconds. */
  readonly permitMs: number;
  /** Probes that must succeed before the circuit ramps up again. */
  readonly successesToClose: number;
}

/** Everything about one destination that is not routing. */
export interface TrafficSettings {
  /** For the request with all its attempts, milliseconds; 0: none. */
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  /** In place of `retry.budgetRatio`, where a document says so. */
  readonly retryConstraint?: RetryConstraint;
  readonly circuit: CircuitPolicy;
  /** Requests under way from one isolate to this destination; above it they are refused, never queued. */
  readonly maxInFlight: number;
}

export type CircuitState = "closed" | "open" | "half-open" | "ramp";

/**
 * What the authority says of one circuit. Durations only, never timestamps: clocks differ. Newer is
 * the greater (`incarnation`, `epoch`).
 */
export interface Verdict {
  /** Circuit key: the backend's ServiceKey. */
  readonly circuit: string;
  readonly incarnation: number;
  readonly epoch: number;
  readonly state: CircuitState;
  /** How long ago the authority said this, milliseconds; grows while it travels. */
  readonly ageMs: number;
  /** Open: when the next probe is due. */
  readonly probeInMs?: number;
  /** Ramp: how far it is, and how long it takes. */
  readonly rampElapsedMs?: number;
  readonly rampMs?: number;
}

/** One circuit's part of a report. Counts are since the last report of this isolate. */
export interface CircuitReport {
  readonly circuit: string;
  readonly success: number;
  readonly failure: number;
  readonly overload: number;
  /** Only counts whose sending did not depend on the outcome are evidence: from sentinels, and an isolate's first. */
  readonly evidence: boolean;
  /** The epoch of the verdict under which the outcomes came about; 0: none known. */
  readonly incarnation: number;
  readonly epoch: number;
  /** The outcome of a probe whose permit the authority had given. */
  readonly probe?: { readonly permit: string; readonly outcome: Outcome };
  /** This isolate wants to send the next probe. */
  readonly ask?: boolean;
}

/** The authority's answer about one circuit. */
export interface CircuitAnswer {
  readonly verdict: Verdict;
  /** The one global permit to send a probe, if this isolate asked and got it; a lease. */
  readonly permit?: { readonly id: string; readonly leaseMs: number };
  /** Whether this isolate shall report on a short period. */
  readonly sentinel: boolean;
  readonly nextReportMs: number;
}

/** What `bounded` adds to what is known. */
export interface Bounded {
  /** Absolute, milliseconds since the Unix epoch; `undefined` without a limit. */
  readonly deadlineAt: number | undefined;
  /** Fires at the deadline or when the caller aborts. */
  readonly signal: AbortSignal | undefined;
  /** Whether a caller gave so little time that its end says nothing about whoever was waited for. */
  readonly impatient?: boolean;
}

/** What `retried` adds to what is known. */
export interface Attempted {
  /** 1 for the first. */
  readonly attempt: number;
  /** Attempts before this one that were sent, so that this one is a retry; going elsewhere past an open circuit is none. */
  readonly retries: number;
  /** Services that earlier attempts of this request went to. */
  readonly tried: readonly string[];
}
