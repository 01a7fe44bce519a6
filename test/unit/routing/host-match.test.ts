import fc from "fast-check";
import { expect, test } from "vitest";
import { bareHost, hostIndex, hostMatches } from "../../../mesh-runtime/routing/host-match.ts";

test.each([
  ["a.com", "a.com"],
  ["A.Com:8080", "a.com"],
  ["[::1]", "[::1]"],
  ["[::1]:80", "[::1]"],
  ["", ""],
])("the host of %s is %s", (written, bare) => {
  expect(bareHost(written)).toBe(bare);
});

test.each([
  ["*.a.com", "x.a.com", true],
  ["*.a.com", "x.y.a.com", true],
  ["*.a.com", "X.A.COM:443", true],
  ["*.a.com", "a.com", false],
  ["*.a.com", ".a.com", false],
  ["*.a.com", "xa.com", false],
  ["*.a.com", "x.a.com.evil.org", false],
  ["a.com", "a.com:8080", true],
  ["A.com", "a.com", true],
  ["a.com", "x.a.com", false],
  [undefined, "anything.org", true],
])("the pattern %s and the host %s: %s", (pattern, host, expected) => {
  expect(hostMatches(pattern, host)).toBe(expected);
});

const entries = ["*.com", "*.a.com", "a.com", "x.a.com", "*.y.a.com"].map((hostname) => ({
  hostname,
  value: hostname,
}));
const find = hostIndex([{ value: "every host" }, ...entries]);

test.each([
  ["x.a.com", "x.a.com"],
  ["X.A.com:8443", "x.a.com"],
  ["z.a.com", "*.a.com"],
  ["z.x.a.com", "*.a.com"],
  ["z.y.a.com", "*.y.a.com"],
  ["y.a.com", "*.a.com"],
  ["a.com", "a.com"],
  ["b.com", "*.com"],
  ["com", "every host"],
  [".com", "every host"],
  ["b.org", "every host"],
])("for %s the entry %s is the most specific", (host, expected) => {
  expect(find(host)).toBe(expected);
});

test("where no entry is for every host, an unknown host finds nothing", () => {
  expect(hostIndex(entries)("b.org")).toBeUndefined();
  expect(hostIndex([])("b.org")).toBeUndefined();
});

test("of several entries with one hostname the first counts", () => {
  const twice = [
    { hostname: "a.com", value: 1 },
    { hostname: "A.com", value: 2 },
    { value: 3 },
    { value: 4 },
  ];
  expect([hostIndex(twice)("a.com"), hostIndex(twice)("b.com")]).toEqual([1, 3]);
});

test("the index finds the longest exact pattern that matches, then the longest wildcard", () => {
  const label = fc.constantFrom("a", "b", "com", "");
  const host = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join("."));
  const hostname = fc.tuple(fc.constantFrom("", "*."), host).map((parts) => parts.join(""));
  const lengthOf = (pattern: string): number => pattern.length + (pattern.startsWith("*.") ? 0 : 1_000);
  fc.assert(
    fc.property(fc.array(hostname, { maxLength: 12 }), host, (patterns, asked) => {
      const matching = patterns.filter((pattern) => hostMatches(pattern, asked));
      const [best] = matching.sort((a, b) => lengthOf(b) - lengthOf(a));
      expect(hostIndex(patterns.map((each) => ({ hostname: each, value: each })))(asked)).toBe(best);
    }),
    { seed: 22, numRuns: 1_000 },
  );
});
