import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalOrigin, originMatches } from "../../../mesh-runtime/routing/origin-match.ts";

const matches = (allowed: string, origin: string): boolean =>
  originMatches(canonicalOrigin(allowed), canonicalOrigin(origin));

test.each([
  ["*", "https://foobar.com"],
  ["*", "https://foobar.com:12345"],
  ["*", "null"],
  ["https://www.foo.com", "https://www.foo.com"],
  ["https://WWW.foo.com", "HTTPS://www.Foo.com"],
  ["https://www.foo.com", "https://www.foo.com:443"],
  ["https://www.foo.com:443", "https://www.foo.com"],
  ["http://www.foo.com:80", "http://www.foo.com"],
  ["https://www.foo.com:8443", "https://www.foo.com:8443"],
  ["https://*.bar.com", "https://www.bar.com"],
  ["https://*.bar.com", "https://xpto.www.bar.com"],
  ["https://*.bar.com:8443", "https://a.bar.com:8443"],
  ["https://*", "https://anything.example"],
  ["https://*", "https://[2001:db8::1]"],
  ["https://*:8443", "https://anything.example:8443"],
])("%s takes in %s", (allowed, origin) => {
  expect(matches(allowed, origin)).toBe(true);
});

test.each([
  ["https://www.foo.com", "http://www.foo.com", "scheme"],
  ["https://www.foo.com", "https://www.foo.com:8443", "port"],
  ["https://www.foo.com:80", "https://www.foo.com", "port that another scheme implies"],
  ["https://www.foo.com", "https://www.foo.com.evil.org", "host that begins so"],
  ["https://www.foo.com", "https://evilwww.foo.com", "host that ends so"],
  ["https://*.bar.com", "https://bar.com", "nothing in the place of the label"],
  ["https://*.bar.com", "https://.bar.com", "an empty label"],
  ["https://*.bar.com", "https://foobar.com", "no dot before the rest"],
  ["https://*.bar.com", "https://www.bar.com:8443", "another port"],
  ["https://*.bar.com", "http://www.bar.com", "another scheme"],
  ["https://*.bar.com", "https://evil.org/.bar.com", "a path, which no origin has"],
  ["https://*.bar.com", "https://evil.org:1.bar.com", "a port in the middle"],
  ["https://*.bar.com", "https://user@x.bar.com", "user information"],
  ["https://*", "https://anything.example:8443", "a port that it does not name"],
  ["https://*", "http://anything.example", "another scheme"],
  ["https://*", "null", "an opaque origin"],
])("%s does not take in %s: %s", (allowed, origin) => {
  expect(matches(allowed, origin)).toBe(false);
});

test("what a star stands for is never more than a host", () => {
  const part = fc.constantFrom("a", ".", ":", "/", "@", "bar.com", "https://", "80", "[", "]", "#");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const origin = `https://${parts.join("")}.bar.com`;
      if (!originMatches("https://*.bar.com", origin)) return;
      const star = origin.slice("https://".length, -".bar.com".length);
      expect(star).toMatch(/^[a-z.\d]+$|^\[[\da-f.:]+\]$/);
    }),
    { seed: 17, numRuns: 500 },
  );
});
