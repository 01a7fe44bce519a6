import { no, ok } from "@tulle/mesh-runtime/foundation/result.ts";
import type { BundleKey } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Federation,
  keptMs,
  looked,
  maxRefreshMs,
  minRefreshMs,
  newFederation,
  published,
  stateOf,
  wakeAt,
} from "../../../../control/issuer/federation/federation.ts";
import type { ForeignBundle } from "../../../../control/issuer/federation/foreign-bundle.ts";

const now = 1_790_000_000_000;
const middle = (): number => 0.5;
const key = (kid: string): BundleKey => ({
  kty: "EC",
  crv: "P-256",
  x: kid,
  y: kid,
  alg: "ES256",
  kid,
  use: "wit-svid",
});
const bundle = (changed: Partial<ForeignBundle> = {}): ForeignBundle => ({
  sequence: 7,
  refreshHintMs: 300_000,
  keys: [key("a")],
  ...changed,
});
const fresh = newFederation("partner.example", "https://partner.example/bundle", "ann", now);
const held = looked(fresh, ok(bundle()), now, middle);
const kids = (federation: Federation, at = now): readonly string[] =>
  published([federation], at).flatMap(({ keys }) => keys.map(({ kid }) => kid));

describe("a federation", () => {
  test("is pending, and gives nobody anything, until its bundle has been seen", () => {
    expect([stateOf(fresh, now), kids(fresh), wakeAt([fresh], now)]).toEqual(["pending", [], now]);
    const failed = looked(fresh, no("it cannot be reached"), now, middle);
    expect([stateOf(failed, now), kids(failed), failed.error]).toEqual([
      "pending",
      [],
      "it cannot be reached",
    ]);
  });

  test("has the keys of the bundle that was seen last", () => {
    expect([stateOf(held, now), kids(held)]).toEqual(["ok", ["a"]]);
    const next = looked(held, ok(bundle({ sequence: 8, keys: [key("a"), key("b")] })), now + 1, middle);
    expect(kids(next)).toEqual(["a", "b"]);
  });

  test("has none where the bundle has none: everything is revoked there", () => {
    const emptied = looked(held, ok(bundle({ sequence: 8, keys: [] })), now, middle);
    expect(published([emptied], now)).toEqual([{ trustDomain: "partner.example", keys: [] }]);
  });

  test("keeps what was good when the next cannot be had, and says so", () => {
    const failing = looked(held, no("it answers with status 500"), now + 1_000, middle);
    expect([stateOf(failing, now + 1_000), kids(failing, now + 1_000), failing.failures]).toEqual([
      "failing",
      ["a"],
      1,
    ]);
    const well = looked(failing, ok(bundle()), now + 2_000, middle);
    expect([stateOf(well, now + 2_000), well.failures, well.error]).toEqual(["ok", 0, ""]);
  });

  test("ends a day after its keys were seen last, and comes back with them", () => {
    const failing = looked(held, no("gone"), now + 1_000, middle);
    expect(kids(failing, now + keptMs - 1)).toEqual(["a"]);
    expect([stateOf(failing, now + keptMs), kids(failing, now + keptMs)]).toEqual(["expired", []]);
    const back = looked(failing, ok(bundle({ sequence: 9 })), now + keptMs + 5, middle);
    expect([stateOf(back, now + keptMs + 5), kids(back, now + keptMs + 5)]).toEqual(["ok", ["a"]]);
  });

  test.each([
    ["goes back", 6, /went back from 7 to 6; .*remove the federation and add it again/],
    ["vanishes", undefined, /has no spiffe_sequence, and had 7 before/],
  ])("does not take a bundle whose sequence %s", (_, sequence, message) => {
    const older = looked(held, ok(bundle({ sequence, keys: [key("old")] })), now + 1, middle);
    expect(kids(older)).toEqual(["a"]);
    expect(older.error).toMatch(message);
    expect(older.held?.seenAt).toBe(now);
  });

  test("takes bundles without a sequence from who never had one", () => {
    const plain = looked(fresh, ok(bundle({ sequence: undefined })), now, middle);
    expect(kids(looked(plain, ok(bundle({ sequence: undefined, keys: [key("b")] })), now, middle))).toEqual([
      "b",
    ]);
  });

  test("looks again when its publisher wants it, within a minute and an hour, a tenth sooner or later", () => {
    const pause = (refreshHintMs: number | undefined, random = 0.5): number =>
      looked(fresh, ok(bundle({ refreshHintMs })), now, () => random).nextAt - now;
    expect([pause(300_000), pause(undefined), pause(0), pause(1e12)]).toEqual([
      300_000,
      300_000,
      minRefreshMs,
      maxRefreshMs,
    ]);
    expect([pause(300_000, 0), pause(300_000, 1)]).toEqual([270_000, 330_000]);
  });

  test("looks sooner after a failure, ever more rarely, and never more rarely than otherwise", () => {
    let federation = held;
    const pauses = Array.from({ length: 6 }, () => {
      federation = looked(federation, no("gone"), now, middle);
      return federation.nextAt - now;
    });
    expect(pauses).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
  });

  test("wants to be looked at when its turn comes or its keys end, whichever is first", () => {
    const rare = looked(fresh, ok(bundle({ refreshHintMs: 3_600_000 })), now, middle);
    const stuck = { ...rare, nextAt: now + 2 * keptMs };
    expect([wakeAt([rare], now), wakeAt([stuck], now), wakeAt([stuck, held], now)]).toEqual([
      now + 3_600_000,
      now + keptMs,
      now + 300_000,
    ]);
    expect(wakeAt([], now)).toBeUndefined();
  });
});

test("whatever comes in whatever order, a sequence never goes back, and what is told is in the past", () => {
  const found = fc.oneof(
    fc.constant(no("gone")),
    fc.integer({ min: 0, max: 9 }).map((sequence) => ok(bundle({ sequence, keys: [key(`k${sequence}`)] }))),
  );
  fc.assert(
    fc.property(fc.array(found, { maxLength: 12 }), (answers) => {
      let federation = fresh;
      let highest = -1;
      for (const [index, answer] of answers.entries()) {
        const at = now + index;
        federation = looked(federation, answer, at, middle);
        if (answer.ok) highest = Math.max(highest, answer.value.sequence ?? 0);
        expect(kids(federation, at)).toEqual(highest < 0 ? [] : [`k${highest}`]);
        expect(federation.nextAt).toBeGreaterThan(at);
        expect(wakeAt([federation], at)).toBeGreaterThan(at);
      }
    }),
    { seed: 7, numRuns: 200 },
  );
});
