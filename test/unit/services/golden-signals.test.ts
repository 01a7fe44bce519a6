import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  absorb,
  idleMs,
  longestWindowMs,
  noSignals,
  slotMs,
  totals,
  window,
} from "../../../control/services/golden-signals.ts";
import type { EdgeDelta } from "../../../mesh-runtime/telemetry/words.ts";
import { someDelta } from "../telemetry/fixtures.ts";

const start = 1_700_000_000_000;
const sum = (edges: readonly EdgeDelta[]) => edges.reduce((total, { count }) => total + count, 0);

describe("totals()", () => {
  test("add up by edge, counts with their latencies", () => {
    const signals = noSignals(start);
    absorb(signals, [someDelta(), someDelta({ class: "5xx" })], start);
    absorb(
      signals,
      [someDelta({ count: 2, latency: [2, ...new Array(16).fill(0)], latencySumMs: 1 })],
      start + 1,
    );
    expect(totals(signals)).toEqual([
      someDelta({ count: 3, latency: [2, 0, 1, ...new Array(14).fill(0)], latencySumMs: 5 }),
      someDelta({ class: "5xx" }),
    ]);
  });

  test("keep growing when windows have forgotten", () => {
    const signals = noSignals(start);
    absorb(signals, [someDelta()], start);
    absorb(signals, [someDelta()], start + 2 * longestWindowMs);
    expect(sum(totals(signals))).toBe(2);
    expect(sum(window(signals, start + 2 * longestWindowMs, longestWindowMs))).toBe(1);
  });
});

describe("window()", () => {
  test("counts the slots that reach into it", () => {
    const signals = noSignals(start);
    for (let slot = 0; slot < 10; slot++) absorb(signals, [someDelta()], start + slot * slotMs);
    const now = start + 9 * slotMs + 1;
    expect(sum(window(signals, now, 1))).toBe(1);
    expect(sum(window(signals, now, slotMs))).toBe(2);
    expect(sum(window(signals, now, 4 * slotMs))).toBe(5);
    expect(sum(window(signals, now, longestWindowMs))).toBe(10);
  });

  test("is empty when nothing has come for long enough", () => {
    const signals = noSignals(start);
    absorb(signals, [someDelta()], start);
    expect(window(signals, start + longestWindowMs + slotMs, longestWindowMs)).toEqual([]);
  });

  test("reaches back no further than five minutes, whatever is asked for", () => {
    const signals = noSignals(start);
    absorb(signals, [someDelta()], start);
    absorb(signals, [someDelta()], start + longestWindowMs + slotMs);
    expect(sum(window(signals, start + longestWindowMs + slotMs, 10 * longestWindowMs))).toBe(1);
  });

  test("keeps bounded memory however long traffic goes on", () => {
    const signals = noSignals(start);
    for (let second = 0; second < 3_600; second++) absorb(signals, [someDelta()], start + second * 1_000);
    expect(signals.slots.length).toBeLessThanOrEqual(longestWindowMs / slotMs + 1);
    expect(sum(totals(signals))).toBe(3_600);
  });

  test("never counts less than what came within it, nor more than a slot besides", () => {
    const steps = fc.array(fc.tuple(fc.nat(20_000), fc.constantFrom("a", "b", "c")), { maxLength: 80 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: longestWindowMs }), (all, windowMs) => {
        const signals = noSignals(start);
        const times: number[] = [];
        let now = start;
        for (const [pause, route] of all) {
          now += pause;
          times.push(now);
          absorb(signals, [someDelta({ route })], now);
        }
        const within = (ms: number) => times.filter((time) => time >= now - ms).length;
        const counted = sum(window(signals, now, windowMs));
        expect(counted).toBeGreaterThanOrEqual(within(windowMs));
        expect(counted).toBeLessThanOrEqual(within(windowMs + slotMs));
        expect(sum(totals(signals))).toBe(all.length);
      }),
      { seed: 10, numRuns: 200 },
    );
  });

  test("gives out counts of its own, which later reports do not change", () => {
    const signals = noSignals(start);
    absorb(signals, [someDelta()], start);
    const before = [...window(signals, start, slotMs), ...totals(signals)];
    absorb(signals, [someDelta()], start);
    expect(before.map(({ count, latency }) => [count, latency[2]])).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });
});

describe("absorb()", () => {
  test("changes none of the deltas that it is given", () => {
    const signals = noSignals(start);
    const delta = someDelta();
    absorb(signals, [delta, delta], start);
    expect(delta).toEqual(someDelta());
  });

  test("counts in the newest slot when the clock steps back", () => {
    const signals = noSignals(start);
    absorb(signals, [someDelta()], start);
    absorb(signals, [someDelta()], start - 60_000);
    expect(sum(window(signals, start, slotMs))).toBe(2);
    expect(signals.slots).toHaveLength(1);
  });

  test.each([
    ["a count that is negative", { count: -1 }],
    ["a count that is no whole number", { count: 0.5 }],
    ["a count that is no number", { count: Number.NaN }],
    ["other latency buckets than ours", { latency: [1, 2, 3] }],
    ["a bucket that is negative", { latency: [-1, ...new Array(16).fill(0)] }],
    ["a sum that is infinite", { latencySumMs: Number.POSITIVE_INFINITY }],
    ["a sum that is negative", { latencySumMs: -1 }],
    ["a name without bound", { route: "x".repeat(257) }],
  ])("leaves out, and counts as unreadable, a delta with %s", (_, change) => {
    const signals = noSignals(start);
    absorb(signals, [someDelta(change), someDelta()], start);
    expect(totals(signals)).toEqual([someDelta()]);
    expect(signals.unreadable).toBe(1);
  });

  test("folds names beyond the bound into other ones and loses no count", () => {
    const signals = noSignals(start, 20);
    const deltas = Array.from({ length: 100 }, (_, n) => someDelta({ route: `r${n}`, source: `s${n}` }));
    absorb(signals, deltas, start);
    const all = totals(signals);
    expect(all.length).toBeLessThanOrEqual(23);
    expect(all.at(-1)).toMatchObject({ source: "other", route: "other", backend: "other", count: 78 });
    expect(sum(all)).toBe(100);
    expect(sum(window(signals, start, slotMs))).toBe(100);
  });

  test("gives the room of idle edges to new ones", () => {
    const signals = noSignals(start, 2);
    absorb(signals, [someDelta({ route: "old" }), someDelta({ route: "busy" })], start);
    const later = start + idleMs;
    absorb(signals, [someDelta({ route: "busy" })], later);
    absorb(signals, [someDelta({ route: "new" })], later + 1);
    expect(totals(signals).map(({ route, count }) => [route, count])).toEqual([
      ["busy", 2],
      ["new", 1],
    ]);
  });

  test("keeps idle edges while there is room", () => {
    const signals = noSignals(start);
    absorb(signals, [someDelta({ route: "old" })], start);
    absorb(signals, [someDelta({ route: "new" })], start + 10 * idleMs);
    expect(totals(signals)).toHaveLength(2);
  });
});
