import { expect, test } from "vitest";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { headersMatch } from "../../../mesh-runtime/routing/header-match.ts";
import { asking, named } from "./examples.ts";

const sent = new Headers([
  ["Version", "two"],
  ["color", "blue"],
  ["many", "a"],
  ["many", "b"],
  ["empty", ""],
]);

test.each([
  [{}, true],
  [{ version: "two" }, true],
  [{ version: "Two" }, false],
  [{ version: "two", color: "blue" }, true],
  [{ version: "two", color: "green" }, false],
  [{ absent: "" }, false],
  [{ empty: "" }, true],
  [{ many: "a" }, false],
  [{ many: "a, b" }, true],
] as const)("%j holds: %s", (conditions, expected) => {
  expect(headersMatch(named(conditions), sent)).toBe(expected);
});

test("of several conditions for one name only the first counts", () => {
  const twice = [
    { name: "version", value: "two" },
    { name: "version", value: "three" },
  ];
  expect(headersMatch(twice, sent)).toBe(true);
  expect(headersMatch(twice.toReversed(), sent)).toBe(false);
});

test("an expression is asked about the whole value, of a header that came several times about all of them", () => {
  const holds = (name: string, source: string) => headersMatch([asking(name, source)], sent);
  expect(holds("version", "t.*")).toBe(true);
  expect(holds("version", "w")).toBe(false);
  expect(holds("many", "[ab], [ab]")).toBe(true);
  expect(holds("many", "a")).toBe(false);
  expect(holds("empty", "")).toBe(true);
  expect(holds("absent", ".*")).toBe(false);
});

test("a header that came several times is one value, whether it is plain data or the platform's", () => {
  const fields = new Fields();
  for (const value of ["a", "b"]) fields.append("Many", value);
  for (const headers of [sent, fields]) {
    expect(headersMatch(named({ many: "a, b" }), headers)).toBe(true);
    expect(headersMatch([asking("many", ".*, b")], headers)).toBe(true);
  }
});
