import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { begun, ended } from "../../../../mesh-runtime/routing/balancing/endpoint-load.ts";
import { hashOf } from "../../../../mesh-runtime/routing/balancing/hash.ts";
import type { BalancingSettings } from "../../../../mesh-runtime/routing/words.ts";
import { type Pool, place, pool, seeded, tally } from "./examples.ts";

const runs = { seed: 20260821, numRuns: 12 };
const algorithms: readonly BalancingSettings["algorithm"][] = [
  "LeastRequest",
  "RoundRobin",
  "Random",
  "RingHash",
];
const anyWeights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 6 });
const requests = 6_000;

/** Requests one after the other, each answered after as long as the endpoint takes; the share of each endpoint. */
function shares(
  given: Pool,
  tookMs: (name: string, random: () => number) => number,
  random = seeded(11),
  everyMs = 5,
): Readonly<Record<string, number>> {
  let now = 1_000_000;
  const counts = tally(requests, (index) => {
    now += everyMs;
    const name = given.choose({ now, key: hashOf(`user-${index}`) });
    const load = given.load(name);
    const flight = begun(load, now);
    ended(load, flight, "answered", now + tookMs(name, random));
    return name;
  });
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, count / requests]));
}

describe.each(algorithms)("%s", (algorithm) => {
  const hashing = algorithm === "RingHash" ? { hashOn: { type: "header", name: "x-user" } as const } : {};

  test("gives endpoints that are equally fast their weight's share", () => {
    fc.assert(
      fc.property(anyWeights, fc.integer(), (weights, seed) => {
        const places = weights.map((weight, index) => place(`e${index}`, { weight }));
        const sum = weights.reduce((total, weight) => total + weight, 0);
        const found = shares(pool(places, { algorithm, ...hashing }, seeded(seed)), () => 20);
        for (const { name, weight } of places) expect(found[name] ?? 0).toBeCloseTo(weight / sum, 1);
        for (const { name, weight } of places)
          expect(Math.abs((found[name] ?? 0) - weight / sum)).toBeLessThan(0.035);
      }),
      runs,
    );
  });

  test("gives an endpoint of weight 0 nothing", () => {
    const given = pool([place("a"), place("b", { weight: 0 }), place("c")], { algorithm, ...hashing });
    expect(Object.keys(shares(given, () => 20)).sort()).toEqual(["a", "c"]);
  });

  test("chooses nobody where nobody has weight", () => {
    expect(pool([place("a", { weight: 0 })], { algorithm, ...hashing }).choose({ key: 1 })).toBe("");
  });
});

describe("LeastRequest", () => {
  test("prefers the faster, and still visits the slower", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 50 }), fc.integer({ min: 3, max: 20 }), (fastMs, times) => {
        const given = pool([place("fast"), place("slow"), place("slow-too")]);
        const found = shares(given, (name, random) =>
          Math.ceil((name === "fast" ? fastMs : fastMs * times) * (0.8 + 0.4 * random())),
        );
        expect(found.fast ?? 0).toBeGreaterThan(0.6);
        expect((found.slow ?? 0) + (found["slow-too"] ?? 0)).toBeGreaterThan(0.02);
      }),
      runs,
    );
  });

  test("gives an endpoint of little weight no more than twice its share, however fast it is", () => {
    const given = pool([place("canary"), place("stable", { weight: 9 })]);
    const found = shares(given, (name) => (name === "canary" ? 1 : 100));
    expect(found.canary ?? 0).toBeGreaterThan(0.1);
    expect(found.canary ?? 0).toBeLessThan(0.21);
  });

  test("shares noise alike: jitter does not outvote weights", () => {
    const given = pool([place("a"), place("b", { weight: 3 })]);
    const found = shares(given, (_name, random) => Math.ceil(20 + 10 * random()));
    expect(Math.abs((found.a ?? 0) - 0.25)).toBeLessThan(0.06);
  });

  test("leaves alone what has requests under way, and above all what hangs", () => {
    const given = pool([place("a"), place("b")]);
    for (const name of ["a", "b"]) ended(given.load(name), begun(given.load(name), 0), "answered", 10);
    for (let count = 0; count < 3; count++) begun(given.load("a"), 1_000);
    expect(tally(50, () => given.choose({ now: 1_000 }))).toEqual({ b: 50 });
    const hanging = pool([place("a"), place("b")]);
    ended(hanging.load("a"), begun(hanging.load("a"), 0), "answered", 1);
    ended(hanging.load("b"), begun(hanging.load("b"), 0), "answered", 50);
    begun(hanging.load("a"), 1_000);
    expect(tally(50, () => hanging.choose({ now: 3_000 }))).toEqual({ b: 50 });
  });

  test("sends an endpoint that nobody knows one request, and waits for what it comes to", () => {
    const given = pool([place("known"), place("new")]);
    ended(given.load("known"), begun(given.load("known"), 0), "answered", 30);
    expect(given.choose({ now: 100 })).toBe("new");
    begun(given.load("new"), 100);
    expect(tally(20, () => given.choose({ now: 100 }))).toEqual({ known: 20 });
  });
});

describe("RoundRobin", () => {
  test("goes by turns, those of one endpoint as far apart as they can be", () => {
    const given = pool([place("a", { weight: 5 }), place("b"), place("c")], { algorithm: "RoundRobin" });
    expect(Array.from({ length: 7 }, () => given.choose()).join("")).toBe("aabacaa");
  });

  test("gives every round exactly its weights", () => {
    fc.assert(
      fc.property(anyWeights, (weights) => {
        const given = pool(
          weights.map((weight, index) => place(`e${index}`, { weight })),
          { algorithm: "RoundRobin" },
        );
        const round = weights.reduce((sum, weight) => sum + weight, 0);
        for (let count = 0; count < 3; count++) {
          const counts = tally(round, () => given.choose());
          expect(counts).toEqual(Object.fromEntries(weights.map((weight, index) => [`e${index}`, weight])));
        }
      }),
      runs,
    );
  });
});

describe("RingHash", () => {
  const keys = Array.from({ length: 4_000 }, (_, index) => hashOf(`key-${index}`));
  const where = (places: readonly ReturnType<typeof place>[]): readonly string[] => {
    const given = pool(places, { algorithm: "RingHash", hashOn: { type: "header", name: "x-user" } });
    return keys.map((key) => given.choose({ key }));
  };
  const places = (weights: readonly number[]) =>
    weights.map((weight, index) => place(`e${index}`, { weight }));

  test("moves the keys of an endpoint that goes, and no others", () => {
    fc.assert(
      fc.property(anyWeights, fc.nat(), (weights, which) => {
        const all = places(weights);
        const gone = all[which % all.length]?.name;
        const before = where(all);
        const after = where(all.filter(({ name }) => name !== gone));
        for (const [index, name] of before.entries()) if (name !== gone) expect(after[index]).toBe(name);
      }),
      runs,
    );
  });

  test("moves to an endpoint that comes its share of the keys, and none between the others", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), (count) => {
        const before = where(places(Array(count).fill(1)));
        const after = where([...places(Array(count).fill(1)), place("new")]);
        const moved = before.filter((name, index) => after[index] !== name);
        expect(after.filter((name) => name === "new")).toHaveLength(moved.length);
        expect(Math.abs(moved.length / keys.length - 1 / (count + 1))).toBeLessThan(0.03);
      }),
      runs,
    );
  });

  test("does not depend on the order of the endpoints, and is the same in every isolate", () => {
    const all = places([1, 2, 3, 4]);
    expect(where([...all].reverse())).toEqual(where(all));
    expect(where(places([1, 1, 1])).slice(0, 8)).toEqual(where(places([1, 1, 1])).slice(0, 8));
    expect(hashOf("key-0")).toBe(hashOf("key-0"));
  });

  test("moves the keys of an endpoint that fails, and gives them back", () => {
    const given = pool(places([1, 1, 1]), { algorithm: "RingHash", hashOn: { type: "header", name: "x" } });
    const before = keys.map((key) => given.choose({ key, now: 0 }));
    given.load("e1").ejectedUntil = 5_000;
    const meanwhile = keys.map((key) => given.choose({ key, now: 1_000 }));
    for (const [index, name] of before.entries())
      if (name === "e1") expect(meanwhile[index]).not.toBe("e1");
      else expect(meanwhile[index]).toBe(name);
    given.load("e1").ejectedUntil = 0;
    expect(keys.map((key) => given.choose({ key, now: 6_000 }))).toEqual(before);
  });

  test("sends what does not say the key anywhere", () => {
    const given = pool(places([1, 1]), { algorithm: "RingHash", hashOn: { type: "header", name: "x" } });
    expect(Object.keys(tally(100, () => given.choose({ key: undefined }))).sort()).toEqual(["e0", "e1"]);
  });
});
