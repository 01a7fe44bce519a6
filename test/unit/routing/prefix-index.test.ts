import { expect, test } from "vitest";
import { type Prefixed, type PrefixIndex, prefixIndex } from "../../../mesh-runtime/routing/prefix-index.ts";

const indexOf = (...prefixes: readonly string[]): PrefixIndex<string> =>
  prefixIndex(prefixes.map((prefix) => [prefix, prefix]));

function prefixesOf(index: PrefixIndex<string>, path: string): readonly string[] {
  const found: string[] = [];
  let prefixed: Prefixed<string> | undefined = index(path);
  for (; prefixed !== undefined; prefixed = prefixed.shorter) found.push(prefixed.value);
  return found;
}

const index = indexOf("", "/a", "/a/b/c", "/a//x", "/d", "/a/b/c/d/e/f");

test.each([
  ["/a/b/c/d", ["/a/b/c", "/a", ""]],
  ["/a/b/c/d/e/f/g", ["/a/b/c/d/e/f", "/a/b/c", "/a", ""]],
  ["/a/b/c/d/e/g/f/h/i", ["/a/b/c", "/a", ""]],
  ["/a/b", ["/a", ""]],
  ["/a//x/", ["/a//x", "/a", ""]],
  ["/ab", [""]],
  ["/", [""]],
  ["//", [""]],
  ["", [""]],
  ["d", []],
])("%s falls under %j, the longest first", (path, expected) => {
  expect(prefixesOf(index, path)).toEqual(expected);
});

test("without the empty prefix a path can fall under none", () => {
  expect(prefixesOf(indexOf("/a", "/b/c"), "/b")).toEqual([]);
  expect(prefixesOf(indexOf(), "/b")).toEqual([]);
});

test("a prefix is one of no path that merely begins with the same letters", () => {
  expect(prefixesOf(indexOf("/v2"), "/v2example")).toEqual([]);
});

test.each([
  ["ten thousand slashes", `/a${"/".repeat(10_000)}`],
  ["one segment of ten thousand letters", `/a/${"b".repeat(10_000)}/c`],
])("of a path with %s only pieces as long as a known prefix are looked up", (_, path) => {
  const pieces: number[] = [];
  const counting = {
    length: path.length,
    indexOf: (text: string, from?: number) => path.indexOf(text, from),
    lastIndexOf: (text: string, from?: number) => path.lastIndexOf(text, from),
    slice: (from: number, to: number) => {
      pieces.push(to - from);
      return path.slice(from, to);
    },
  };
  expect(index(counting as unknown as string)?.value).toBe("/a");
  expect(Math.max(...pieces)).toBeLessThanOrEqual("/a/b/c/d/e/f".length);
  expect(pieces.length).toBeLessThanOrEqual(4);
});
