import { expect, test } from "vitest";
import { queryMatches } from "../../../mesh-runtime/routing/query-match.ts";
import { asking, named } from "./examples.ts";

const holds = (conditions: Readonly<Record<string, string>>, query: string): boolean =>
  queryMatches(named(conditions), new URL(`http://shop.example.com/${query}`));

test.each([
  [{}, "", true],
  [{ animal: "whale" }, "?animal=whale", true],
  [{ animal: "whale" }, "?animal=Whale", false],
  [{ animal: "whale" }, "?ANIMAL=whale", false],
  [{ animal: "whale" }, "", false],
  [{ animal: "" }, "?animal", true],
  [{ animal: "whale", color: "blue" }, "?color=blue&animal=whale", true],
  [{ animal: "whale", color: "blue" }, "?animal=whale", false],
  [{ q: "a b&c" }, "?q=a+b%26c", true],
] as const)("%j holds for %s: %s", (conditions, query, expected) => {
  expect(holds(conditions, query)).toBe(expected);
});

test("of a parameter that came several times the first value counts", () => {
  expect(holds({ animal: "whale" }, "?animal=whale&animal=dolphin")).toBe(true);
  expect(holds({ animal: "dolphin" }, "?animal=whale&animal=dolphin")).toBe(false);
});

test("of several conditions for one name only the first counts", () => {
  const twice = [
    { name: "animal", value: "whale" },
    { name: "animal", value: "dolphin" },
  ];
  expect(queryMatches(twice, new URL("http://shop.example.com/?animal=whale"))).toBe(true);
  expect(queryMatches(twice, new URL("http://shop.example.com/?animal=dolphin"))).toBe(false);
});

test("an expression is asked about the first value, whole and decoded", () => {
  const asked = (source: string, query: string) =>
    queryMatches([asking("q", source)], new URL(`http://shop.example.com/${query}`));
  expect(asked("a b|c", "?q=a+b&q=d")).toBe(true);
  expect(asked("a b|c", "?q=d&q=c")).toBe(false);
  expect(asked("[é😀]+", "?q=%C3%A9%F0%9F%98%80")).toBe(true);
  expect(asked(".*", "?q")).toBe(true);
  expect(asked(".*", "?Q=1")).toBe(false);
});
