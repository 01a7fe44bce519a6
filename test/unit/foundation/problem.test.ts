import { expect, test } from "vitest";
import {
  type Problem,
  problemBase,
  problemOf,
  problemResponse,
} from "../../../mesh-runtime/foundation/problem.ts";
import type { IdentityStep, RefusalKind } from "../../../mesh-runtime/foundation/refusal.ts";
import { innerDetail, refusals } from "../../support/refusals.ts";

/** The status that callers see; the compiler demands a row for a new kind. */
const statuses: { readonly [Kind in RefusalKind]: number } = {
  "mesh-not-ready": 503,
  misconfigured: 500,
  unidentified: 400,
  "replay-undecided": 503,
  "answer-unsigned": 501,
  "answer-unverified": 502,
  denied: 403,
  "invalid-token": 401,
  "keys-unavailable": 503,
  "no-route": 404,
  "too-long-to-match": 414,
  "no-backend": 500,
  "deadline-exceeded": 504,
  "circuit-open": 503,
  overloaded: 503,
  "too-many-hops": 508,
  unreachable: 503,
  "body-too-large": 413,
  "headers-too-large": 431,
  cancelled: 499,
  "handler-failed": 500,
  internal: 500,
};
const all = Object.values(refusals);

test.each(all)("$kind has a problem type of its own name, a title and its status", (refusal) => {
  const problem = problemOf(refusal);
  expect(problem.type).toBe(problemBase + refusal.kind);
  expect(problem.status).toBe(statuses[refusal.kind]);
  expect(problem.title).toMatch(/^[A-Z][^.]+$/);
});

test.each(all)("$kind says nothing to the caller that is for operators only", async (refusal) => {
  const response = problemResponse(problemOf(refusal));
  const text = JSON.stringify([...response.headers]) + (await response.text());
  expect(text).not.toContain(innerDetail);
});

test("every identity check that fails looks the same from outside, so that none of them is an oracle", () => {
  const steps: { readonly [Step in IdentityStep]: true } = {
    missing: true,
    malformed: true,
    token: true,
    "trust-domain": true,
    session: true,
    proof: true,
    audience: true,
    clock: true,
    replay: true,
    digest: true,
    evidence: true,
    revoked: true,
  };
  const seen = Object.keys(steps).map((step) =>
    JSON.stringify(problemOf({ kind: "unidentified", step: step as IdentityStep, detail: innerDetail })),
  );
  expect(new Set(seen).size).toBe(1);
});

test.each([
  [1, 1],
  [999, 1],
  [1_000, 1],
  [1_001, 2],
  [2_500, 3],
  [0, 1],
  [-5, 1],
])("a wait of %d ms is announced as %d whole seconds, never less than one", (retryAfterMs, seconds) => {
  for (const refusal of [
    { kind: "mesh-not-ready", detail: "", retryAfterMs },
    { kind: "keys-unavailable", detail: "", retryAfterMs },
    { kind: "circuit-open", circuit: "default/payments", retryAfterMs },
    { kind: "overloaded", limit: "in-flight", retryAfterMs },
  ] as const) {
    const response = problemResponse(problemOf(refusal));
    expect(response.headers.get("retry-after")).toBe(String(seconds));
  }
});

test("only what may be tried again announces when", () => {
  const announcing = all
    .filter((refusal) => problemResponse(problemOf(refusal)).headers.has("retry-after"))
    .map((refusal) => refusal.kind);
  expect(announcing).toEqual([
    "mesh-not-ready",
    "replay-undecided",
    "keys-unavailable",
    "circuit-open",
    "overloaded",
  ]);
});

test("a memory of proofs that has begun anew is told in a header, so that a new try may follow at once", async () => {
  const response = problemResponse(problemOf({ kind: "replay-undecided", detail: "", watch: "w-2" }));
  expect(response.headers.get("tulle-watch")).toBe("w-2");
  expect(response.headers.has("retry-after")).toBe(false);
  expect(Object.keys((await response.json()) as object)).toEqual(["type", "title", "status"]);
});

test("size limits tell the caller the limit, and a misconfiguration what to add", () => {
  expect(problemOf(refusals["body-too-large"]).detail).toBe("The limit is 65536 bytes.");
  expect(problemOf(refusals["headers-too-large"]).detail).toBe("The limit is 16384 bytes.");
  expect(problemOf(refusals.misconfigured).detail).toBe("add [[services]] MESH");
});

test("a token that is refused is challenged as RFC 6750 §3 says, and nothing else is", () => {
  const challenges = all.map((refusal) =>
    problemResponse(problemOf(refusal)).headers.get("www-authenticate"),
  );
  expect(challenges.filter((challenge) => challenge !== null)).toEqual([
    'Bearer realm="tulle", error="invalid_token"',
  ]);
  const several = problemOf({ kind: "invalid-token", error: "invalid_request", detail: innerDetail });
  expect(problemResponse(several).headers.get("www-authenticate")).toBe(
    'Bearer realm="tulle", error="invalid_request"',
  );
});

test("a problem travels as RFC 9457 says, and no cache keeps it", async () => {
  const problem: Problem = { type: `${problemBase}x`, title: "X", status: 503, detail: "why", retryAfter: 7 };
  const response = problemResponse(problem);
  expect(response.status).toBe(503);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("retry-after")).toBe("7");
  expect(await response.json()).toEqual({
    type: `${problemBase}x`,
    title: "X",
    status: 503,
    detail: "why",
  });
});
