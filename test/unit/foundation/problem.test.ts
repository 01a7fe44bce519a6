import { expect, test } from "vitest";
import {
  type Problem,
  problemBase,
  problemOf,
  problemResponse,
} from "../../../mesh-runtime/foundation/problem.ts";
import type { IdentityStep, Refusal, RefusalKind } from "../../../mesh-runtime/foundation/refusal.ts";

/** Stands in every field that is for operators only: an answer that contains it has said too much. */
const secret = "inner-detail-of-the-mesh";

/** One refusal of each kind with the status that callers see; the compiler demands a row for a new kind. */
const faces: { readonly [Kind in RefusalKind]: readonly [Extract<Refusal, { kind: Kind }>, number] } = {
  "mesh-not-ready": [{ kind: "mesh-not-ready", detail: secret, retryAfterMs: 1_000 }, 503],
  misconfigured: [{ kind: "misconfigured", detail: "add [[services]] MESH" }, 500],
  unidentified: [{ kind: "unidentified", step: "proof", detail: secret }, 400],
  denied: [{ kind: "denied", rule: secret, principal: secret }, 403],
  "no-route": [{ kind: "no-route", destination: secret }, 404],
  "no-backend": [{ kind: "no-backend", destination: secret, rule: secret, detail: secret }, 500],
  "deadline-exceeded": [{ kind: "deadline-exceeded", destination: secret, budgetMs: 250 }, 504],
  "circuit-open": [{ kind: "circuit-open", circuit: secret, retryAfterMs: 2_500 }, 503],
  overloaded: [{ kind: "overloaded", limit: secret, retryAfterMs: 1 }, 503],
  "too-many-hops": [{ kind: "too-many-hops", hops: 33 }, 508],
  unreachable: [{ kind: "unreachable", destination: secret, delivered: false, detail: secret }, 503],
  "body-too-large": [{ kind: "body-too-large", limitBytes: 65_536 }, 413],
  "headers-too-large": [{ kind: "headers-too-large", limitBytes: 16_384 }, 431],
  cancelled: [{ kind: "cancelled" }, 499],
  "handler-failed": [{ kind: "handler-failed", detail: secret }, 500],
  internal: [{ kind: "internal", detail: secret }, 500],
};

test.each(Object.entries(faces))(
  "%s has a problem type of its own name, a title and its status",
  (kind, [refusal, status]) => {
    const problem = problemOf(refusal);
    expect(problem.type).toBe(problemBase + kind);
    expect(problem.status).toBe(status);
    expect(problem.title).toMatch(/^[A-Z][^.]+$/);
  },
);

test.each(Object.entries(faces))(
  "%s says nothing to the caller that is for operators only",
  async (_, [refusal]) => {
    const response = problemResponse(problemOf(refusal));
    const text = JSON.stringify([...response.headers]) + (await response.text());
    expect(text).not.toContain(secret);
  },
);

test("every identity check that fails looks the same from outside, so that none of them is an oracle", () => {
  const steps: { readonly [Step in IdentityStep]: true } = {
    missing: true,
    malformed: true,
    token: true,
    "trust-domain": true,
    proof: true,
    audience: true,
    clock: true,
    replay: true,
    digest: true,
    evidence: true,
    revoked: true,
  };
  const seen = Object.keys(steps).map((step) =>
    JSON.stringify(problemOf({ kind: "unidentified", step: step as IdentityStep, detail: secret })),
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
    { kind: "circuit-open", circuit: "default/payments", retryAfterMs },
    { kind: "overloaded", limit: "in-flight", retryAfterMs },
  ] as const) {
    const response = problemResponse(problemOf(refusal));
    expect(response.headers.get("retry-after")).toBe(String(seconds));
  }
});

test("only what may be tried again announces when", () => {
  const announcing = Object.values(faces)
    .map(([refusal]) => refusal)
    .filter((refusal) => problemResponse(problemOf(refusal)).headers.has("retry-after"))
    .map((refusal) => refusal.kind);
  expect(announcing).toEqual(["mesh-not-ready", "circuit-open", "overloaded"]);
});

test("size limits tell the caller the limit, and a misconfiguration what to add", () => {
  expect(problemOf(faces["body-too-large"][0]).detail).toBe("The limit is 65536 bytes.");
  expect(problemOf(faces["headers-too-large"][0]).detail).toBe("The limit is 16384 bytes.");
  expect(problemOf(faces.misconfigured[0]).detail).toBe("add [[services]] MESH");
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
