import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  hastened,
  type KeySlot,
  movesAt,
  type RotationPolicy,
  signingSlot,
  step,
  withKey,
  withoutKey,
} from "../../../control/issuer/signing-keys.ts";

const policy: RotationPolicy = { activeMs: 1_000, publishAheadMs: 100, lingerMs: 300 };
const states = (slots: readonly KeySlot<string>[]) => slots.map(({ kid, state }) => `${kid} ${state}`);

describe("signing keys", () => {
  test("begin with one that signs at once", () => {
    expect(step([], 0, policy)).toMatchObject({ slots: [], changed: false, wantsKey: true });
    expect(states(withKey([], "a", "A", 0))).toEqual(["a active"]);
  });

  test("follow each other: published ahead, then signing, then kept until the last token has ended", () => {
    let slots = withKey([], "a", "A", 0);
    expect(step(slots, 899, policy)).toMatchObject({ changed: false, wantsKey: false, nextAt: 900 });
    expect(step(slots, 900, policy)).toMatchObject({ changed: false, wantsKey: true });
    slots = withKey(slots, "b", "B", 900);
    expect(states(slots)).toEqual(["a active", "b prepared"]);
    expect(step(slots, 999, policy)).toMatchObject({ changed: false, wantsKey: false, nextAt: 1_000 });
    const turned = step(slots, 1_000, policy);
    expect(states(turned.slots)).toEqual(["a retiring", "b active"]);
    expect(turned).toMatchObject({ changed: true, wantsKey: false, nextAt: 1_300 });
    expect(step(turned.slots, 1_299, policy).changed).toBe(false);
    const gone = step(turned.slots, 1_300, policy);
    expect(states(gone.slots)).toEqual(["b active"]);
    expect(gone).toMatchObject({ changed: true, nextAt: 1_900 });
  });

  test("let the old one sign on when the new one was made late, until the new one is known", () => {
    const slots = withKey(withKey([], "a", "A", 0), "b", "B", 5_000);
    expect(states(step(slots, 5_099, policy).slots)).toEqual(["a active", "b prepared"]);
    expect(step(slots, 5_000, policy).nextAt).toBe(5_100);
    expect(states(step(slots, 5_100, policy).slots)).toEqual(["a retiring", "b active"]);
  });

  test("keep a key that signed until now as long as one that retired in time", () => {
    const slots = withKey(withKey([], "a", "A", 0), "b", "B", 900);
    const late = step(slots, 9_000, policy);
    expect(states(step(late.slots, 9_299, policy).slots)).toEqual(["a retiring", "b active"]);
    expect(states(step(late.slots, 9_300, policy).slots)).toEqual(["b active"]);
  });

  test("take no second prepared key", () => {
    const slots = withKey(withKey([], "a", "A", 0), "b", "B", 0);
    expect(withKey(slots, "c", "C", 0)).toBe(slots);
  });

  test("change nothing when nothing is due", () => {
    const slots = withKey([], "a", "A", 0);
    expect(step(slots, 10, policy).slots).toBe(slots);
  });

  test("always leave exactly one that signs, known for long enough, and whose tokens can be verified to their end", () => {
    const gaps = fc.array(fc.tuple(fc.integer({ min: 1, max: 700 }), fc.boolean()), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(gaps, (visits) => {
        let now = 0;
        let made = 0;
        let slots = withKey([], "k0", "", now);
        const publishedAt = new Map([["k0", Number.NEGATIVE_INFINITY]]);
        const lastUse = new Map<string, number>();
        for (const [gap, canMake] of visits) {
          now += gap;
          // Up to the moment of the call, the slots as they were stored have been signing.
          lastUse.set(signingSlot(slots)?.kid ?? "", now);
          const rotation = step(slots, now, policy);
          expect(step(rotation.slots, now, policy)).toMatchObject({ changed: false, slots: rotation.slots });
          expect(rotation.changed).toBe(rotation.slots !== slots);
          slots = rotation.slots;
          if (rotation.wantsKey && canMake) {
            made++;
            slots = withKey(slots, `k${made}`, "", now);
            publishedAt.set(`k${made}`, now);
          }
          expect(slots.filter(({ state }) => state === "active")).toHaveLength(1);
          expect(slots.length).toBeLessThanOrEqual(4);
          const active = signingSlot(slots);
          expect(publishedAt.get(active?.kid ?? "")).toBeLessThanOrEqual(now - policy.publishAheadMs);
          for (const [kid, usedAt] of lastUse) {
            if (usedAt + policy.lingerMs > now) expect(slots.map((slot) => slot.kid)).toContain(kid);
          }
          if (!rotation.wantsKey || !canMake) expect(rotation.nextAt).toBeGreaterThanOrEqual(now);
        }
      }),
      { seed: 5, numRuns: 300 },
    );
  });
});

describe("an operator's hand on the keys", () => {
  test("lets the next one sign as soon as it is known, not sooner", () => {
    const slots = hastened(withKey(withKey([], "a", "A", 0), "b", "B", 100));
    expect(states(step(slots, 199, policy).slots)).toEqual(["a active", "b prepared"]);
    expect(step(slots, 199, policy).nextAt).toBe(200);
    expect(states(step(slots, 200, policy).slots)).toEqual(["a retiring", "b active"]);
  });

  test("takes one out at once: the one that signs is followed by the prepared one, or by a new one", () => {
    const both = withKey(withKey([], "a", "A", 0), "b", "B", 900);
    expect(states(withoutKey(both, "a", 910))).toEqual(["b active"]);
    expect(states(withoutKey(both, "b", 910))).toEqual(["a active"]);
    expect(withoutKey(both, "c", 910)).toBe(both);
    const none = withoutKey(withKey([], "a", "A", 0), "a", 5);
    expect(step(none, 5, policy)).toMatchObject({ slots: [], wantsKey: true });
    const retired = step(both, 1_000, policy).slots;
    expect(states(withoutKey(retired, "a", 1_001))).toEqual(["b active"]);
  });

  test("sees when each of them moves on", () => {
    const both = withKey(withKey([], "a", "A", 0), "b", "B", 950);
    expect(both.map((slot) => movesAt(both, slot, policy))).toEqual([1_050, 1_050]);
    const turned = step(both, 1_050, policy).slots;
    expect(turned.map((slot) => movesAt(turned, slot, policy))).toEqual([1_350, 2_050]);
  });
});
