import fc from "fast-check";
import { expect, test } from "vitest";
import { split } from "../../../mesh-runtime/routing/split.ts";
import type { Backend } from "../../../mesh-runtime/routing/words.ts";
import { backend } from "./examples.ts";

const chosen = (backends: readonly Backend[], point: number, tried: readonly string[] = []) =>
  split(backends, tried, point)?.service;

const seventyThirty = [
  backend("v1", { weight: 70 }),
  backend("v2", { weight: 30 }),
  backend("v3", { weight: 0 }),
];

test.each([
  [0, "v1"],
  [0.699, "v1"],
  [0.7, "v2"],
  [0.999_999, "v2"],
])("of 70, 30 and 0 the point %f chooses %s", (point, expected) => {
  expect(chosen(seventyThirty, point)).toBe(expected);
});

test("weight 0 gets nothing, and without any weight nobody is chosen", () => {
  expect(chosen([backend("v1", { weight: 0 }), backend("v2")], 0)).toBe("v2");
  expect(chosen([backend("v1", { weight: 0 })], 0)).toBeUndefined();
  expect(chosen([], 0)).toBeUndefined();
});

test("an unusable backend keeps its share", () => {
  const half = [backend("v1"), backend("gone", { unusable: "BackendNotFound" })];
  expect([chosen(half, 0.49), chosen(half, 0.5)]).toEqual(["v1", "gone"]);
});

test("a further attempt goes where none has been, while there is such a backend", () => {
  expect(chosen(seventyThirty, 0, ["v1"])).toBe("v2");
  expect(chosen(seventyThirty, 0.9, ["v2"])).toBe("v1");
  expect(chosen(seventyThirty, 0.9, ["v1", "v2"])).toBe("v2");
});

test("a further attempt is not wasted on a backend that cannot be used", () => {
  const half = [backend("v1"), backend("gone", { unusable: "BackendNotFound" })];
  expect(chosen(half, 0.9, ["v1"])).toBe("v1");
  expect(chosen([backend("gone", { unusable: "BackendNotFound" })], 0, ["v1"])).toBe("gone");
});

const weights = fc
  .array(fc.record({ weight: fc.integer({ min: 0, max: 1_000_000 }), broken: fc.boolean() }), {
    minLength: 1,
    maxLength: 16,
  })
  .map((all) =>
    all.map(({ weight, broken }, index) =>
      backend(`v${index}`, broken ? { weight, unusable: "BackendNotFound" } : { weight }),
    ),
  );

test("over evenly spread points each backend gets its weight over the sum of all, usable or not", () => {
  fc.assert(
    fc.property(weights, (backends) => {
      const sum = backends.reduce((total, { weight }) => total + weight, 0);
      fc.pre(sum > 0);
      const points = 2_000;
      const counts = new Map<string, number>();
      for (let index = 0; index < points; index++) {
        const service = chosen(backends, index / points) ?? "nobody";
        counts.set(service, (counts.get(service) ?? 0) + 1);
      }
      for (const { service, weight } of backends)
        expect(Math.abs((counts.get(service) ?? 0) / points - weight / sum)).toBeLessThan(2 / points);
      expect(counts.has("nobody")).toBe(false);
    }),
    { seed: 22, numRuns: 100 },
  );
});

test("whatever was tried, somebody with weight is chosen, and no one tried before one that was not", () => {
  const tried = fc.uniqueArray(fc.integer({ min: 0, max: 15 }).map((index) => `v${index}`));
  const point = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(weights, tried, point, (backends, before, at) => {
      const choice = split(backends, before, at);
      const weighted = backends.filter(({ weight }) => weight > 0);
      expect(choice === undefined).toBe(weighted.length === 0);
      if (choice === undefined) return;
      expect(choice.weight).toBeGreaterThan(0);
      const fresh = weighted.filter(
        ({ service, unusable }) => unusable === undefined && !before.includes(service),
      );
      if (before.length > 0 && fresh.length > 0) expect(fresh).toContain(choice);
    }),
    { seed: 22, numRuns: 1_000 },
  );
});
