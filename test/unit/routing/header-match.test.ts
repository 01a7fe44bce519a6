import { expect, test } from "vitest";
import { headersMatch } from "../../../mesh-runtime/routing/header-match.ts";
import { named } from "./examples.ts";

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
