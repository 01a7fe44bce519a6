import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultRetry, meshTraffic } from "../../../mesh-runtime/policy/defaults.ts";
import { atListener, governingOf } from "../../../mesh-runtime/policy/governing.ts";
import type { Destination, Stated } from "../../../mesh-runtime/policy/snapshot.ts";
import type { RetryPolicy } from "../../../mesh-runtime/resilience/words.ts";
import { backend } from "../routing/examples.ts";

type Settings = Pick<Destination, "traffic" | "stated">;

/** A destination of whose time and retries a policy speaks. */
const saying = (
  timeoutMs: number,
  retry: Partial<RetryPolicy> = {},
  stated: readonly Stated[] = ["timeout", "retry"],
): Settings => ({
  traffic: { ...meshTraffic, timeoutMs, retry: { ...defaultRetry, ...retry } },
  stated,
});

/** What holds under a rule with these backends, `s0`, `s1` and so on. */
function governing(backends: readonly Settings[], addressed: Settings = atListener) {
  const rule = { backends: backends.map((_, at) => backend(`s${at}`)) };
  return governingOf(rule, addressed, (service) => backends[Number(service.slice(1))]);
}

const anyRetry = fc.record({
  attempts: fc.integer({ min: 0, max: 10 }),
  codes: fc.uniqueArray(fc.constantFrom(500, 502, 503, 504), { minLength: 1 }),
  perTryTimeoutMs: fc.integer({ min: 0, max: 5 }),
  backoffBaseMs: fc.integer({ min: 1, max: 9 }),
  backoffMaxMs: fc.integer({ min: 9, max: 20 }),
  budgetRatio: fc.constantFrom(0, 0.2, 1),
  maxReplayBytes: fc.integer({ min: 0, max: 9 }),
  nonIdempotent: fc.boolean(),
});
const anySettings = fc
  .tuple(fc.integer({ min: 0, max: 5 }), anyRetry)
  .map(([ms, retry]) => saying(ms, retry));
const lasts = (ms: number): number => (ms === 0 ? Number.POSITIVE_INFINITY : ms);

describe("what the policies of backends say", () => {
  test("of a single one, holds as it stands", () => {
    fc.assert(
      fc.property(anySettings, (one) => {
        const found = governing([one]);
        expect(found).toEqual({ traffic: one.traffic, by: ["timeout", "retry"], payer: "s0" });
      }),
      { numRuns: 50, seed: 6 },
    );
  });

  test("of several, cuts no request of any short, and repeats none that any would not repeat", () => {
    fc.assert(
      fc.property(fc.array(anySettings, { minLength: 2, maxLength: 4 }), (all) => {
        const { traffic, payer } = governing(all) ?? {};
        if (traffic === undefined) throw new Error("nobody governs");
        for (const { traffic: own } of all) {
          expect(lasts(traffic.timeoutMs)).toBeGreaterThanOrEqual(lasts(own.timeoutMs));
          expect(lasts(traffic.retry.perTryTimeoutMs)).toBeGreaterThanOrEqual(
            lasts(own.retry.perTryTimeoutMs),
          );
          expect(traffic.retry.attempts).toBeLessThanOrEqual(own.retry.attempts);
          expect(own.retry.codes).toEqual(expect.arrayContaining([...traffic.retry.codes]));
          expect(traffic.retry.backoffBaseMs).toBeGreaterThanOrEqual(own.retry.backoffBaseMs);
          expect(traffic.retry.backoffMaxMs).toBeGreaterThanOrEqual(own.retry.backoffMaxMs);
          expect(traffic.retry.budgetRatio).toBeLessThanOrEqual(own.retry.budgetRatio);
          expect(traffic.retry.maxReplayBytes).toBeLessThanOrEqual(own.retry.maxReplayBytes);
          expect(own.retry.nonIdempotent || !traffic.retry.nonIdempotent).toBe(true);
        }
        expect(payer).toBe(all.map((_, at) => `s${at}`).join(" "));
        // What nobody differs in is nobody's invention.
        const [first] = all;
        if (first !== undefined) expect(governing(all.map(() => first))?.traffic).toEqual(first.traffic);
      }),
      { numRuns: 100, seed: 6 },
    );
  });

  test.each<[string, Settings]>([
    ["a backend of which nothing is said", { traffic: meshTraffic }],
    [
      "a backend of which only places are said",
      { traffic: { ...meshTraffic, maxInFlight: 3 }, stated: ["maxInFlight"] },
    ],
  ])("is nothing for %s", (_what, settings) => {
    expect(governing([settings])).toBeUndefined();
  });

  test("is nothing where all of it is said of the one who was addressed", () => {
    expect(governing([saying(5)], saying(7))).toBeUndefined();
    const { traffic, by, payer } = governing([saying(5, { attempts: 4 })], saying(7, {}, ["timeout"])) ?? {};
    expect([traffic?.timeoutMs, traffic?.retry.attempts, by, payer]).toEqual([7, 4, ["retry"], "s0"]);
  });

  test("leaves to the one who was addressed how many may be under way to it", () => {
    const one = saying(5);
    const found = governing([{ ...one, traffic: { ...one.traffic, maxInFlight: 2 } }]);
    expect(found?.traffic.maxInFlight).toBe(meshTraffic.maxInFlight);
  });

  test("is nothing where no backend can be used or is known", () => {
    const rule = {
      backends: [backend("a", { unusable: "BackendNotFound" }), backend("b", { weight: 0 }), backend("c")],
    };
    const settingsOf = (service: string) => (service === "c" ? undefined : saying(5));
    expect(governingOf(rule, atListener, settingsOf)).toBeUndefined();
  });
});
