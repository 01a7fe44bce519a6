import fc from "fast-check";
import { expect, test } from "vitest";
import { header } from "../../../mesh-runtime/foundation/headers.ts";
import {
  arrivalCredits,
  creditsIn,
  givenBack,
  grantOf,
  rootCredits,
} from "../../../mesh-runtime/resilience/credits.ts";
import { fixed, refuses, responds, unreachable } from "./examples.ts";

test("credits that came are capped, absent ones have a default, and unreadable ones are none", () => {
  const come = (text: string): number => creditsIn(text);
  expect(["0", "3", "10", "11", "99999", "-1", "x", "1.5", ""].map(come)).toEqual([
    0, 3, 10, 10, 10, 0, 0, 0, 0,
  ]);
  expect(creditsIn(null)).toBe(arrivalCredits);
  expect([0, 1, 5, 50].map((retries) => rootCredits(retries))).toEqual([2, 3, 7, 52]);
});

test("a call tree begins with what the most eager route promises, and one for a hop on the way there", () => {
  expect([1, 3, 9, 50].map((promised) => rootCredits(1, promised))).toEqual([3, 5, 11, 11]);
  expect([1, 3, 9].map((promised) => creditsIn(null, promised))).toEqual([arrivalCredits, 4, 10]);
  expect(creditsIn("2", 9)).toBe(2);
});

test("a hop keeps what its own retries need and lends the rest", () => {
  expect([grantOf(3, 1), grantOf(1, 1), grantOf(0, 1), grantOf(2, 0), grantOf(2, -1)]).toEqual([
    2, 0, 0, 2, 2,
  ]);
});

test("no more comes back than was granted, and nothing where what the callee says cannot be read", () => {
  const says = (text: string) => responds(200, { [header.credits]: text });
  expect([says("1"), says("9"), says("-1"), says("x")].map((a) => givenBack(a, 2))).toEqual([1, 2, 0, 0]);
});

test("where the callee says nothing all comes back, except where it failed", () => {
  expect([200, 302, 499, 500, 503].map((status) => givenBack(responds(status), 2))).toEqual([2, 2, 2, 0, 0]);
});

test("a grant comes back whole when nobody can have received it, and counts as spent when somebody may have", () => {
  const open = refuses({ kind: "circuit-open", circuit: "default/payments", retryAfterMs: 1 });
  const late = refuses({ kind: "deadline-exceeded", destination: "", budgetMs: 1 });
  const gone = refuses({ kind: "cancelled" });
  expect([unreachable(false), open].map((a) => givenBack(a, 2))).toEqual([2, 2]);
  expect([unreachable(true), late, gone].map((a) => givenBack(a, 2))).toEqual([0, 0, 0]);
});

/** A chain of services in which every one retries as often as it may, and any answer may be lost. */
function triesAtTheEnd(depth: number, retries: number, pool: { left: number }, fails: () => boolean): number {
  if (depth === 0) return 1;
  let tries = 0;
  for (let retry = 0; ; retry++) {
    const grant = grantOf(pool.left, retries - retry);
    pool.left -= grant;
    const below = { left: grant };
    tries += triesAtTheEnd(depth - 1, retries, below, fails);
    const answered = responds(503, fails() ? {} : { [header.credits]: String(below.left) });
    pool.left += givenBack(answered, grant);
    if (retry >= retries || pool.left < 1) return tries;
    pool.left -= 1;
  }
}

test("however deep the chain and whatever is lost, its end sees at most one try and the credits of the root", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 5 }),
      fc.array(fc.boolean(), { maxLength: 40 }),
      (depth, retries, losses) => {
        const credits = rootCredits(retries);
        const tries = triesAtTheEnd(depth, retries, { left: credits }, () => losses.shift() ?? false);
        return tries >= 1 && tries <= 1 + credits;
      },
    ),
    fixed,
  );
});

test("a policy of several retries gets them all at the root, even when callees give nothing back", () => {
  expect(triesAtTheEnd(1, 5, { left: rootCredits(5) }, () => true)).toBe(6);
  expect(triesAtTheEnd(1, 40, { left: rootCredits(40) }, () => true)).toBe(41);
});
