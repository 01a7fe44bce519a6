import { expect, test } from "vitest";
import { header } from "../../../mesh-runtime/foundation/headers.ts";
import { problemOf, problemResponse } from "../../../mesh-runtime/foundation/problem.ts";
import type { RefusalKind } from "../../../mesh-runtime/foundation/refusal.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import { timeout } from "../../../mesh-runtime/foundation/time-limit.ts";
import { outcomeOf, outcomeOfAbort } from "../../../mesh-runtime/resilience/outcome.ts";
import type { Outcome } from "../../../mesh-runtime/resilience/words.ts";
import { refusals } from "../../support/refusals.ts";
import { responds } from "./examples.ts";

test.each<[number, Outcome]>([
  [200, "success"],
  [204, "success"],
  [302, "success"],
  [400, "success"],
  [404, "success"],
  [429, "overload"],
  [500, "failure"],
  [501, "neutral"],
  [502, "failure"],
  [503, "failure"],
  [504, "failure"],
  [505, "neutral"],
  [507, "failure"],
  [599, "failure"],
])("status %d is a %s of the destination", (status, outcome) => {
  expect(outcomeOf(responds(status))).toBe(outcome);
});

test("a refusal on this side counts only when the wire or the clock made it", () => {
  const seen = Object.values(refusals).map((refusal) => [refusal.kind, outcomeOf(no(refusal))]);
  const failures = seen.filter(([, outcome]) => outcome === "failure").map(([kind]) => kind);
  expect(failures).toEqual(["answer-unverified", "deadline-exceeded", "unreachable"]);
  expect(seen.filter(([, outcome]) => outcome !== "failure" && outcome !== "neutral")).toEqual([]);
});

const fromCallee: Readonly<Record<RefusalKind, Outcome>> = {
  "mesh-not-ready": "failure",
  misconfigured: "failure",
  unidentified: "neutral",
  "replay-undecided": "neutral",
  "answer-unsigned": "neutral",
  "answer-unverified": "failure",
  denied: "neutral",
  "invalid-token": "neutral",
  "keys-unavailable": "neutral",
  "no-route": "neutral",
  "too-long-to-match": "neutral",
  "no-backend": "failure",
  "deadline-exceeded": "failure",
  "circuit-open": "failure",
  overloaded: "overload",
  "too-many-hops": "neutral",
  unreachable: "failure",
  "body-too-large": "neutral",
  "headers-too-large": "neutral",
  cancelled: "neutral",
  "handler-failed": "failure",
  internal: "failure",
};

test.each(Object.values(refusals))(
  "the problem $kind of the callee's mesh has its own meaning",
  (refusal) => {
    expect(outcomeOf(ok(problemResponse(problemOf(refusal))))).toBe(fromCallee[refusal.kind]);
  },
);

test("a 503 of an application that merely looks like an overload problem is a failure", () => {
  expect(outcomeOf(responds(503, { "content-type": "application/problem+json" }))).toBe("failure");
  expect(outcomeOf(responds(503, { [header.problem]: "overloaded" }))).toBe("overload");
});

test("a signal fired by a limit of time is a failure, one fired by the caller is neutral", () => {
  const limit = new AbortController();
  limit.abort(timeout());
  const caller = new AbortController();
  caller.abort();
  const timing = new AbortController();
  timing.abort(new DOMException("", "TimeoutError"));
  const odd = new AbortController();
  odd.abort("gone");
  expect([limit, caller, timing, odd].map(({ signal }) => outcomeOfAbort(signal))).toEqual([
    "failure",
    "neutral",
    "neutral",
    "neutral",
  ]);
});
