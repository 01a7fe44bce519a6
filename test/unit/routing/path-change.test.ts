import fc from "fast-check";
import { expect, test } from "vitest";
import { changePath } from "../../../mesh-runtime/routing/path-change.ts";
import { exact, matched, prefix } from "./examples.ts";

/** The table of Gateway API's `HTTPPathModifier.replacePrefixMatch`, and what follows from it. */
test.each([
  ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
  ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo/", "/xyz/", "/xyz/bar"],
  ["/foo", "/foo", "/xyz", "/xyz"],
  ["/foo/", "/foo", "/xyz", "/xyz/"],
  ["/foo/bar", "/foo", "", "/bar"],
  ["/foo/", "/foo", "", "/"],
  ["/foo", "/foo", "", "/"],
  ["/foo/", "/foo", "/", "/"],
  ["/foo", "/foo", "/", "/"],
  ["/foo/bar", "/foo", "/", "/bar"],
  ["/foo", "/", "/xyz", "/xyz/foo"],
  ["/", "/", "/xyz", "/xyz/"],
  ["/foo//evil.org", "/foo", "/", "/evil.org"],
  ["//evil.org", "/", "", "/evil.org"],
  ["/foo%2Fbar/x", "/foo%2Fbar", "/xyz", "/xyz/x"],
])("%s with the prefix %s replaced by %j becomes %s", (path, value, replacement, expected) => {
  const change = { type: "ReplacePrefixMatch", value: replacement } as const;
  expect(changePath(path, change, matched(prefix(value)))).toBe(expected);
});

test("replacing the full path leaves nothing of the old one", () => {
  const change = { type: "ReplaceFullPath", value: "/one" } as const;
  expect(changePath("/full/one/two", change, matched(prefix("/full")))).toBe("/one");
});

test("a path that no longer begins with the matched prefix stays", () => {
  const change = { type: "ReplacePrefixMatch", value: "/xyz" } as const;
  expect(changePath("/rewritten/x", change, matched(prefix("/foo")))).toBe("/rewritten/x");
  expect(changePath("/food", change, matched(prefix("/foo")))).toBe("/food");
});

test("of an exact match the whole path is replaced", () => {
  const change = { type: "ReplacePrefixMatch", value: "/xyz" } as const;
  expect(changePath("/foo", change, matched(exact("/foo")))).toBe("/xyz");
});

test("no replacement of a prefix makes a path that could be read as another host", () => {
  const segment = fc.constantFrom("", "a", "evil.org");
  const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join("/")}`);
  fc.assert(
    fc.property(
      path,
      fc.constantFrom("/", "/a", "/a/"),
      fc.constantFrom("", "/", "/b", "/b/"),
      (from, at, to) => {
        fc.pre(!from.startsWith("//") || at === "/");
        const after = changePath(from, { type: "ReplacePrefixMatch", value: to }, matched(prefix(at)));
        expect(after).toMatch(/^\/(?!\/)/);
      },
    ),
    { seed: 22, numRuns: 500 },
  );
});
