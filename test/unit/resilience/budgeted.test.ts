import { expect, test } from "vitest";
import type { Answer } from "../../../mesh-runtime/foundation/exchange.ts";
import { journey } from "../../../mesh-runtime/foundation/layer.ts";
import { problemOf, problemResponse } from "../../../mesh-runtime/foundation/problem.ts";
import { type Budgeting, budgeted } from "../../../mesh-runtime/resilience/budgeted.ts";
import { RetryBudgets } from "../../../mesh-runtime/resilience/retried.ts";
import type { RetryConstraint } from "../../../mesh-runtime/resilience/words.ts";
import { refusals } from "../../support/refusals.ts";
import { faceOf, refuses, responds } from "./examples.ts";

const constraint: RetryConstraint = {
  percent: 20,
  intervalMs: 10_000,
  minimumCount: 1,
  minimumIntervalMs: 2_000,
};

/** Sends attempts to a backend, one after the other, all at one moment. */
function backend(retryConstraint?: RetryConstraint, last: () => Answer = () => responds(200)) {
  const ports = { clock: { now: () => 1_000_000 }, budgets: new RetryBudgets(() => 0) };
  const step = journey<Budgeting, Answer>()
    .through(budgeted(ports))
    .to(async () => last());
  return (retries: number, key = "default/payments"): Promise<Answer> =>
    step({
      retries,
      recipient: { settings: { key, traffic: retryConstraint === undefined ? {} : { retryConstraint } } },
    });
}

test("a backend without a constraint lets every attempt pass", async () => {
  const send = backend();
  for (let retry = 0; retry < 50; retry++) expect(faceOf(await send(retry))).toBe(200);
});

test("a retry beyond the budget is refused for load, and its caller sees 503 and when to come again", async () => {
  const send = backend(constraint);
  expect(faceOf(await send(0))).toBe(200);
  expect(faceOf(await send(1))).toBe(200);
  const refused = await send(2);
  expect(refused).toEqual({
    ok: false,
    reason: { kind: "overloaded", limit: "default/payments: 20% retries in 10000ms", retryAfterMs: 2_000 },
  });
  expect(faceOf(await send(0))).toBe(200);
  if (refused.ok) throw new Error("it was not refused");
  const seen = problemResponse(problemOf(refused.reason));
  expect([seen.status, seen.headers.get("retry-after")]).toEqual([503, "2"]);
});

test("first tries are never refused, and give room for retries", async () => {
  const send = backend(constraint);
  for (let i = 0; i < 8; i++) expect(faceOf(await send(0))).toBe(200);
  expect([faceOf(await send(1)), faceOf(await send(1)), faceOf(await send(1))]).toEqual([
    200,
    200,
    "overloaded",
  ]);
});

test("backends do not share a budget", async () => {
  const send = backend(constraint);
  expect([faceOf(await send(1)), faceOf(await send(1))]).toEqual([200, "overloaded"]);
  expect(faceOf(await send(1, "default/other"))).toBe(200);
});

test("what the circuit held back was not sent, and does not count", async () => {
  const send = backend(constraint, () => refuses(refusals["circuit-open"]));
  for (let i = 0; i < 5; i++) expect(faceOf(await send(1))).toBe("circuit-open");
});

test("what may have been sent counts, whatever came of it", async () => {
  const send = backend(constraint, () => refuses(refusals.unreachable));
  expect([faceOf(await send(1)), faceOf(await send(1))]).toEqual(["unreachable", "overloaded"]);
});
