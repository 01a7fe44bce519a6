import { describe, expect, test } from "vitest";
import { hashOf, mixed } from "../../../../mesh-runtime/routing/balancing/hash.ts";
import { hashKeyOf } from "../../../../mesh-runtime/routing/balancing/hash-key.ts";
import { cookieValues } from "../../../../mesh-runtime/routing/cookies.ts";
import type { HashOn } from "../../../../mesh-runtime/routing/words.ts";

const asking = (headers: HeadersInit = {}, path = "/") => ({
  url: new URL(path, "http://shop"),
  headers: new Headers(headers),
});

describe("requests are kept together", () => {
  test.each<[HashOn, ReturnType<typeof asking>, string]>([
    [{ type: "header", name: "x-user" }, asking({ "X-User": "ann" }), "ann"],
    [{ type: "cookie", name: "cart" }, asking({ cookie: "a=1; cart=7; cart=8" }), "7"],
    [{ type: "query", name: "id" }, asking({}, "/?Id=0&id=7&id=8"), "7"],
    [{ type: "sourceAddress" }, asking({ "x-forwarded-for": "2001:db8::1, 10.0.0.1" }), "2001:db8::1"],
    [
      { type: "sourceAddress" },
      asking({ "cf-connecting-ip": "10.0.0.1", "x-forwarded-for": "10.0.0.9" }),
      "10.0.0.9",
    ],
    [{ type: "sourceAddress" }, asking({ "cf-connecting-ip": "10.0.0.1" }), "10.0.0.1"],
  ])("by %j", (on, request, expected) => {
    expect(hashKeyOf(request, on)).toBe(hashOf(expected));
  });

  test.each<[HashOn, ReturnType<typeof asking>]>([
    [{ type: "header", name: "x-user" }, asking()],
    [{ type: "header", name: "x-user" }, asking({ "x-user": "" })],
    [{ type: "cookie", name: "cart" }, asking({ cookie: "carts=1" })],
    [{ type: "query", name: "id" }, asking({}, "/?ID=1")],
    [{ type: "sourceAddress" }, asking()],
  ])("not by %j where a request does not say it", (on, request) => {
    expect(hashKeyOf(request, on)).toBeUndefined();
  });
});

describe("cookies", () => {
  test.each([
    [null, []],
    ["a=1", ["1"]],
    ['b=2;a=1 ; a="3"', ["1", "3"]],
    ["a=1=2", ["1=2"]],
    ["a", []],
    ["=a; xa=1; a=", [""]],
    ["A=1", []],
  ])("of %j", (header, expected) => {
    expect(cookieValues(header, "a")).toEqual(expected);
  });

  test("beyond what any browser sends are not looked through", () => {
    expect(cookieValues(`a=1; b=${"x".repeat(17_000)}`, "a")).toEqual([]);
  });
});

test("hashes tell names apart that differ little, and mix evenly", () => {
  const names = Array.from({ length: 5_000 }, (_, index) => `endpoint-${index}`);
  expect(new Set(names.map(hashOf)).size).toBe(names.length);
  const points = names.map((name) => mixed(hashOf(name), 12_345));
  expect(points.every((point) => point > 0 && point < 1)).toBe(true);
  const mean = points.reduce((sum, point) => sum + point, 0) / points.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
});
