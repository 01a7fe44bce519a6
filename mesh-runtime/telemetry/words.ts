import type { Span } from "@opentelemetry/api";

/** One finished span, ready for OTLP. Times are milliseconds since the Unix epoch. */
export interface SpanRecord {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** OTLP SpanKind: 1 internal, 2 server, 3 client. */
  readonly kind: 1 | 2 | 3;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** OTLP status: 0 unset, 1 ok, 2 error. */
  readonly status: 0 | 1 | 2;
  readonly error?: string;
  /** What happened while it ran; at most sixteen. */
  readonly events?: readonly SpanEvent[];
  /** `namespace/name` of the workload that recorded it. */
  readonly workload: string;
}

/** Something that happened at one moment of a span. */
export interface SpanEvent {
  readonly name: string;
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/** How an exchange ended, as golden signals count it: by status class, or by the kind of refusal. */
export type OutcomeClass = "1xx" | "2xx" | "3xx" | "4xx" | "5xx" | "refused";

/**
 * What happened on one edge since the last report. `effective` counts requests after retries, as the
 * caller's application saw them; `attempt` counts each try, as the backend saw them; `inbound` is the
 * callee's own count.
 */
export interface EdgeDelta {
  readonly perspective: "effective" | "attempt" | "inbound";
  /** `namespace/name`, or `unknown` for callers without identity, or `outside`. */
  readonly source: string;
  readonly destination: string;
  readonly route: string;
  readonly backend: string;
  readonly class: OutcomeClass;
  /** Kind of refusal for class `refused`, otherwise empty. */
  readonly refusal: string;
  readonly count: number;
  /** Counts by bucket of `telemetry/histogram.ts`. */
  readonly latency: readonly number[];
  readonly latencySumMs: number;
}

/** What `traced` adds to what is known. */
export interface Traced {
  readonly trace: TraceContext;
}

/** What an arrival's telemetry adds: its span, for the application to find as the active one. */
export interface Spanned {
  readonly span: Span;
}

/** W3C Trace Context of the span that is under way here. */
export interface TraceContext {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits: the span of this hop. */
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly sampled: boolean;
  /** `tracestate`, verbatim; empty if none. */
  readonly state: string;
  /** `baggage`, verbatim; empty if none. */
  readonly baggage: string;
}

export interface TelemetrySettings {
  /** Share of new traces that are sampled, in [0, 1]; errors are always recorded. */
  readonly sampleRatio: number;
  readonly accessLog: boolean;
  /** OTLP/HTTP JSON endpoint (the base URL; `/v1/traces` is appended). */
  readonly otlpEndpoint?: string;
}

/** One exchange as the access log tells it. Never a token, never a body, never a query string. */
export interface AccessRecord {
  readonly time: string;
  readonly direction: "inbound" | "outbound";
  readonly workload: string;
  /** SPIFFE ID of the other side, as far as known. */
  readonly peer: string;
  readonly evidence: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly durationMs: number;
  readonly traceId: string;
  readonly route: string;
  readonly backend: string;
  readonly attempts: number;
  readonly epoch: number;
  /** The authorization rule that decided, where one did. */
  readonly rule: string;
  /** The AUDIT rule that speaks of the request, where one does. */
  readonly audited?: string;
  /** What would have been decided with the rules on a dry run, where there are such: `denied by …`. */
  readonly dryRun?: string;
  /** The kind of refusal and its detail, where the mesh refused; empty otherwise. */
  readonly refusal: string;
  readonly reason: string;
}
