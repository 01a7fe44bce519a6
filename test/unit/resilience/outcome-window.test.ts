import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Counts,
  counted,
  lately,
  type OutcomeWindow,
} from "../../../mesh-runtime/resilience/outcome-window.ts";
import { fixed } from "./examples.ts";

const cut = { sliceMs: 500, slices: 20 };
const one = (success: number, failure: number): Counts => ({ success, failure });
const fill = (entries: readonly (readonly [at: number, counts: Counts])[]): OutcomeWindow =>
  entries.reduce<OutcomeWindow>((window, [at, counts]) => counted(window, counts, at, cut), []);

test("after a gap as long as the window nothing old is left", () => {
  const window = fill([[0, one(5, 5)]]);
  expect(lately(window, 9_999, cut)).toEqual(one(5, 5));
  expect(lately(window, 10_000, cut)).toEqual(one(0, 0));
  expect(counted(window, one(1, 0), 10_000, cut)).toEqual([{ index: 20, success: 1, failure: 0 }]);
});

test("the newest slices are the last half to whole second, the present one included", () => {
  const window = fill([
    [0, one(9, 0)],
    [500, one(0, 1)],
    [1_100, one(0, 2)],
  ]);
  expect(lately(window, 1_400, { sliceMs: 500, slices: 2 })).toEqual(one(0, 3));
});

test("a clock that stands still or goes back clears nothing and doubles nothing", () => {
  const window = fill([
    [5_000, one(1, 0)],
    [4_000, one(1, 0)],
    [-50_000, one(0, 1)],
  ]);
  expect(window).toEqual([{ index: 10, success: 2, failure: 1 }]);
  expect(lately(window, -50_000, cut)).toEqual(one(2, 1));
});

test("indexes before the epoch and far ahead are as good as any", () => {
  const window = fill([
    [-1, one(1, 0)],
    [1, one(0, 1)],
    [9e15, one(2, 0)],
  ]);
  expect(window).toEqual([{ index: 18e12, success: 2, failure: 0 }]);
});

const anyEvent = fc.tuple(
  fc.integer({ min: -20_000, max: 60_000 }),
  fc.record({ success: fc.nat(9), failure: fc.nat(9) }),
);

test("for every run of a clock the window is bounded, in order, and its sum is what came within it", () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), (events) => {
      const forward = [...events].sort(([a], [b]) => a - b);
      const window = fill(forward);
      const indexes = window.map(({ index }) => index);
      const ordered = indexes.every((index, i) => i === 0 || index > (indexes[i - 1] ?? index));
      const last = forward.at(-1)?.[0] ?? 0;
      const sum = lately(window, last, cut);
      const oldest = Math.floor(last / 500) - 20;
      const within = forward.filter(([at]) => Math.floor(at / 500) > oldest);
      const failures = within.reduce((total, [, counts]) => total + counts.failure, 0);
      return ordered && window.length <= 20 && sum.failure === failures;
    }),
    fixed,
  );
});

test("the order of reports within one slice changes nothing", () => {
  fc.assert(
    fc.property(
      fc
        .array(fc.record({ success: fc.nat(9), failure: fc.nat(9) }), { minLength: 1 })
        .chain((counts) =>
          fc.tuple(fc.constant(counts), fc.shuffledSubarray(counts, { minLength: counts.length })),
        ),
      ([counts, shuffled]) => {
        const at = (each: readonly Counts[]) => fill(each.map((count, i) => [1_000 + i, count] as const));
        expect(at(shuffled)).toEqual(at(counts));
      },
    ),
    fixed,
  );
});
