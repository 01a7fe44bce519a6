import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ReplayWindow } from "../../../mesh-runtime/identity/replay.ts";

describe("ReplayWindow", () => {
  test("tells a second use from a first, for each sender apart", () => {
    const window = new ReplayWindow();
    expect(window.admit("a", "1", 30_000, 0)).toBe("fresh");
    expect(window.admit("a", "1", 30_000, 1)).toBe("repeated");
    expect(window.admit("a", "2", 30_000, 1)).toBe("fresh");
    expect(window.admit("b", "1", 30_000, 1)).toBe("fresh");
  });

  test("knows a nonce again under another expiry", () => {
    const window = new ReplayWindow();
    window.admit("a", "1", 30_000, 0);
    expect(window.admit("a", "1", 60_000, 0)).toBe("repeated");
  });

  test("admits nobody when it is full, until something runs out", () => {
    const window = new ReplayWindow(2);
    window.admit("a", "1", 8_000, 0);
    window.admit("a", "2", 16_000, 0);
    expect(window.admit("a", "3", 30_000, 7_999)).toBe("full");
    expect(window.admit("a", "2", 30_000, 7_999)).toBe("repeated");
    expect(window.admit("a", "3", 30_000, 8_000)).toBe("fresh");
    expect(window.size).toBe(2);
  });

  test("leaves room to others, however many senders one owner has, until what he holds runs out", () => {
    const window = new ReplayWindow(80);
    const flood = (owner: string, now: number): number => {
      let taken = 0;
      while (window.admit(`${owner}${taken}`, "n", now + 8_000, now, owner) === "fresh") taken++;
      return taken;
    };
    expect(flood("a", 0)).toBe(70);
    expect(window.admit("c", "1", 16_000, 0, "c")).toBe("fresh");
    expect(flood("b", 0)).toBeLessThan(9);
    expect(window.admit("c", "2", 16_000, 0, "c")).toBe("fresh");
    expect(window.admit("c", "2", 16_000, 0, "c")).toBe("repeated");
    expect(window.admit("a", "more", 16_000, 0, "a")).toBe("full");
    // Whoever is alone again has all but his eighth.
    expect(flood("a", 8_000)).toBeGreaterThan(65);
    expect(flood("a", 24_000)).toBe(70);
  });

  test("never admits a nonce twice while it is valid, never grows beyond its limit, and refuses only then", () => {
    const use = fc.record({
      sender: fc.constantFrom("a", "b"),
      nonce: fc.nat(30).map(String),
      life: fc.integer({ min: 1, max: 65_000 }),
      step: fc.nat(9_000),
    });
    fc.assert(
      fc.property(fc.array(use, { maxLength: 80 }), (uses) => {
        const window = new ReplayWindow(20);
        const validUntil = new Map<string, number>();
        let now = 0;
        for (const { sender, nonce, life, step } of uses) {
          now += step;
          const key = `${sender}/${nonce}`;
          const isLive = (validUntil.get(key) ?? 0) > now;
          const sizeBefore = window.size;
          const freshness = window.admit(sender, nonce, now + life, now);
          if (isLive) expect(freshness).toBe("repeated");
          if (freshness === "fresh") validUntil.set(key, now + life);
          if (freshness === "full") expect(sizeBefore).toBe(20);
          expect(window.size).toBeLessThanOrEqual(20);
        }
      }),
      { seed: 59, numRuns: 300 },
    );
  });
});
