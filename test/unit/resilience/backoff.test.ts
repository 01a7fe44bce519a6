import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffMs, parseRetryAfter } from "../../../mesh-runtime/resilience/backoff.ts";
import { fixed, retryPolicy } from "./examples.ts";

test("the bound doubles from 25 ms and stops at 250 ms", () => {
  const most = [1, 2, 3, 4, 5, 1_000].map((retry) => backoffMs(retry, retryPolicy, () => 0.999_999));
  expect(most).toEqual([24, 74, 174, 249, 249, 249]);
});

test("the jitter is full: from nothing, evenly, up to the bound", () => {
  expect(backoffMs(1, retryPolicy, () => 0)).toBe(0);
  expect(backoffMs(4, retryPolicy, () => 0.5)).toBe(125);
});

const now = Date.UTC(1994, 10, 6, 8, 49, 27);

test.each([
  ["0", 0],
  ["7", 7_000],
  ["9999999999", 86_400_000],
  ["Sun, 06 Nov 1994 08:49:37 GMT", 10_000],
  ["Sunday, 06-Nov-94 08:49:37 GMT", 10_000],
  ["Sun Nov  6 08:49:37 1994", 10_000],
  ["Sun, 06 Nov 1994 08:00:00 GMT", 0],
  ["Fri, 31 Dec 2100 23:59:59 GMT", 86_400_000],
])("Retry-After %j is %d ms from now", (text, ms) => {
  expect(parseRetryAfter(text, now)).toBe(ms);
});

test.each([
  "-1",
  "1.5",
  "",
  "NaN",
  "Infinity",
  "soon",
  "1e3",
  "Sun, 6 Nov 1994 08:49:37 GMT",
  "Sun, 06 Nov 1994 08:49:37 +0100",
  "1994-11-06T08:49:37Z",
])("Retry-After %j is not in any form of RFC 9110 and is ignored", (text) => {
  expect(parseRetryAfter(text, now)).toBeUndefined();
});

test("no text whatever gives a wait that is negative, infinite or no number", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ms = parseRetryAfter(text, now);
      return ms === undefined || (ms >= 0 && ms <= 86_400_000);
    }),
    fixed,
  );
});
