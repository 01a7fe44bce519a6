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
    expect(published(entry, at, "mesh.local")).toEqual([{ sub: web, before: 1_790_000_001 }]);
  });

  test("of a token or a key is that token or key", () => {
    expect(published({ ...entry, kind: "jti", value: "t" }, at, "mesh.local")).toEqual([{ jti: "t" }]);
    expect(published({ ...entry, kind: "thumbprint", value: "k" }, at, "mesh.local")).toEqual([{ jkt: "k" }]);
  });

  test("leaves the bundle when no token that it is about can be alive, and not before", () => {
    expect(published(entry, at + day + leeway - 1, "mesh.local")).toHaveLength(1);
    expect(published(entry, at + day + leeway, "mesh.local")).toEqual([]);
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
    expect(published(lifted, at + 2, "mesh.local")).toEqual(published(entry, at + 2, "mesh.local"));
  });

  test("of an identity of another trust domain, whose issuer goes on, means all its tokens until it is lifted", () => {
    const theirs = { ...entry, value: "spiffe://partner.example/ns/default/sa/web" };
    expect(published(theirs, at + 30 * day, "mesh.local")).toEqual([{ sub: theirs.value }]);
    const lifted = { ...theirs, liftedAt: at + 1 };
    expect(published(lifted, at + 2, "mesh.local")).toEqual([{ sub: theirs.value, before: 1_790_000_001 }]);
    expect(published(lifted, at + 30 * day, "mesh.local")).toEqual([]);
  });
});

test("ten thousand revocations fit, one more does not, and neither do fewer that are too large", () => {
  const many = (count: number, value: string): Revoked[] =>
    Array.from({ length: count }, (_, index) => ({ ...entry, kind: "jti", value: `${value}${index}` }));
  expect(fitsInBundle(many(10_000, "a"), at, "mesh.local")).toBe(true);
  expect(fitsInBundle(many(10_001, "a"), at, "mesh.local")).toBe(false);
  expect(fitsInBundle(many(9_000, "a".repeat(120)), at, "mesh.local")).toBe(false);
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
