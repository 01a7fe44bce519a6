import fc from "fast-check";
import { expect, test } from "vitest";
import { deadlineOf, formatRemaining, parseRemaining } from "../../../mesh-runtime/resilience/deadline.ts";
import { fixed } from "./examples.ts";

test("the deadline is the earliest of own limits and the caller's; 0 and absent are no limit", () => {
  const at = (timeoutsMs: (number | undefined)[], inherited?: number) =>
    deadlineOf({ startedAt: 1_000, timeoutsMs, inherited });
  expect(at([])).toBeUndefined();
  expect(at([0, undefined])).toBeUndefined();
  expect(at([500, 0])).toBe(1_500);
  expect(at([500, 200])).toBe(1_200);
  expect(at([500], 1_100)).toBe(1_100);
  expect(at([500], 9_999)).toBe(1_500);
  expect(at([0], 900)).toBe(900);
});

test("what is left is written in whole milliseconds within a day", () => {
  expect([-5, 0, 1.9, 86_400_001].map(formatRemaining)).toEqual(["0", "0", "1", "86400000"]);
});

test.each(["", " 5", "5 ", "+5", "-1", "05", "1e3", "0x5", "5.0", "86400001", "999999999999", "５"])(
  "the header %j cannot be read",
  (text) => {
    expect(parseRemaining(text)).toBeUndefined();
  },
);

test("every number that is written is read again, and an absent header is no limit", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 86_400_000 }), (ms) => parseRemaining(formatRemaining(ms)) === ms),
    fixed,
  );
  expect(parseRemaining(null)).toBeUndefined();
});
