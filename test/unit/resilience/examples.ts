import type { Answer, Cause, Message, Notes } from "../../../mesh-runtime/foundation/exchange.ts";
import type { Refusal } from "../../../mesh-runtime/foundation/refusal.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import type { CircuitPolicy, RetryPolicy, TrafficSettings } from "../../../mesh-runtime/resilience/words.ts";

export const retryPolicy: RetryPolicy = {
  attempts: 1,
  codes: [502, 503, 504],
  perTryTimeoutMs: 0,
  backoffBaseMs: 25,
  backoffMaxMs: 250,
  budgetRatio: 0.2,
  maxReplayBytes: 65_536,
  nonIdempotent: false,
};

export const circuitPolicy: CircuitPolicy = {
  enabled: true,
  consecutiveFailures: 5,
  minimumSpanMs: 500,
  failureRatio: 0.5,
  minimumOutcomes: 20,
  windowMs: 10_000,
  baseOpenMs: 1_000,
  maxOpenMs: 30_000,
  permitMs: 3_000,
  successesToClose: 3,
};

export const traffic: TrafficSettings = {
  timeoutMs: 15_000,
  retry: retryPolicy,
  circuit: circuitPolicy,
  maxInFlight: 1_000,
};

export const notesFor = (destination = "default/payments"): Notes => ({
  destination,
  route: "",
  backend: "",
  endpoint: "",
  peer: "",
  source: "",
  evidence: "",
  rule: "",
  refusal: undefined,
  tries: [],
});

export const causeWith = (known: Partial<Pick<Cause, "deadlineAt" | "hops" | "credits">> = {}): Cause => ({
  trace: { traceId: "", spanId: "", sampled: false, state: "", baggage: "" },
  deadlineAt: undefined,
  credits: { left: 3 },
  hops: 0,
  ...known,
});

export const messageFor = (known: Partial<Message> = {}): Message => ({
  url: new URL("http://payments/charge"),
  method: "GET",
  headers: new Headers(),
  body: null,
  ...known,
});

export const responds = (status: number, headers: Record<string, string> = {}): Answer =>
  ok(new Response(null, { status, headers }));

export const refuses = (refusal: Refusal): Answer => no(refusal);

export const unreachable = (delivered: boolean): Answer =>
  no({ kind: "unreachable", destination: "default/payments", delivered, detail: "reset" });

/** The kind of a refusal, or the status of a response. */
export const faceOf = (answer: Answer): string | number =>
  answer.ok ? answer.value.status : answer.reason.kind;

/** Mulberry32: the same draws for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What fast-check runs with: the same cases every time. */
export const fixed = { seed: 20_260_101, numRuns: 200 } as const;
