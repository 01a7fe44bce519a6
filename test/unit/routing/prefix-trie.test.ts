import { expect, test } from "vitest";
import { type Branch, prefixTrie } from "../../../mesh-runtime/routing/prefix-trie.ts";

const trie = prefixTrie(["", "/a", "/a/b/c", "/a//x", "/d"].map((prefix) => [prefix, prefix]));

const prefixesOf = (path: string): readonly string[] => {
  const found: string[] = [];
  let branch: Branch<string> | undefined = trie.deepest(path);
  for (; branch !== undefined; branch = branch.shorter)
    if (branch.value !== undefined) found.push(branch.value);
  return found;
};

test.each([
  ["/a/b/c/d", ["/a/b/c", "/a", ""]],
  ["/a/b", ["/a", ""]],
  ["/a//x/", ["/a//x", "/a", ""]],
  ["/ab", [""]],
  ["/", [""]],
  ["", [""]],
  ["d", []],
])("%s falls under %j, the longest first", (path, expected) => {
  expect(prefixesOf(path)).toEqual(expected);
});

test("a look-up ends where no prefix goes on, however long the path", () => {
  const path = `/a${"/".repeat(100_000)}`;
  let cuts = 0;
  const counting = {
    length: path.length,
    indexOf: (text: string, from: number) => path.indexOf(text, from),
    slice: (from: number, to: number) => {
      cuts += 1;
      return path.slice(from, to);
    },
  };
  expect(trie.deepest(counting as unknown as string).value).toBeUndefined();
  expect(cuts).toBe(4);
});
