import { expect, test } from "vitest";
import { StrangerLimit } from "../../../control/operators/stranger-limit.ts";

const tried = (limit: StrangerLimit, count: number, now: number): number =>
  Array.from({ length: count }, (_, n) => limit.admits(`stranger-${n}`, now)).filter(Boolean).length;

test("strangers are asked about twenty times a second, and known tokens always", () => {
  const limit = new StrangerLimit();
  limit.remember("known");
  expect(tried(limit, 100, 5_000)).toBe(20);
  expect(limit.admits("known", 5_500)).toBe(true);
  expect(tried(limit, 100, 5_999)).toBe(0);
  expect(tried(limit, 100, 6_000)).toBe(20);
  limit.forget("known");
  expect(limit.admits("known", 6_001)).toBe(false);
});

test("what is remembered is bounded", () => {
  const limit = new StrangerLimit();
  for (let n = 0; n <= 1_000; n += 1) limit.remember(`${n}`);
  expect(limit.admits("1000", 0)).toBe(true);
  tried(limit, 20, 0);
  expect(limit.admits("0", 0)).toBe(false);
});
