import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Prefixed,
  type PrefixIndex,
  prefixIndex,
  wholeOf,
  withRoom,
} from "../../../mesh-runtime/routing/prefix-index.ts";

const copies = 8;
const indexOf = (...prefixes: readonly string[]): PrefixIndex<string> =>
  prefixIndex(
    prefixes.map((prefix) => [prefix, prefix]),
    copies,
  );

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

test("prefixes of one length are told apart, and each knows its own shorter ones", () => {
  const index = indexOf("/a", "/b", "/a/x", "/b/x", "/c/x", "/b/x/y");
  expect(prefixesOf(index, "/b/x/z")).toEqual(["/b/x", "/b"]);
  expect(prefixesOf(index, "/a/x/y")).toEqual(["/a/x", "/a"]);
  expect(prefixesOf(index, "/b/x/y")).toEqual(["/b/x/y", "/b/x", "/b"]);
  expect(prefixesOf(index, "/c/x")).toEqual(["/c/x"]);
  expect(prefixesOf(index, "/c")).toEqual([]);
});

test("the same is found as by asking every prefix", () => {
  const piece = fc.array(fc.constantFrom("", "a", "b", "ab"), { maxLength: 6 });
  const text = piece.map((segments) => segments.map((each) => `/${each}`).join(""));
  fc.assert(
    fc.property(fc.uniqueArray(text, { maxLength: 20 }), text, (prefixes, path) => {
      const expected = prefixes
        .filter((prefix) => path === prefix || path.startsWith(`${prefix}/`))
        .sort((a, b) => b.length - a.length);
      expect(prefixesOf(indexOf(...prefixes), path)).toEqual(expected);
    }),
    { numRuns: 500, seed: 20 },
  );
});

test.each([
  ["ten thousand slashes", `/a${"/".repeat(10_000)}`],
  ["one segment of ten thousand letters", `/a/${"b".repeat(10_000)}/c`],
])("of a path with %s only pieces as long as a known prefix are looked up", (_, path) => {
  const pieces: number[] = [];
  const counting = {
    length: path.length,
    charCodeAt: (at: number) => path.charCodeAt(at),
    slice: (from: number, to: number) => {
      pieces.push(to - from);
      return path.slice(from, to);
    },
  };
  expect(index(counting as unknown as string)?.value).toBe("/a");
  expect(Math.max(...pieces)).toBeLessThanOrEqual("/a/b/c/d/e/f".length);
  // Of each of four lengths what tells its prefixes apart, and the whole.
  expect(pieces.length).toBeLessThanOrEqual(2 * 4);
});

/** What is asked of a path that falls under many prefixes: values of one, or of several that are put together once. */
function askedOf(
  path: string,
  under: PrefixIndex<string>,
  together: (values: readonly string[]) => string | undefined,
) {
  const asked: string[] = [];
  for (let each = under(path); each !== undefined; each = each.shorter) {
    const whole = wholeOf(each, together);
    asked.push(whole ?? each.value);
    if (whole !== undefined) break;
  }
  return asked;
}

const nested = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => "/a".repeat(n));

test("of a hundred prefixes, one below the other, few are asked, and the last of them stands for the rest", () => {
  const made: number[] = [];
  const all = nested(100);
  const together = (values: readonly string[]): string => {
    made.push(values.length);
    return values.join();
  };
  const under = indexOf(...all);
  for (const path of all) {
    const asked = askedOf(path, under, together);
    expect(asked.length).toBeLessThanOrEqual(7);
    expect(asked.join()).toBe(
      all
        .slice(0, all.indexOf(path) + 1)
        .reverse()
        .join(),
    );
  }
  expect(made).toEqual([8, 15, 22, 29, 36, 43, 50, 57, 64, 71, 78, 85, 92, 99]);
});

test("values are put together as long as there is room for eight copies of all", () => {
  const all = nested(200);
  let made = 0;
  const together = withRoom(
    copies * all.length,
    () => 1,
    (values: readonly string[]) => {
      made += values.length;
      return values.join();
    },
  );
  const under = indexOf(...all);
  for (const path of all)
    expect(askedOf(path, under, together).join()).toBe(
      all
        .slice(0, all.indexOf(path) + 1)
        .reverse()
        .join(),
    );
  expect(made).toBeLessThanOrEqual(copies * all.length);
});
