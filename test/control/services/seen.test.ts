import { describe, expect, test } from "vitest";
import { lateMs, Sightings } from "../../../control/services/seen.ts";

const start = Date.UTC(2026, 10, 1);

describe("Sightings", () => {
  test("nobody was seen", () => {
    expect(new Sightings().summary(start)).toEqual({ isolates: 0, oldestEpoch: 0 });
  });

  test("the oldest epoch among those that reported within a minute counts", () => {
    const seen = new Sightings();
    seen.saw({ isolate: "a", epoch: 4, at: start });
    seen.saw({ isolate: "b", epoch: 5, at: start + 30_000 });
    expect(seen.summary(start + 60_000)).toEqual({ isolates: 2, oldestEpoch: 4, lastSeenMs: 30_000 });
    expect(seen.summary(start + 60_001)).toEqual({ isolates: 1, oldestEpoch: 5, lastSeenMs: 30_001 });
  });

  test("an isolate counts once, with what it reported last", () => {
    const seen = new Sightings();
    seen.saw({ isolate: "a", epoch: 4, at: start });
    seen.saw({ isolate: "a", epoch: 5, at: start + 1 });
    expect(seen.summary(start + 1)).toEqual({ isolates: 1, oldestEpoch: 5, lastSeenMs: 0 });
  });

  test("an idle service is stood for by the isolate that was seen last, for a quarter of an hour", () => {
    const seen = new Sightings();
    seen.saw({ isolate: "a", epoch: 4, at: start });
    seen.saw({ isolate: "b", epoch: 5, at: start + 1 });
    expect(seen.summary(start + 1 + lateMs)).toEqual({ isolates: 1, oldestEpoch: 5, lastSeenMs: lateMs });
    expect(seen.summary(start + 2 + lateMs)).toEqual({ isolates: 0, oldestEpoch: 0 });
  });

  test("who does not say that it believes a root key lacks it, also the one that stands for an idle service", () => {
    const seen = new Sightings();
    expect(seen.lacking("next", start)).toBe(0);
    seen.saw({ isolate: "a", epoch: 4, at: start, nextRoot: "next" });
    seen.saw({ isolate: "b", epoch: 4, at: start + 1 });
    seen.saw({ isolate: "c", epoch: 4, at: start + 2, nextRoot: "other" });
    expect([seen.lacking("next", start + 2), seen.lacking("other", start + 2)]).toEqual([2, 2]);
    seen.saw({ isolate: "b", epoch: 4, at: start + 3, nextRoot: "next" });
    expect(seen.lacking("next", start + 3)).toBe(1);
    expect([seen.lacking("next", start + lateMs), seen.lacking("other", start + lateMs)]).toEqual([0, 1]);
  });

  test("a clock that steps back makes nobody seen in the future", () => {
    const seen = new Sightings();
    seen.saw({ isolate: "a", epoch: 4, at: start });
    expect(seen.summary(start - 5_000).lastSeenMs).toBe(0);
  });

  test("memory is bounded: the isolate that was seen longest ago goes first", () => {
    const seen = new Sightings();
    for (let n = 0; n <= 10_000; n++) seen.saw({ isolate: `i${n}`, epoch: n, at: start });
    expect(seen.summary(start)).toMatchObject({ isolates: 10_000, oldestEpoch: 1 });
  });
});
