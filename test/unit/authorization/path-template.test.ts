import { expect, test } from "vitest";
import { templateMatches } from "../../../mesh-runtime/authorization/path-template.ts";

test.each([
  ["/a/{*}", "/a/b", true],
  ["/a/{*}", "/a/", false],
  ["/a/{*}", "/a/b/c", false],
  ["/{*}", "/a//b", false],
  ["/a/{**}", "/a/", true],
  ["/a/{**}", "/a", false],
  ["/a/{**}", "/a/b/c/", true],
  ["/a/{**}/z", "/a/z", false],
  ["/a/{**}/z", "/a/b/z", true],
  ["/a/{**}/{*}/z", "/a/b/c/z", true],
  ["/a/{**}/{*}/z", "/a/b//z", false],
  ["/{**}", "/", true],
])("the template %s fits %s: %j", (template, path, expected) => {
  expect(templateMatches(template, path)).toBe(expected);
});
