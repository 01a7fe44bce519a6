import { describe, expect, test } from "vitest";
import {
  denies,
  fitsInBundle,
  hasRunOut,
  published,
  type Revoked,
  readRevoked,
} from "../../../control/issuer/revocations.ts";

const at = 1_790_000_000_500;
const day = 86_400_000;
const leeway = 60_000;
const web = "spiffe://mesh.local/ns/default/sa/web";
const entry: Revoked = { kind: "spiffeId", value: web, at, liftedAt: undefined, by: "operator", reason: "" };

describe("a revocation", () => {
  test("of an identity means every token up to and in the second in which it was made", () => {
    expect(published(entry, at)).toEqual([{ sub: web, before: 1_790_000_001 }]);
  });

  test("of a token or a key is that token or key", () => {
    expect(published({ ...entry, kind: "jti", value: "t" }, at)).toEqual([{ jti: "t" }]);
    expect(published({ ...entry, kind: "thumbprint", value: "k" }, at)).toEqual([{ jkt: "k" }]);
  });

  test("leaves the bundle when no token that it is about can be alive, and not before", () => {
    expect(published(entry, at + day + leeway - 1)).toHaveLength(1);
    expect(published(entry, at + day + leeway)).toEqual([]);
  });

  test("of an identity that is not lifted is never forgotten, others are when they have run out", () => {
    const late = at + day + leeway;
    expect(hasRunOut(entry, late * 2)).toBe(false);
    expect(hasRunOut({ ...entry, liftedAt: at + 1 }, late - 1)).toBe(false);
    expect(hasRunOut({ ...entry, liftedAt: at + 1 }, late)).toBe(true);
    expect(hasRunOut({ ...entry, kind: "jti" }, late)).toBe(true);
  });

  test("of an identity that was lifted denies nothing new, and still refuses what was issued before", () => {
    const lifted = { ...entry, liftedAt: at + 1 };
    expect([denies(entry), denies(lifted)]).toEqual([true, false]);
    expect(published(lifted, at + 2)).toEqual(published(entry, at + 2));
  });
});

test("ten thousand revocations fit, one more does not, and neither do fewer that are too large", () => {
  const many = (count: number, value: string): Revoked[] =>
    Array.from({ length: count }, (_, index) => ({ ...entry, kind: "jti", value: `${value}${index}` }));
  expect(fitsInBundle(many(10_000, "a"), at)).toBe(true);
  expect(fitsInBundle(many(10_001, "a"), at)).toBe(false);
  expect(fitsInBundle(many(9_000, "a".repeat(120)), at)).toBe(false);
});

test.each([
  ["spiffeId", web, true],
  ["spiffeId", `${web}/`, false],
  ["spiffeId", "spiffe://mesh.local/ns/*", false],
  ["jti", "0123456789abcdef", true],
  ["jti", "", false],
  ["jti", "a b", false],
  ["jti", "a".repeat(129), false],
  ["thumbprint", "A".repeat(43), true],
  ["thumbprint", "A".repeat(42), false],
  ["thumbprint", `${"A".repeat(42)}=`, false],
] as const)("%s %s can be revoked: %s", (kind, value, possible) => {
  expect(readRevoked(kind, value).ok).toBe(possible);
});
