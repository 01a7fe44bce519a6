import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Instruments, other } from "../../../mesh-runtime/telemetry/instruments.ts";
import type { EdgeDelta } from "../../../mesh-runtime/telemetry/words.ts";
import { someDelta, someSpan } from "./fixtures.ts";

const total = (edges: readonly EdgeDelta[]) => edges.reduce((sum, edge) => sum + edge.count, 0);

describe("edges", () => {
  test("count and sum up by key", () => {
    const instruments = new Instruments();
    instruments.edge(someDelta(), 3);
    instruments.edge(someDelta(), 40);
    instruments.edge(someDelta({ class: "5xx" }), 1);
    const { edges } = instruments.drain();
    expect(edges).toHaveLength(2);
    expect(edges[0]).toMatchObject({ class: "2xx", count: 2, latencySumMs: 43 });
    expect(edges[0]?.latency.reduce((sum, count) => sum + count, 0)).toBe(2);
  });

  test("a clock that steps back makes no sum smaller", () => {
    const instruments = new Instruments();
    instruments.edge(someDelta(), -50);
    expect(instruments.drain().edges[0]).toMatchObject({ count: 1, latencySumMs: 0 });
  });

  test("beyond the bound give up route and backend, then source and destination, and lose no count", () => {
    const instruments = new Instruments({ edges: 10 });
    for (let n = 0; n < 50; n++) instruments.edge(someDelta({ route: `r${n}`, source: `s${n}` }), 1);
    const { edges } = instruments.drain();
    expect(edges.filter(({ route }) => route !== other)).toHaveLength(10);
    expect(edges.filter(({ route, source }) => route === other && source !== other)).toHaveLength(1);
    expect(edges.at(-1)).toMatchObject({
      source: other,
      destination: other,
      route: other,
      backend: other,
      count: 39,
    });
    expect(total(edges)).toBe(50);
  });

  test("that are known keep counting under their own name when the bound is reached", () => {
    const instruments = new Instruments({ edges: 1 });
    instruments.edge(someDelta(), 1);
    instruments.edge(someDelta({ route: "new" }), 1);
    instruments.edge(someDelta(), 1);
    expect(instruments.drain().edges.map(({ route, count }) => [route, count])).toEqual([
      ["HTTPRoute/shop/pay/0", 2],
      [other, 1],
    ]);
  });

  test("never lose a count nor outgrow the bound, in any order of counting and restoring", () => {
    const name = fc.constantFrom("a", "b", "c", "d", "e", "f");
    const key = fc.record({ source: name, destination: name, route: name, backend: name });
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 60 }), (steps) => {
        const instruments = new Instruments({ edges: 10 });
        for (const [change, fails] of steps) {
          instruments.edge(someDelta(change), 5);
          if (fails) instruments.restore(instruments.drain());
        }
        const { edges } = instruments.drain();
        expect(total(edges)).toBe(steps.length);
        expect(edges.length).toBeLessThanOrEqual(12);
        expect(edges.reduce((sum, { latencySumMs }) => sum + latencySumMs, 0)).toBe(steps.length * 5);
      }),
      { seed: 9, numRuns: 200 },
    );
  });
});

describe("spans", () => {
  test("beyond the bound are dropped and counted", () => {
    const instruments = new Instruments({ spans: 3 });
    for (let n = 0; n < 5; n++) instruments.span({ ...someSpan, name: `${n}` });
    const { spans, counters } = instruments.drain();
    expect(spans.map(({ name }) => name)).toEqual(["0", "1", "2"]);
    expect(counters).toEqual({ spans_dropped: 2 });
  });

  test("of failures in unsampled traces leave half of the room to sampled ones", () => {
    const instruments = new Instruments({ spans: 4 });
    for (let n = 0; n < 4; n++) instruments.span({ ...someSpan, status: 2 }, false);
    for (let n = 0; n < 2; n++) instruments.span(someSpan);
    const { spans, counters } = instruments.drain();
    expect(spans.map(({ status }) => status)).toEqual([2, 2, 0, 0]);
    expect(counters).toEqual({ spans_dropped: 2 });
  });
});

test("names of edges are cut at the length that control reads", () => {
  const instruments = new Instruments();
  instruments.edge(someDelta({ route: "r".repeat(400) }), 1);
  expect(instruments.drain().edges[0]?.route).toHaveLength(256);
});

test("spans that are long fill the room before it is full of spans", () => {
  const instruments = new Instruments({ spanCharacters: 5_000 });
  const long = { ...someSpan, attributes: { text: "x".repeat(1_000) } };
  const event = { name: "e", timeMs: 1, attributes: { text: "x".repeat(1_000) } };
  instruments.span(long);
  instruments.span({ ...someSpan, events: [event, event] });
  instruments.span(long);
  instruments.span(someSpan);
  const { spans, counters } = instruments.drain();
  expect(spans).toHaveLength(3);
  expect(counters).toEqual({ spans_dropped: 1 });
  instruments.span(long);
  expect(instruments.drain().spans).toHaveLength(1);
});

describe("drain() and restore()", () => {
  test("draining takes everything, once", () => {
    const instruments = new Instruments();
    expect(instruments.empty()).toBe(true);
    instruments.edge(someDelta(), 1);
    instruments.span(someSpan);
    instruments.count("reports_dropped");
    expect(instruments.empty()).toBe(false);
    instruments.drain();
    expect(instruments.empty()).toBe(true);
    expect(instruments.drain()).toEqual({ edges: [], spans: [], counters: {} });
  });

  test("what was taken back joins what came meanwhile", () => {
    const instruments = new Instruments();
    instruments.edge(someDelta(), 4);
    instruments.count("x", 2);
    const unsent = instruments.drain();
    instruments.edge(someDelta(), 4);
    instruments.count("x");
    instruments.restore(unsent);
    const { edges, counters } = instruments.drain();
    expect(edges).toEqual([
      someDelta({ count: 2, latencySumMs: 8, latency: [0, 0, 2, ...new Array(14).fill(0)] }),
    ]);
    expect(counters).toEqual({ x: 3 });
  });

  test("a batch that was drained does not change when counting goes on", () => {
    const instruments = new Instruments();
    instruments.edge(someDelta(), 1);
    const batch = instruments.drain();
    instruments.edge(someDelta(), 1);
    expect(total(batch.edges)).toBe(1);
  });

  test("spans that no longer fit are dropped and counted when they come back", () => {
    const instruments = new Instruments({ spans: 2 });
    instruments.restore({ edges: [], spans: [someSpan, someSpan, someSpan], counters: {} });
    expect(instruments.drain().counters).toEqual({ spans_dropped: 1 });
  });
});

test("counters beyond 63 names count under one, so that no report has more than 64", () => {
  const instruments = new Instruments();
  for (let n = 0; n < 70; n++) instruments.count(`c${n}`);
  const { counters } = instruments.drain();
  expect(Object.keys(counters)).toHaveLength(64);
  expect(counters[other]).toBe(7);
});
