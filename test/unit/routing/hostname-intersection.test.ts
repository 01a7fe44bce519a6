import fc from "fast-check";
import { expect, test } from "vitest";
import { hostMatches } from "../../../mesh-runtime/routing/host-match.ts";
import { boundHostnames, intersectHostname } from "../../../mesh-runtime/routing/hostname-intersection.ts";

test.each([
  ["a.com", "a.com", "a.com"],
  ["A.com", "a.COM", "a.com"],
  ["a.com", "b.com", "nothing"],
  ["x.a.com", "*.a.com", "x.a.com"],
  ["x.y.a.com", "*.a.com", "x.y.a.com"],
  ["a.com", "*.a.com", "nothing"],
  ["*.a.com", "x.a.com", "x.a.com"],
  ["*.a.com", "a.com", "nothing"],
  ["*.a.com", "*.a.com", "*.a.com"],
  ["*.x.a.com", "*.a.com", "*.x.a.com"],
  ["*.a.com", "*.x.a.com", "*.x.a.com"],
  ["*.a.com", "*.b.com", "nothing"],
  ["*.a.com", "*.xa.com", "nothing"],
  ["a.com", undefined, "a.com"],
  [undefined, "*.a.com", "*.a.com"],
  [undefined, undefined, "every host"],
])("the route's %s at the listener's %s: %s", (route, listener, expected) => {
  const bound = intersectHostname(route, listener);
  expect(bound === undefined ? "nothing" : (bound.hostname ?? "every host")).toBe(expected);
});

test("a route without hostnames takes what the listener takes", () => {
  expect(boundHostnames([], "*.a.com")).toEqual([{ hostname: "*.a.com" }]);
  expect(boundHostnames([], undefined)).toEqual([{}]);
});

test("a route is bound to each common hostname once, and to none if there is none", () => {
  expect(boundHostnames(["x.a.com", "*.a.com", "b.com"], "x.a.com")).toEqual([{ hostname: "x.a.com" }]);
  expect(boundHostnames(["x.a.com", "*.y.a.com", "b.com"], "*.a.com")).toEqual([
    { hostname: "x.a.com" },
    { hostname: "*.y.a.com" },
  ]);
  expect(boundHostnames(["b.com"], "*.a.com")).toEqual([]);
});

test("a host falls under the intersection exactly when it falls under both", () => {
  const host = fc
    .array(fc.constantFrom("a", "b", "com"), { minLength: 1, maxLength: 4 })
    .map((labels) => labels.join("."));
  const hostname = fc.option(
    fc.tuple(fc.constantFrom("", "*."), host).map((parts) => parts.join("")),
    { nil: undefined },
  );
  fc.assert(
    fc.property(hostname, hostname, host, (route, listener, asked) => {
      const bound = intersectHostname(route, listener);
      const common = bound !== undefined && hostMatches(bound.hostname, asked);
      expect(common).toBe(hostMatches(route, asked) && hostMatches(listener, asked));
    }),
    { seed: 22, numRuns: 1_000 },
  );
});
