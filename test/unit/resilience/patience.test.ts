import { expect, test } from "vitest";
import { fairMs, patienceMs } from "../../../mesh-runtime/resilience/patience.ts";
import { retryPolicy, traffic } from "./examples.ts";

test("a caller's deadline says something where it leaves half of what holds here, and a second at least", () => {
  expect([15_000, 1_500, 0].map(patienceMs)).toEqual([7_500, 1_000, Number.POSITIVE_INFINITY]);
});

test("an attempt is fair when it had half of what the backend's own policy states, by its tightest limit", () => {
  const stated = ["timeout"];
  const perTry = (perTryTimeoutMs: number) => ({ ...traffic, retry: { ...retryPolicy, perTryTimeoutMs } });
  expect(fairMs({ stated, traffic })).toBe(7_500);
  expect(fairMs({ stated, traffic: perTry(400) })).toBe(200);
});

test("where the backend's own policy states no time, every attempt is fair", () => {
  expect(fairMs({ traffic })).toBe(0);
  expect(fairMs({ stated: [], traffic })).toBe(0);
  expect(fairMs({ stated: ["retry"], traffic })).toBe(0);
});
