import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addLatency,
  bucketCount,
  bucketOf,
  emptyHistogram,
  latencyBoundsMs,
  mergeInto,
  quantile,
} from "../../../mesh-runtime/telemetry/histogram.ts";

const latencies = fc.array(fc.double({ min: 0, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 50 });

function histogramOf(values: readonly number[]): number[] {
  const counts = emptyHistogram();
  for (const value of values) addLatency(counts, value);
  return counts;
}

test("bounds rise from 1 ms to 30 s, and one bucket is open above them", () => {
  expect(latencyBoundsMs).toEqual([...latencyBoundsMs].sort((a, b) => a - b));
  expect([latencyBoundsMs[0], latencyBoundsMs.at(-1)]).toEqual([1, 30_000]);
  expect(emptyHistogram()).toHaveLength(latencyBoundsMs.length + 1);
  expect(bucketCount).toBe(latencyBoundsMs.length + 1);
});

test("a latency on a bound belongs to the bucket that ends there", () => {
  for (const [bucket, bound] of latencyBoundsMs.entries()) {
    expect(bucketOf(bound)).toBe(bucket);
    expect(bucketOf(bound + 0.001)).toBe(bucket + 1);
  }
});

test.each([0, -5, Number.NaN])("%d, which is no latency, counts as the shortest", (latency) => {
  expect(bucketOf(latency)).toBe(0);
});

test("merging counts as if all had been added to one", () => {
  fc.assert(
    fc.property(latencies, latencies, (a, b) => {
      const merged = histogramOf(a);
      mergeInto(merged, histogramOf(b));
      expect(merged).toEqual(histogramOf([...a, ...b]));
    }),
    { seed: 7, numRuns: 100 },
  );
});

describe("quantile()", () => {
  test("of nothing is not known", () => {
    expect(quantile(emptyHistogram(), 0.5)).toBeUndefined();
  });

  test("lies straight within its bucket", () => {
    expect(quantile(histogramOf([60, 60, 60, 60]), 0.5)).toBe(62.5);
    expect(quantile(histogramOf([60, 60, 60, 60]), 1)).toBe(75);
  });

  test("answers the greatest bound for what lies above all bounds", () => {
    expect(quantile(histogramOf([45_000]), 0.5)).toBe(30_000);
  });

  test("grows with q and stays in the bucket of the true value", () => {
    fc.assert(
      fc.property(latencies, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, q) => {
        const counts = histogramOf(values);
        const estimate = quantile(counts, q) ?? -1;
        const sorted = [...values].sort((a, b) => a - b);
        const truth = sorted[Math.min(sorted.length, Math.ceil(q * sorted.length)) - 1] ?? 0;
        expect(bucketOf(Math.min(truth, 30_000))).toBe(bucketOf(estimate));
        expect(quantile(counts, 0.5) ?? 0).toBeLessThanOrEqual(quantile(counts, 0.99) ?? 0);
      }),
      { seed: 8, numRuns: 200 },
    );
  });
});
