import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Refusal } from "../../../mesh-runtime/foundation/refusal.ts";
import { backoffMs } from "../../../mesh-runtime/resilience/backoff.ts";
import {
  backoffOf,
  type Ended,
  longestRetryAfterMs,
  mayRetry,
  type NoRetryReason,
  type RetryQuestion,
} from "../../../mesh-runtime/resilience/retry-policy.ts";
import { refusals } from "../../support/refusals.ts";
import { fixed, retryPolicy } from "./examples.ts";

const response = (status: number, more: { problem?: string; retryAfterMs?: number } = {}): Ended => ({
  kind: "response",
  status,
  problem: more.problem,
  retryAfterMs: more.retryAfterMs,
});
const refusal = (refused: Refusal): Ended => ({ kind: "refusal", refusal: refused });
const lost = (delivered: boolean) => refusal({ ...refusals.unreachable, delivered });

/** A GET that a 503 ended and that may be tried again; each case changes one field. */
const question: RetryQuestion = {
  method: "GET",
  idempotencyKey: false,
  ended: response(503),
  attempt: 1,
  policy: retryPolicy,
  route: undefined,
  credits: 1,
  budget: true,
  remainingMs: 1_000,
  replayable: true,
  elsewhere: false,
  backoffMs: 20,
};

const asked = (changed: Partial<RetryQuestion>) => mayRetry({ ...question, ...changed });

test("the example is retried after its backoff", () => {
  expect(mayRetry(question)).toEqual({ retry: true, waitMs: 20, free: false });
});

test.each<[string, Partial<RetryQuestion>, NoRetryReason]>([
  ["a status that nobody listed", { ended: response(500) }, "final"],
  ["a success", { ended: response(200) }, "final"],
  [
    "a refusal for load by the callee's mesh",
    { ended: response(503, { problem: "overloaded" }) },
    "overloaded",
  ],
  ["the last attempt of the policy", { attempt: 2 }, "attempts"],
  ["a write that may have been processed", { method: "POST" }, "not-idempotent"],
  ["a method that the standard does not know", { method: "CHARGE" }, "not-idempotent"],
  ["a write whose connection broke", { method: "POST", ended: lost(true) }, "not-idempotent"],
  ["a body that cannot be sent again", { replayable: false }, "body"],
  ["a wait that would outlast the deadline", { remainingMs: 20 }, "deadline"],
  ["a deadline that has passed", { remainingMs: -1 }, "deadline"],
  ["Retry-After beyond the deadline", { ended: response(503, { retryAfterMs: 980 }) }, "deadline"],
  [
    "Retry-After beyond what a request waits",
    { ended: response(503, { retryAfterMs: longestRetryAfterMs + 1 }), remainingMs: undefined },
    "retry-after",
  ],
  ["a call tree without credits", { credits: 0 }, "credits"],
  ["an empty budget", { budget: false }, "budget"],
  ["our own open circuit, with nowhere else to go", { ended: refusal(refusals["circuit-open"]) }, "final"],
])("%s is not retried", (_, changed, reason) => {
  expect(asked(changed)).toEqual({ retry: false, reason });
});

test.each<[string, Partial<RetryQuestion>]>([
  ["an idempotent write", { method: "PUT" }],
  ["a write with an idempotency key", { method: "POST", idempotencyKey: true }],
  ["a write that provably reached nobody", { method: "POST", ended: lost(false) }],
  [
    "a write that a mesh refused before it was ready",
    { method: "POST", ended: response(503, { problem: "mesh-not-ready" }) },
  ],
  [
    "a write that might have been there before, and was not let in",
    { method: "POST", ended: response(503, { problem: "replay-undecided" }) },
  ],
  ["a write where the policy allows it", { method: "POST", policy: { ...retryPolicy, nonIdempotent: true } }],
  ["a broken connection", { ended: lost(true) }],
  ["an attempt that took too long", { ended: refusal(refusals["deadline-exceeded"]) }],
  ["a status that only the route lists", { ended: response(500), route: { codes: [500] } }],
  ["the second attempt where the route allows two", { attempt: 2, route: { codes: [503], attempts: 2 } }],
  ["a request without a deadline", { remainingMs: undefined }],
])("%s is retried", (_, changed) => {
  expect(asked(changed).retry).toBe(true);
});

test("a route that retries nothing wins over a destination that does", () => {
  expect(asked({ route: { codes: [], attempts: 5 } })).toEqual({ retry: false, reason: "final" });
  expect(asked({ route: { codes: [503], attempts: 0 } })).toEqual({ retry: false, reason: "attempts" });
});

test("Retry-After is a floor under the drawn backoff", () => {
  const ended = response(503, { retryAfterMs: 300 });
  expect(asked({ ended })).toEqual({ retry: true, waitMs: 320, free: false });
});

test("a route's backoff is the base of the pauses, which grow to ten times as much", () => {
  expect(backoffOf(retryPolicy, { codes: [503], backoffMs: 100 })).toEqual({
    backoffBaseMs: 100,
    backoffMaxMs: 1_000,
  });
  expect(backoffOf(retryPolicy, { codes: [503] })).toMatchObject({ backoffBaseMs: 25, backoffMaxMs: 250 });
  expect(backoffOf(retryPolicy, undefined)).toMatchObject({ backoffBaseMs: 25, backoffMaxMs: 250 });
});

test("the n-th pause of a route is at most backoff times 2^n - 1, and can be nearly nothing", () => {
  const bounds = backoffOf(retryPolicy, { codes: [503], backoffMs: 100 });
  const drawn = (random: number) => [1, 2, 3, 4, 9].map((retry) => backoffMs(retry, bounds, () => random));
  expect(drawn(0)).toEqual([0, 0, 0, 0, 0]);
  expect(drawn(0.999_999)).toEqual([99, 299, 699, 999, 999]);
});

test("a route that lists codes does not make writes safe to repeat", () => {
  const route = { codes: [500, 503], attempts: 3 };
  expect(asked({ route, method: "POST" })).toEqual({ retry: false, reason: "not-idempotent" });
  expect(asked({ route, method: "POST", idempotencyKey: true }).retry).toBe(true);
  expect(asked({ route, method: "POST", ended: lost(false) }).retry).toBe(true);
});

test("a route without codes still repeats what reached nobody or took too long", () => {
  const route = { codes: [], attempts: 1 };
  expect(
    [lost(false), lost(true), refusal(refusals["deadline-exceeded"])].map(
      (ended) => asked({ route, ended }).retry,
    ),
  ).toEqual([true, true, true]);
  expect(asked({ route, ended: lost(true), method: "POST" })).toEqual({
    retry: false,
    reason: "not-idempotent",
  });
});

test("past our own open circuit a request goes elsewhere at once and for nothing", () => {
  const ended = refusal(refusals["circuit-open"]);
  const decision = asked({ ended, elsewhere: true, method: "POST", credits: 0, budget: false, attempt: 9 });
  expect(decision).toEqual({ retry: true, waitMs: 0, free: true });
  expect(asked({ ended, elsewhere: true, replayable: false })).toEqual({ retry: false, reason: "final" });
});

describe("every kind of refusal", () => {
  const retriable = ["answer-unverified", "deadline-exceeded", "unreachable"];
  test.each(Object.values(refusals))("$kind is decided", (refused) => {
    expect(asked({ ended: refusal(refused) }).retry).toBe(retriable.includes(refused.kind));
  });
});

test("no question whatever repeats what may have been processed, overspends, or waits past the deadline", () => {
  const anyEnd = fc.oneof(
    fc.record({
      kind: fc.constant("response" as const),
      status: fc.constantFrom(200, 404, 429, 500, 502, 503, 504),
      problem: fc.constantFrom(undefined, "overloaded", "mesh-not-ready", "replay-undecided", "denied"),
      retryAfterMs: fc.option(fc.nat(20_000), { nil: undefined }),
    }),
    fc.constantFrom(...Object.values(refusals)).map(refusal),
  );
  const anyQuestion = fc.record({
    method: fc.constantFrom("GET", "PUT", "POST", "PATCH"),
    idempotencyKey: fc.boolean(),
    ended: anyEnd,
    attempt: fc.integer({ min: 1, max: 4 }),
    policy: fc
      .record({ nonIdempotent: fc.boolean() })
      .map((each) => ({ ...retryPolicy, attempts: 2, ...each })),
    route: fc.constant(undefined),
    credits: fc.nat(2),
    budget: fc.boolean(),
    remainingMs: fc.option(fc.integer({ min: -10, max: 20_000 }), { nil: undefined }),
    replayable: fc.boolean(),
    elsewhere: fc.boolean(),
    backoffMs: fc.nat(250),
  });
  fc.assert(
    fc.property(anyQuestion, (any) => {
      const decision = mayRetry(any);
      if (!decision.retry) return true;
      if (!any.replayable) return false;
      if (decision.free) return any.ended.kind === "refusal" && any.ended.refusal.kind === "circuit-open";
      const { ended } = any;
      const reachedNobody =
        ended.kind === "refusal"
          ? ended.refusal.kind === "unreachable" && !ended.refusal.delivered
          : ended.problem === "mesh-not-ready" || ended.problem === "replay-undecided";
      const safe =
        reachedNobody ||
        any.idempotencyKey ||
        any.policy.nonIdempotent ||
        any.method < "POST" ||
        any.method === "PUT";
      const inTime = any.remainingMs === undefined || decision.waitMs < any.remainingMs;
      return safe && inTime && any.credits > 0 && any.budget && any.attempt <= 2 && decision.waitMs >= 0;
    }),
    { ...fixed, numRuns: 2_000 },
  );
});
