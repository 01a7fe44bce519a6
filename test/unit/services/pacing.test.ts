import { expect, test } from "vitest";
import { freshPacing, type Pacing, paced } from "../../../control/services/pacing.ts";
import type { CircuitState } from "../../../mesh-runtime/resilience/words.ts";

/** Follows the pacing of one circuit. */
function follow(state: CircuitState = "closed") {
  let pacing: Pacing = freshPacing();
  const it = {
    state,
    since: 0,
    at: () => pacing,
    report(isolate: string, now: number, ask = false) {
      pacing = paced({ pacing, state: it.state, since: it.since }, { isolate, ask }, now);
      return pacing.told;
    },
  };
  return it;
}

test("in a small mesh everybody is a sentinel and reports every 500 ms", () => {
  const it = follow();
  for (let i = 0; i < 100; i++)
    expect(it.report(`isolate-${i}`, i)).toEqual({ sentinel: true, nextReportMs: 500 });
});

test("the panel is bounded at 200 reports a second, and everybody else comes less often", () => {
  const it = follow();
  for (let i = 0; i < 100; i++) it.report(`isolate-${i}`, 0);
  expect(it.report("one-too-many", 1)).toEqual({ sentinel: false, nextReportMs: 1_000 });
  expect(it.report("isolate-7", 2)).toEqual({ sentinel: true, nextReportMs: 500 });
  expect(it.at().sentinels).toHaveLength(100);
});

test("a place is given up by ten seconds of silence", () => {
  const it = follow();
  for (let i = 0; i < 100; i++) it.report(`isolate-${i}`, 0);
  expect(it.report("later", 9_999).sentinel).toBe(false);
  expect(it.report("later", 10_000).sentinel).toBe(true);
});

test("behind an open circuit silence costs no place and nobody gets one", () => {
  const it = follow();
  for (let i = 0; i < 50; i++) it.report(`isolate-${i}`, 0);
  it.state = "open";
  expect(it.report("new", 60_000).sentinel).toBe(false);
  it.state = "ramp";
  it.since = 60_000;
  it.report("isolate-0", 65_000);
  expect(it.at().sentinels).toHaveLength(50);
});

test("more polls than an object bears make everybody come less often, and a quiet time undoes it", () => {
  const it = follow();
  for (let i = 0; i < 100; i++) it.report(`isolate-${i}`, 0);
  for (let second = 1; second <= 3; second++) {
    for (let i = 0; i < 1_200; i++) it.report(`other-${i}`, second * 1_000 + i / 2);
  }
  const busy = it.report("other-1", 4_000).nextReportMs;
  expect(busy).toBeGreaterThanOrEqual(16_000);
  expect(busy).toBeLessThanOrEqual(30_000);
  for (let second = 5; second < 60; second++) {
    for (let i = 0; i < 100; i++) it.report(`isolate-${i}`, second * 1_000);
  }
  expect(it.report("other-1", 60_000)).toEqual({ sentinel: false, nextReportMs: 1_000 });
});

test("questions are spread over longer when too many come", () => {
  const it = follow("open");
  expect(it.at().askSpreadMs).toBe(100);
  for (let i = 0; i < 400; i++) it.report(`isolate-${i}`, 1_000 + i, true);
  it.report("isolate-0", 2_000, true);
  expect(it.at().askSpreadMs).toBe(400);
  for (let second = 3; second < 20; second++) it.report("isolate-0", second * 1_000);
  expect(it.at().askSpreadMs).toBe(100);
});
