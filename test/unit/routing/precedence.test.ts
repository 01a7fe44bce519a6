import fc from "fast-check";
import { expect, test } from "vitest";
import {
  advantage,
  compareMatches,
  inPrecedence,
  matchesOf,
} from "../../../mesh-runtime/routing/precedence.ts";
import { anyMatch } from "./any.ts";
import { asking, exact, expression, match, named, prefix, rule } from "./examples.ts";

const one = named({ a: "1" });
const two = named({ a: "1", b: "2" });

test.each([
  ["exact path", match(exact("/a")), match(prefix("/a/long/one"), { method: "GET", headers: two })],
  ["exact path", match(exact("/a")), match(expression("/a/long/.*"), { method: "GET", headers: two })],
  [
    "regular expression",
    match(expression("/.*")),
    match(prefix("/a/long/one"), { method: "GET", headers: two }),
  ],
  ["longer path", match(expression("/a.*")), match(expression("/.*"), { method: "GET", headers: two })],
  ["method", match(expression("/a.*"), { method: "GET" }), match(expression("/b.*"), { headers: two })],
  ["longer path", match(prefix("/path5")), match(prefix("/"), { method: "GET", headers: two, query: two })],
  ["method", match(prefix("/a"), { method: "GET" }), match(prefix("/b"), { headers: two, query: two })],
  ["more headers", match(prefix("/a"), { headers: two }), match(prefix("/b"), { headers: one, query: two })],
  ["more query", match(prefix("/a"), { query: two }), match(prefix("/b"), { query: one })],
] as const)("%s gives precedence over everything after it", (reason, first, second) => {
  expect(compareMatches(first, second)).toBeLessThan(0);
  expect(compareMatches(second, first)).toBeGreaterThan(0);
  expect(advantage(first, second)).toBe(reason);
  expect(advantage(second, first)).toBe(reason);
});

test("conditions by an expression count as those by a value do", () => {
  const [a, b] = [
    match(prefix("/"), { headers: [...one, asking("b", ".*")] }),
    match(prefix("/"), { headers: one }),
  ];
  expect(advantage(a, b)).toBe("more headers");
  expect(compareMatches(a, match(prefix("/"), { headers: two }))).toBe(0);
});

test("what two conditions on one name say counts as one", () => {
  const repeated = match(prefix("/"), { headers: [...one, { name: "a", value: "2" }] });
  expect(compareMatches(repeated, match(prefix("/"), { headers: one }))).toBe(0);
});

test("each match of a rule ranks alone, and ties keep the order given", () => {
  const order = inPrecedence([
    rule("first", [match(prefix("/")), match(exact("/a"))]),
    rule("second", [match(prefix("/")), match(prefix("/b"))]),
  ]);
  expect(order.map(({ rule: { name }, match: { path } }) => `${name} ${path.value}`)).toEqual([
    "first /a",
    "second /b",
    "first /",
    "second /",
  ]);
  expect(advantage(match(prefix("/")), match(prefix("/")))).toBe("order");
});

test("a rule without matches matches every request", () => {
  expect(matchesOf(rule("all", []))).toEqual([match(prefix("/"))]);
});

test("precedence is an order: comparing turned round turns the sign, and it is transitive", () => {
  fc.assert(
    fc.property(anyMatch, anyMatch, anyMatch, (a, b, c) => {
      expect(Math.sign(compareMatches(a, b)) + Math.sign(compareMatches(b, a))).toBe(0);
      if (compareMatches(a, b) <= 0 && compareMatches(b, c) <= 0)
        expect(compareMatches(a, c)).toBeLessThanOrEqual(0);
    }),
    { seed: 22, numRuns: 500 },
  );
});
