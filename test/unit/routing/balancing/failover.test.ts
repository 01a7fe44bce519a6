import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distance } from "../../../../mesh-runtime/routing/balancing/eligible.ts";
import {
  baseEjectionMs,
  begun,
  costOf,
  ended,
  failuresToEject,
  flightLeaseMs,
  maxEjectionMs,
  newLoad,
  probeLeaseMs,
  standingOf,
} from "../../../../mesh-runtime/routing/balancing/endpoint-load.ts";
import { EndpointLoads } from "../../../../mesh-runtime/routing/balancing/endpoint-loads.ts";
import { rampedWeight } from "../../../../mesh-runtime/routing/balancing/slow-start.ts";
import { type Pool, place, pool, seeded, tally } from "./examples.ts";

const runs = { seed: 20260821, numRuns: 60 };

function fail(given: Pool, name: string, now: number, times = failuresToEject): void {
  const load = given.load(name);
  for (let count = 0; count < times; count++) ended(load, begun(load, now), "failed", now);
}
function answer(given: Pool, name: string, now: number): void {
  const load = given.load(name);
  ended(load, begun(load, now), "answered", now + 5);
}

describe("an endpoint that cannot be reached", () => {
  test("is left out after some failures in a row, not after as many with an answer between them", () => {
    const given = pool([place("a"), place("b")]);
    fail(given, "a", 0, failuresToEject - 1);
    answer(given, "a", 0);
    fail(given, "a", 0, failuresToEject - 1);
    expect(standingOf(given.load("a"), 1)).toBe("healthy");
    fail(given, "a", 0, 1);
    expect(standingOf(given.load("a"), 1)).toBe("ejected");
    expect(tally(20, () => given.choose({ now: 1 }))).toEqual({ b: 20 });
  });

  test("is probed by one request once its time is over, and is back when that is answered", () => {
    const given = pool([place("a"), place("b")]);
    fail(given, "a", 0);
    expect(given.choose({ now: baseEjectionMs })).toBe("a");
    const probe = begun(given.load("a"), baseEjectionMs);
    expect(tally(20, () => given.choose({ now: baseEjectionMs + 1 }))).toEqual({ b: 20 });
    ended(given.load("a"), probe, "answered", baseEjectionMs + 5);
    expect(standingOf(given.load("a"), baseEjectionMs + 6)).toBe("healthy");
  });

  test("stays out for twice as long after each probe that fails, up to a bound", () => {
    const load = newLoad("a", 0);
    let now = 1_000;
    for (let count = 0; count < failuresToEject; count++) ended(load, begun(load, now), "failed", now);
    for (let round = 1; round < 14; round++) {
      now = load.ejectedUntil;
      ended(load, begun(load, now), "failed", now);
      expect(load.ejectedUntil - now).toBe(Math.min(baseEjectionMs * 2 ** round, maxEjectionMs));
    }
  });

  test("gets another probe when the first is lost, or says nothing about it", () => {
    const given = pool([place("a"), place("b")]);
    fail(given, "a", 0);
    begun(given.load("a"), baseEjectionMs);
    expect(given.choose({ now: baseEjectionMs + probeLeaseMs })).toBe("a");
    const neutral = begun(given.load("a"), baseEjectionMs + probeLeaseMs);
    ended(given.load("a"), neutral, "neutral", baseEjectionMs + probeLeaseMs + 1);
    expect(given.choose({ now: baseEjectionMs + probeLeaseMs + 1 })).toBe("a");
  });

  test("does not stay out for ever where the clock was set back", () => {
    const given = pool([place("a"), place("b")]);
    fail(given, "a", 1_000_000_000);
    expect(standingOf(given.load("a"), 5)).toBe("due");
  });

  test("is used all the same where all of them fail", () => {
    const given = pool([place("a"), place("b"), place("c", { priority: 1 })]);
    for (const name of ["a", "b", "c"]) fail(given, name, 0);
    expect(Object.keys(tally(40, () => given.choose({ now: 1 }))).sort()).toEqual(["a", "b"]);
  });
});

describe("requests under way", () => {
  test("that were torn down count no longer than their lease", () => {
    const load = newLoad("a", 0);
    ended(load, begun(load, 0), "answered", 10);
    begun(load, 0);
    begun(load, 0);
    expect(costOf(load, 20)).toBeGreaterThan(20);
    expect(costOf(load, flightLeaseMs + 1)).toBeLessThan(2);
    expect(load.flights.size).toBe(0);
  });

  test("that were torn down are forgotten, however endpoints are balanced and whoever looks", () => {
    const load = newLoad("a", 0);
    for (let now = 0; now < 10; now++) begun(load, now);
    begun(load, 2 * flightLeaseMs);
    expect(load.flights.size).toBe(1);
  });

  test("that end without blame change nothing but their own place", () => {
    const load = newLoad("a", 0);
    ended(load, begun(load, 0), "neutral", 10_000);
    expect(load).toEqual(newLoad("a", 0));
  });

  test("that say the endpoint is overloaded make it look slow, and are no failures", () => {
    const load = newLoad("a", 0);
    for (let count = 0; count < 9; count++) ended(load, begun(load, 0), "laboured", 1);
    expect(costOf(load, 1)).toBeGreaterThan(500);
    expect(standingOf(load, 1)).toBe("healthy");
  });
});

describe("latency", () => {
  test("rises at once and is forgotten with time", () => {
    const load = newLoad("a", 0);
    ended(load, begun(load, 0), "answered", 10);
    ended(load, begun(load, 10), "answered", 510);
    expect(costOf(load, 510)).toBe(500);
    expect(costOf(load, 30_510)).toBeLessThan(30);
  });

  test("lies between what was and what is", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 30 }), (took) => {
        const load = newLoad("a", 0);
        let now = 1;
        for (const ms of took) {
          ended(load, begun(load, now), "answered", now + ms);
          now += ms;
          expect(load.latencyMs).toBeGreaterThanOrEqual(ms * 0.999);
          expect(load.latencyMs).toBeLessThanOrEqual(Math.max(...took));
        }
      }),
      runs,
    );
  });
});

describe("priorities", () => {
  const anyPool = fc.array(
    fc.record({
      priority: fc.integer({ min: 0, max: 3 }),
      weight: fc.integer({ min: 0, max: 3 }),
      fails: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  );

  test("none is used while a better one has an endpoint that works", () => {
    fc.assert(
      fc.property(
        anyPool,
        fc.constantFrom("LeastRequest", "RoundRobin", "Random", "RingHash"),
        (given, algorithm) => {
          const made = pool(
            given.map(({ priority, weight }, index) => place(`e${index}`, { priority, weight })),
            { algorithm },
          );
          for (const [index, { fails }] of given.entries()) if (fails) fail(made, `e${index}`, 0);
          const usable = given.filter(({ weight }) => weight > 0);
          const working = usable.filter(({ fails }) => !fails);
          const best = Math.min(...(working.length > 0 ? working : usable).map(({ priority }) => priority));
          for (let count = 0; count < 10; count++) {
            const name = made.choose({ now: 1, key: count });
            if (usable.length === 0) expect(name).toBe("");
            else expect(made.placements.find((each) => each.name === name)?.priority).toBe(best);
          }
        },
      ),
      runs,
    );
  });

  test("a further attempt avoids what was tried, on the next level if need be", () => {
    const given = pool([place("a"), place("b"), place("backup", { priority: 1 })]);
    expect(tally(20, () => given.choose({ tried: ["a"] }))).toEqual({ b: 20 });
    expect(tally(20, () => given.choose({ tried: ["a", "b"] }))).toEqual({ backup: 20 });
    const all = tally(40, () => given.choose({ tried: ["a", "b", "backup"] }));
    expect(Object.keys(all).sort()).toEqual(["a", "b"]);
  });
});

describe("localities", () => {
  const eu = place("fra", { locality: { region: "eu", zone: "FRA" } });
  const near = place("ams", { locality: { region: "eu", zone: "AMS" } });
  const far = place("iad", { locality: { region: "us", zone: "IAD" } });
  const nowhere = place("nowhere");
  const here = { region: "eu", zone: "FRA" };
  const chosen = (given: Pool, more: object): string =>
    Object.keys(tally(60, () => given.choose(more)))
      .sort()
      .join(" ");

  test("the zone is preferred to the region, and the region to the rest, as long as any works", () => {
    const given = pool([far, near, eu, nowhere]);
    expect(chosen(given, { here, now: 1 })).toBe("fra");
    fail(given, "fra", 0);
    expect(chosen(given, { here, now: 1 })).toBe("ams");
    fail(given, "ams", 0);
    expect(chosen(given, { here, now: 1 })).toBe("iad nowhere");
  });

  test("priority comes first", () => {
    const given = pool([{ ...eu, priority: 1 }, far]);
    expect(chosen(given, { here })).toBe("iad");
  });

  test("nothing is preferred where nobody knows where it is, or the policy says so", () => {
    expect(chosen(pool([far, eu]), { here: undefined })).toBe("fra iad");
    expect(chosen(pool([far, eu], { preferLocal: false }), { here })).toBe("fra iad");
    expect(chosen(pool([far, eu]), { here: { zone: "FRA" } })).toBe("fra");
    expect(chosen(pool([far, eu]), { here: { region: "us" } })).toBe("iad");
  });

  test.each([
    [{ region: "eu", zone: "FRA" }, { region: "eu", zone: "FRA" }, 0],
    [{ region: "eu", zone: "FRA" }, { region: "eu" }, 1],
    [{ region: "eu", zone: "1" }, { region: "us", zone: "1" }, 2],
    [{ zone: "FRA" }, { region: "eu", zone: "FRA" }, 0],
    [{ zone: "FRA" }, { region: "eu", zone: "AMS" }, 2],
    [{}, { region: "eu" }, 2],
    [{ region: "eu" }, undefined, 2],
    [undefined, { region: "eu" }, 2],
  ])("from %j to %j is %i", (from, to, expected) => {
    expect(distance(from, to)).toBe(expected);
  });
});

describe("slow start", () => {
  test("grows evenly from a tenth to the whole, and never falls", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 60_000 }),
        (weight, windowMs) => {
          let before = 0;
          for (let step = 0; step <= 20; step++) {
            const now = 5_000 + (windowMs * step) / 20;
            const ramped = rampedWeight(weight, 5_000, now, windowMs);
            expect(ramped).toBeGreaterThanOrEqual(before);
            expect(ramped).toBeCloseTo(weight * Math.max(step / 20, 0.1));
            before = ramped;
          }
          expect(before).toBe(weight);
        },
      ),
      runs,
    );
  });

  test("is nothing without a window, and before its own beginning", () => {
    expect(rampedWeight(3, 0, 0, 0)).toBe(3);
    expect(rampedWeight(3, 1_000, 0, 10_000)).toBe(3);
  });

  test.each(["LeastRequest", "RoundRobin", "Random"] as const)(
    "of %s lets in the more, the longer it lasts",
    (algorithm) => {
      const share = (now: number): number => {
        const given = pool([place("old"), place("new")], { algorithm, slowStartMs: 10_000 });
        for (const load of given.loads) load.measuredAt = now;
        for (const load of given.loads) load.latencyMs = 10;
        given.load("new").since = 100_000;
        return (tally(2_000, () => given.choose({ now: 100_000 + now })).new ?? 0) / 2_000;
      };
      const found = [0, 2_500, 5_000, 7_500, 10_000].map(share);
      expect(found.every((each, index) => each >= (found[index - 1] ?? 0) - 0.02)).toBe(true);
      expect(found[0]).toBeLessThan(0.15);
      expect(found.at(-1)).toBeGreaterThan(0.45);
    },
  );

  test("begins when an endpoint is back", () => {
    const given = pool([place("a"), place("b")]);
    fail(given, "a", 0);
    answer(given, "a", baseEjectionMs);
    expect(given.load("a").since).toBe(baseEjectionMs + 5);
  });
});

describe("what an isolate remembers", () => {
  const at = (...names: readonly string[]) => names.map((name) => ({ endpoint: place(name) }));

  test("stays when the policy changes, for endpoints that are still there; one that comes is new", () => {
    const loads = new EndpointLoads(seeded(1));
    const [a, b] = loads.of("x", at("a", "b"), 1_000);
    const after = loads.of("x", at("c", "b"), 2_000);
    expect(after[1]).toBe(b);
    expect(after).not.toContain(a);
    expect([a?.since, b?.since, after[0]?.since]).toEqual([0, 0, 2_000]);
    const choice = at("a");
    expect(loads.of("x", choice, 3_000)).toBe(loads.of("x", choice, 4_000));
  });

  test("is of so many destinations at most", () => {
    const loads = new EndpointLoads(seeded(1));
    const choice = at("a");
    const first = loads.of("first", choice, 0);
    expect(loads.of("first", choice, 0)).toBe(first);
    for (let index = 0; index < 1_024; index++) loads.of(`x${index}`, choice, 0);
    expect(loads.of("first", choice, 0)).not.toBe(first);
  });
});
