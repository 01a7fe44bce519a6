import { goldenSignals } from "@tulle/mesh-runtime/telemetry/edge-signals.ts";
import { latencyBoundsMs } from "@tulle/mesh-runtime/telemetry/histogram.ts";
import type { EdgeDelta, SpanRecord } from "@tulle/mesh-runtime/telemetry/words.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { skew } from "../../cli/commands/check.ts";
import { bar, branches, ending, extent } from "../../cli/waterfall.ts";

const settings = { seed: 20_261_123, numRuns: 300 };
const span: SpanRecord = {
  traceId: "t",
  spanId: "a",
  name: "GET /",
  kind: 2,
  startMs: 0,
  endMs: 10,
  attributes: {},
  status: 0,
  workload: "default/web",
};

describe("branches()", () => {
  // Few ids, so that orphans, circles and spans that are their own parent are frequent.
  const spans = fc.array(
    fc.record({
      spanId: fc.constantFrom("a", "b", "c", "d", "e"),
      parentSpanId: fc.constantFrom("a", "b", "c", "d", "e", "gone"),
      startMs: fc.nat(50),
    }),
  );

  test("shows every span exactly once, whatever the parents say", () => {
    fc.assert(
      fc.property(spans, (drawn) => {
        const shown = branches(drawn.map((one) => ({ ...span, ...one }))).map((branch) => branch.span.spanId);
        expect([...shown].sort()).toEqual([...new Set(drawn.map(({ spanId }) => spanId))].sort());
      }),
      settings,
    );
  });

  test("puts each span right below the one that caused it, siblings by their start", () => {
    const tree = branches([
      { ...span, spanId: "late", parentSpanId: "root", startMs: 5 },
      { ...span, spanId: "early", parentSpanId: "root", startMs: 1 },
      { ...span, spanId: "inner", parentSpanId: "early", startMs: 2 },
      { ...span, spanId: "root" },
    ]);
    expect(tree.map((branch) => [branch.span.spanId, branch.depth])).toEqual([
      ["root", 0],
      ["early", 1],
      ["inner", 2],
      ["late", 1],
    ]);
  });

  test("a trace as deep as a hundred thousand spans does not exhaust the stack", () => {
    const deep = Array.from({ length: 100_000 }, (_, at) => ({
      ...span,
      spanId: `${at}`,
      parentSpanId: `${at - 1}`,
    }));
    expect(branches(deep).at(-1)?.depth).toBe(99_999);
  });
});

describe("bar()", () => {
  test("has the width that was asked for and at least one mark, also for clocks that run apart", () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer(),
        fc.integer(),
        fc.integer(),
        fc.integer({ min: 1, max: 80 }),
        (a, b, c, d, width) => {
          const drawn = bar({ ...span, startMs: a, endMs: b }, { startMs: c, endMs: d }, width);
          expect(drawn).toHaveLength(width);
          expect(drawn).toMatch(/^ *█+ *$/);
        },
      ),
      settings,
    );
  });

  test("covers all of the whole trace with the span that is the whole trace", () => {
    expect(bar(span, extent([span]), 10)).toBe("█".repeat(10));
  });
});

describe("ending()", () => {
  test.each([
    ["the status code", { attributes: { "http.response.status_code": 204 } }, "204"],
    [
      "the mesh's refusal beside it",
      { attributes: { "http.response.status_code": 403, "tulle.refusal": "denied" } },
      "403 denied",
    ],
    ["a failure without a status code", { status: 2 as const }, "error"],
    ["nothing where nothing is known", {}, ""],
  ])("says %s", (_what, change, words) => {
    expect(ending({ ...span, ...change })).toBe(words);
  });
});

describe("goldenSignals()", () => {
  const edge: EdgeDelta = {
    perspective: "effective",
    source: "default/web",
    destination: "default/payments",
    route: "r",
    backend: "default/payments",
    class: "2xx",
    refusal: "",
    count: 10,
    latency: [10, ...latencyBoundsMs.map(() => 0)],
    latencySumMs: 10,
  };
  const signals = (...edges: readonly Partial<EdgeDelta>[]) =>
    goldenSignals(
      edges.map((change) => ({ ...edge, ...change })),
      10_000,
      "edge",
      latencyBoundsMs,
    );

  test.each([
    ["5xx", "", 0.5],
    ["4xx", "", 1],
    ["refused", "circuit-open", 0.5],
    ["refused", "deadline-exceeded", 0.5],
    ["refused", "denied", 1],
    ["refused", "unidentified", 1],
    ["refused", "a-kind-of-tomorrow", 0.5],
    ["refused", "constructor", 0.5],
  ] as const)(
    "half of the requests ending as %s %s leave a success rate in which that counts",
    (outcome, refusal, rate) => {
      expect(signals({}, { class: outcome, refusal })[0]?.successRate).toBe(rate);
    },
  );

  test("counts requests after retries, and tries beside them", () => {
    const [one] = signals(
      { count: 100 },
      { perspective: "attempt", count: 130 },
      { perspective: "inbound", count: 130 },
    );
    expect(one).toMatchObject({
      requests: 100,
      requestsPerSecond: 10,
      attempts: 130,
      retries: 30,
      seenBy: "caller",
    });
  });

  test("requests that were refused before any try make no negative number of retries", () => {
    expect(signals({ count: 100 }, { perspective: "attempt", count: 40 })[0]?.retries).toBe(0);
  });

  test("does not know retries where only the callee counts", () => {
    const [one] = signals({ perspective: "inbound" });
    expect(one).toMatchObject({ seenBy: "callee", requests: 10 });
    expect(one).not.toHaveProperty("retries");
  });

  test("leaves no request out and counts none twice", () => {
    const delta = fc.record({
      source: fc.constantFrom("a", "b"),
      destination: fc.constantFrom("c", "d"),
      count: fc.nat(1_000),
      class: fc.constantFrom("2xx" as const, "5xx" as const),
    });
    fc.assert(
      fc.property(fc.array(delta), (drawn) => {
        const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
        expect(sum(signals(...drawn).map(({ requests }) => requests))).toBe(
          sum(drawn.map(({ count }) => count)),
        );
      }),
      settings,
    );
  });
});

describe("skew()", () => {
  test("counts nothing as skew that the round trip may explain", () => {
    expect(skew(10_000, 0, 20_000).result).toBe("ok");
    expect(skew(24_000, 0, 20_000).result).toBe("ok");
    expect(skew(25_001, 0, 20_000).result).toBe("warning");
  });

  test.each([
    [5_000, "ok"],
    [-5_000, "ok"],
    [5_001, "warning"],
    [-60_000, "warning"],
    [60_001, "failed"],
    [Number.NaN, "failed"],
  ])("%d ms ahead is %s", (ahead, result) => {
    expect(skew(1_000_000 + ahead, 1_000_000, 1_000_000).result).toBe(result);
  });
});
