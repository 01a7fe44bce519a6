import { describe, expect, test } from "vitest";
import { UsedPossessions } from "../../../control/issuer/used-possessions.ts";

describe("UsedPossessions", () => {
  test("takes each proof once, until it could not be used again anyway", () => {
    const used = new UsedPossessions();
    expect(used.take("a", 0)).toBe(true);
    expect(used.take("a", 1)).toBe(false);
    expect(used.take("b", 1)).toBe(true);
    expect(used.take("a", 119_999)).toBe(false);
    expect(used.take("a", 120_000)).toBe(true);
    expect(used.take("b", 120_000)).toBe(false);
  });

  test("takes nobody's when it is full, rather than forget one, until the oldest has run out", () => {
    const used = new UsedPossessions(2);
    used.take("a", 0);
    used.take("b", 10_000);
    expect(used.take("c", 119_999)).toBe(false);
    expect(used.take("a", 119_999)).toBe(false);
    expect(used.take("c", 120_000)).toBe(true);
    expect(used.take("b", 120_000)).toBe(false);
    expect(used.take("d", 120_000)).toBe(false);
  });
});
