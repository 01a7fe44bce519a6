import { expect, test } from "vitest";
import { pathMatches } from "../../../mesh-runtime/routing/path-match.ts";
import { exact, expression, prefix } from "./examples.ts";

const pathOf = (path: string): string => new URL(`http://shop.example.com${path}`).pathname;

test.each([
  ["/v2", "/v2", true],
  ["/v2", "/v2/", true],
  ["/v2", "/v2/x", true],
  ["/v2", "/v2example", false],
  ["/v2", "/v", false],
  ["/v2", "/V2", false],
  ["/v2", "/a/v2", false],
  ["/v2/", "/v2", true],
  ["/v2/", "/v2/x", true],
  ["/v2/", "/v2example", false],
  ["/", "/", true],
  ["/", "/anything", true],
  ["/", "//", true],
  ["/a", "//a", false],
  ["/a/b", "/a//b", false],
  ["/a", "/a//b", true],
])("the prefix %s and the path %s: %s", (value, path, expected) => {
  expect(pathMatches(prefix(value), pathOf(path))).toBe(expected);
});

test.each([
  ["/one", "/one", true],
  ["/one", "/one/", false],
  ["/one", "/One", false],
  ["/one", "/one/more", false],
  ["/one/", "/one/", true],
  ["/one/", "/one", false],
  ["/", "/", true],
])("the exact path %s and the path %s: %s", (value, path, expected) => {
  expect(pathMatches(exact(value), pathOf(path))).toBe(expected);
});

test("an encoded slash separates nothing, so nobody reaches a rule by hiding a separator", () => {
  expect(pathMatches(prefix("/admin"), pathOf("/admin%2Fusers"))).toBe(false);
  expect(pathMatches(prefix("/public"), pathOf("/public/..%2Fadmin"))).toBe(true);
  expect(pathMatches(exact("/a/b"), pathOf("/a%2fb"))).toBe(false);
});

test("encoded letters are not decoded before they are compared", () => {
  expect(pathMatches(exact("/admin"), pathOf("/%61dmin"))).toBe(false);
  expect(pathMatches(prefix("/caf%C3%A9"), pathOf("/café/menu"))).toBe(true);
});

test("dot segments have been resolved before, encoded ones among them", () => {
  expect(pathMatches(prefix("/admin"), pathOf("/public/../admin"))).toBe(true);
  expect(pathMatches(prefix("/admin"), pathOf("/public/%2e%2E/admin"))).toBe(true);
  expect(pathMatches(prefix("/public"), pathOf("/public/%2e%2e/admin"))).toBe(false);
});

test.each([
  ["/v[12]", "/v2", true],
  ["/v[12]", "/v2/", false],
  ["/v[12]", "/a/v2", false],
  ["^/v[12]/.*$", "/v2/a/b?c=d", true],
  ["(?i)/V2", "/v2", true],
  ["/caf.*", "/café", true],
  ["/café", "/café", false],
  ["/caf%C3%A9", "/café", true],
  ["/a/.*", "/a/../b", false],
])("the expression %s and the path %s: %s", (value, path, expected) => {
  expect(pathMatches(expression(value), pathOf(path))).toBe(expected);
});
