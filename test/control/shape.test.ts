import { describe, expect, test } from "vitest";
import { fits, flag, list, object, oneOf, optional, record, text, whole } from "../../control/shape.ts";
import { joinShape, reportLimits, reportShape } from "../../control/workload-shape.ts";

const shape = object<{ name: string; size?: number }>({ name: text(3), size: optional(whole(0, 9)) });

describe("fits()", () => {
  test("keeps what the shape names and drops the rest", () => {
    expect(fits(shape, { name: "a", size: 3, newer: true })).toEqual({
      ok: true,
      value: { name: "a", size: 3 },
    });
    expect(fits(shape, { name: "a" })).toEqual({ ok: true, value: { name: "a" } });
  });

  test.each([
    [{ name: "four" }, "name must be"],
    [{ name: 3 }, "name must be"],
    [{}, "name must be"],
    [{ name: "a", size: 10 }, "size must be"],
    [{ name: "a", size: 1.5 }, "size must be"],
    [{ name: "a", size: null }, "size must be"],
    [null, "the whole must be an object"],
    [[], "the whole must be an object"],
  ])("refuses %j and says where", (value, where) => {
    expect(fits(shape, value)).toEqual({ ok: false, reason: expect.stringContaining(where) });
  });

  test("never repeats the value that does not fit", () => {
    expect(JSON.stringify(fits(object({ token: text(3) }), { token: "secret" }))).not.toContain("secret");
  });

  test("members of the prototype are nobody's statement", () => {
    expect(fits(object({ toString: text(100) }), {}).ok).toBe(false);
  });

  test("lists and maps are bounded", () => {
    expect(fits(list(flag, 2), [true, false, true]).ok).toBe(false);
    expect(fits(record(flag, 2, 1), { a: true, bb: true }).ok).toBe(false);
    expect(fits(record(flag, 1, 9), { a: true, b: true }).ok).toBe(false);
    expect(fits(list(oneOf("a", "b"), 2), ["a", "c"])).toEqual({
      ok: false,
      reason: "[1] must be one of a, b",
    });
  });
});

const edge = {
  perspective: "inbound",
  source: "default/a",
  destination: "default/b",
  route: "r",
  backend: "default/b",
  class: "2xx",
  refusal: "",
  count: 1,
  latency: [1],
  latencySumMs: 2,
};
const span = {
  traceId: "0".repeat(31).concat("1"),
  spanId: "0".repeat(15).concat("1"),
  name: "GET",
  kind: 2,
  startMs: 1,
  endMs: 2,
  attributes: { a: "b", c: 1, d: true },
  status: 0,
  workload: "default/b",
};
const circuit = {
  circuit: "default/b",
  success: 1,
  failure: 0,
  overload: 0,
  evidence: true,
  incarnation: 0,
  epoch: 0,
};
const report = {
  version: 1,
  isolate: "i1",
  workload: "default/b",
  id: "r1",
  epoch: 1,
  digest: "a".repeat(64),
  bundleSequence: 1,
  circuits: [circuit],
  edges: [edge],
  spans: [span],
  counters: { spans_dropped: 1 },
};

describe("the shape of a report", () => {
  test("takes a whole report", () => {
    expect(fits(reportShape, report)).toEqual({ ok: true, value: report });
  });

  test.each([
    ["too many circuits", { circuits: new Array(reportLimits.circuits + 1).fill(circuit) }],
    ["too many edges", { edges: new Array(reportLimits.edges + 1).fill(edge) }],
    ["too many spans", { spans: new Array(reportLimits.spans + 1).fill(span) }],
    [
      "too many counters",
      { counters: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`c${i}`, 1])) },
    ],
    ["a long route", { edges: [{ ...edge, route: "r".repeat(257) }] }],
    ["a negative count", { edges: [{ ...edge, count: -1 }] }],
    ["a count that is no number", { circuits: [{ ...circuit, failure: Number.NaN }] }],
    ["a large attribute", { spans: [{ ...span, attributes: { a: "x".repeat(1_025) } }] }],
    [
      "many attributes",
      { spans: [{ ...span, attributes: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [i, 1])) }] },
    ],
    ["a nested attribute", { spans: [{ ...span, attributes: { a: { b: 1 } } }] }],
    ["a workload that is none", { workload: "b" }],
    ["an epoch that is none", { epoch: "1" }],
  ])("refuses %s", (_, change) => {
    expect(fits(reportShape, { ...report, ...change }).ok).toBe(false);
  });
});

describe("the shape of a join", () => {
  const join = { version: 1, isolate: "i", publicJwk: { kty: "EC" }, possession: "a.b.c", workload: "" };

  test("takes one that leaves the workload to the binding", () => {
    expect(fits(joinShape, join).ok).toBe(true);
  });

  test("keeps secret members of the key, so that they are seen and refused", () => {
    const read = fits(joinShape, { ...join, publicJwk: { kty: "EC", d: "x" } });
    expect(read.ok && read.value.publicJwk.d).toBe("x");
  });

  test.each([
    ["a long proof", { possession: "x".repeat(4_097) }],
    ["a long token", { joinToken: "x".repeat(257) }],
    ["another's form of a name", { workload: "Default/B" }],
  ])("refuses %s", (_, change) => {
    expect(fits(joinShape, { ...join, ...change }).ok).toBe(false);
  });
});
