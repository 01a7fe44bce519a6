import { expect, test } from "vitest";
import { routeMatches } from "../../../mesh-runtime/routing/route-match.ts";
import { match, named, prefix, request } from "./examples.ts";

const whole = match(prefix("/cart"), {
  method: "POST",
  headers: named({ version: "two" }),
  query: named({ dry: "1" }),
});
const fitting = { url: "/cart/add?dry=1", method: "POST", headers: { version: "two" } };

test("a match holds when all of its conditions hold", () => {
  expect(routeMatches(whole, request(fitting.url, fitting))).toBe(true);
});

test.each([
  ["path", { url: "/other?dry=1" }],
  ["method", { method: "GET" }],
  ["header", { headers: { version: "one" } }],
  ["query", { url: "/cart/add?dry=0" }],
])("a match does not hold when the %s alone does not fit", (_, change) => {
  const changed = { ...fitting, ...change };
  expect(routeMatches(whole, request(changed.url, changed))).toBe(false);
});
