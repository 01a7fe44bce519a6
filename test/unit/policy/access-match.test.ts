import { describe, expect, test } from "vitest";
import type { PathMatch } from "../../../mesh-runtime/authorization/words.ts";
import type { Result } from "../../../mesh-runtime/foundation/result.ts";
import {
  methodMatch,
  namespaceMatch,
  pathMatch,
  principalMatch,
} from "../../../mesh-runtime/policy/access-match.ts";

const short = (result: Result<PathMatch, string>): string => {
  if (!result.ok) return "refused";
  return result.value.type === "present" ? "present" : `${result.value.type} ${result.value.value}`;
};

describe("a principal", () => {
  test.each([
    ["mesh.local/ns/default/sa/web", "exact spiffe://mesh.local/ns/default/sa/web"],
    ["spiffe://mesh.local/ns/default/sa/web", "exact spiffe://mesh.local/ns/default/sa/web"],
    ["*", "present"],
    ["mesh.local/ns/default/*", "prefix spiffe://mesh.local/ns/default/"],
    ["spiffe://mesh.local/*", "prefix spiffe://mesh.local/"],
    ["spiffe://*", "prefix spiffe://"],
    ["*/sa/web", "suffix /sa/web"],
    ["spiffe://Mesh.local/ns/default/sa/web", "refused"],
    ["mesh.local//ns", "refused"],
    ["mesh.local/ns/../sa", "refused"],
    ["mesh.local/ns/a b*", "refused"],
    ["http://mesh.local/x", "refused"],
    ["spiffe:*", "refused"],
    ["*a*", "refused"],
    ["a*b", "refused"],
    ["**", "refused"],
    ["", "refused"],
  ])("%j is %s", (written, expected) => {
    expect(short(principalMatch(written))).toBe(expected);
  });
});

describe("a path", () => {
  test.each([
    ["/admin", "exact /admin"],
    ["/admin*", "prefix /admin"],
    ["/admin/*", "prefix /admin/"],
    ["/*", "prefix /"],
    ["*", "present"],
    ["*/info", "suffix /info"],
    ["*.html", "suffix .html"],
    ["/café", "exact /caf%C3%A9"],
    ["/%61dmin*", "prefix /admin"],
    ["*é", "suffix %C3%A9"],
    ["admin", "refused"],
    ["/a?b=1", "refused"],
    ["/a#b", "refused"],
    ["/a//b", "refused"],
    ["/a/../b", "refused"],
    ["/a%2fb", "refused"],
    ["/caf%C3*", "refused"],
    ["/{*}/admin", "template /{*}/admin"],
    ["/%61/{**}", "template /a/{**}"],
    ["/{**}/a/b", "template /{**}/a/b"],
    ["/x{*}", "refused"],
    ["/{*}/*", "refused"],
    ["/{**}/{*}", "refused"],
    ["/{}", "refused"],
    ["{*}", "refused"],
    ["/{*}?a", "refused"],
    ["*/a*", "refused"],
  ])("%j is %s", (written, expected) => {
    expect(short(pathMatch(written))).toBe(expected);
  });
});

test.each([
  ["GET", "exact GET"],
  ["M-SEARCH", "exact M-SEARCH"],
  ["P*", "prefix P"],
  ["*", "present"],
  ["get", "refused"],
  ["G ET", "refused"],
])("the method %j is %s", (written, expected) => {
  expect(short(methodMatch(written))).toBe(expected);
});

test.each([
  ["default", "exact default"],
  ["team-*", "prefix team-"],
  ["*", "present"],
  ["Default", "refused"],
  ["a/b", "refused"],
])("the namespace %j is %s", (written, expected) => {
  expect(short(namespaceMatch(written))).toBe(expected);
});
