import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  mayRetryNow,
  nothingSent,
  type Sent,
  sent,
} from "../../../mesh-runtime/resilience/retry-constraint.ts";
import type { RetryConstraint } from "../../../mesh-runtime/resilience/words.ts";
import { fixed } from "./examples.ts";

/** Gateway API's own defaults, without the minimum. */
const fifth: RetryConstraint = { percent: 20, intervalMs: 10_000, minimumCount: 0, minimumIntervalMs: 1_000 };

/** What was sent at a moment: so many first tries, and so many retries. */
function traffic(first: number, retries: number, now = 0, constraint = fifth, before = nothingSent): Sent {
  let state = before;
  for (let i = 0; i < first; i++) state = sent(state, false, now, constraint);
  for (let i = 0; i < retries; i++) state = sent(state, true, now, constraint);
  return state;
}

test("of a thousand requests within the interval, two hundred may be retries", () => {
  expect(mayRetryNow(traffic(800, 199), 0, fifth)).toBe(true);
  expect(mayRetryNow(traffic(800, 200), 0, fifth)).toBe(false);
});

test("requests count for the interval and not longer", () => {
  const busy = traffic(800, 0);
  expect([0, 9_999, 11_000, 3_600_000].map((now) => mayRetryNow(busy, now, fifth))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  const spent = traffic(800, 200);
  const later = traffic(40, 0, 12_000, fifth, spent);
  expect(mayRetryNow(later, 12_000, fifth)).toBe(true);
});

describe("the ends of the scale", () => {
  test("nothing in percent is nothing beyond the minimum", () => {
    expect(mayRetryNow(traffic(1_000, 0), 0, { ...fifth, percent: 0 })).toBe(false);
  });

  test("a hundred percent is everything", () => {
    expect(mayRetryNow(traffic(1, 1_000), 0, { ...fifth, percent: 100 })).toBe(true);
  });
});

test("the minimum is let through whatever the share, and once within its interval", () => {
  const withMinimum = { ...fifth, minimumCount: 3 };
  expect(
    [0, 2, 3].map((retries) => mayRetryNow(traffic(1, retries, 0, withMinimum), 0, withMinimum)),
  ).toEqual([true, true, false]);
  const spent = traffic(1, 3, 0, withMinimum);
  expect([900, 1_100].map((now) => mayRetryNow(spent, now, withMinimum))).toEqual([false, true]);
});

test("an attempt that is taken back has not been", () => {
  const state = sent(traffic(8, 2), true, 50, fifth, -1);
  expect(mayRetryNow(traffic(8, 2), 50, fifth)).toBe(false);
  expect(mayRetryNow(state, 50, fifth)).toBe(true);
});

test("at no moment are more retries let through than the share of the requests around it, and the minimum", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 100 }),
      fc.integer({ min: 0, max: 3 }),
      fc.array(fc.record({ retry: fc.boolean(), afterMs: fc.nat(400) }), { maxLength: 120 }),
      (percent, minimumCount, steps) => {
        const constraint: RetryConstraint = {
          percent,
          intervalMs: 2_000,
          minimumCount,
          minimumIntervalMs: 1_000,
        };
        const log: { readonly retry: boolean; readonly at: number }[] = [];
        let state = nothingSent;
        let now = 1_000_000;
        for (const { retry, afterMs } of steps) {
          now += afterMs;
          if (retry && !mayRetryNow(state, now, constraint)) continue;
          state = sent(state, retry, now, constraint);
          log.push({ retry, at: now });
          if (!retry) continue;
          const floor = log.filter((one) => one.retry && one.at > now - 1_000).length;
          if (floor <= minimumCount) continue;
          // A slice that is being left counts whole: up to a tenth more than the interval.
          const share = (ms: number) => {
            const within = log.filter(({ at }) => at > now - ms);
            return within.filter((one) => one.retry).length * 100 <= percent * within.length;
          };
          const spans = Array.from({ length: 201 }, (_, tenth) => 2_000 + tenth);
          if (!spans.some(share)) return false;
        }
        return true;
      },
    ),
    fixed,
  );
});
