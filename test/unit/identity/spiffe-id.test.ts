import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  isWorkloadName,
  parseSpiffeId,
  workloadId,
  workloadOf,
} from "../../../mesh-runtime/identity/spiffe-id.ts";

const seed = { seed: 20_260, numRuns: 300 };
const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const segment = fc.stringMatching(/^[A-Za-z0-9._-]{1,12}$/).filter((text) => text !== "." && text !== "..");

describe("parseSpiffeId()", () => {
  test("takes an ID apart and keeps its text", () => {
    expect(parseSpiffeId("spiffe://example.org/ns/default/sa/web")).toEqual({
      ok: true,
      value: {
        trustDomain: "example.org",
        path: "/ns/default/sa/web",
        uri: "spiffe://example.org/ns/default/sa/web",
      },
    });
    expect(parseSpiffeId("spiffe://example.org")).toMatchObject({ ok: true, value: { path: "" } });
  });

  test.each([
    ["empty text", ""],
    ["another scheme", "wimse://example.org/a"],
    ["scheme in upper case", "SPIFFE://example.org/a"],
    ["no trust domain", "spiffe:///ns/a/sa/b"],
    ["trust domain in upper case", "spiffe://Example.org/a"],
    ["a port", "spiffe://example.org:443/a"],
    ["a user", "spiffe://me@example.org/a"],
    ["a query", "spiffe://example.org/a?b"],
    ["a fragment", "spiffe://example.org/a#b"],
    ["percent-encoding", "spiffe://example.org/%70ayment"],
    ["percent-encoding in the trust domain", "spiffe://ex%61mple.org/a"],
    ["a dot segment", "spiffe://example.org/a/./b"],
    ["a double-dot segment", "spiffe://example.org/a/../b"],
    ["an empty segment", "spiffe://example.org//a"],
    ["a trailing slash", "spiffe://example.org/a/"],
    ["a lone slash", "spiffe://example.org/"],
    ["a homoglyph", "spiffe://example.org/p\u0430yments"],
    ["the Kelvin sign", "spiffe://example.org/\u212A"],
    ["NUL", "spiffe://example.org/a\u0000"],
    ["a line feed at the end", "spiffe://example.org/a\n"],
    ["a blank at the front", " spiffe://example.org/a"],
    ["2,049 bytes", `spiffe://example.org/${"a".repeat(2_028)}`],
    ["a trust domain of 256 bytes", `spiffe://${"a".repeat(256)}/a`],
  ])("refuses %s", (_, text) => {
    expect(parseSpiffeId(text).ok).toBe(false);
  });

  test("takes 2,048 bytes", () => {
    expect(parseSpiffeId(`spiffe://example.org/${"a".repeat(2_027)}`).ok).toBe(true);
  });

  test("accepts exactly the path characters that the standard lists", () => {
    for (let code = 0; code < 0x180; code++) {
      const char = String.fromCharCode(code);
      expect([code, parseSpiffeId(`spiffe://example.org/a${char}b`).ok]).toEqual([
        code,
        /[A-Za-z0-9._/-]/.test(char),
      ]);
    }
  });

  test("accepts exactly the trust domain characters that the standard lists", () => {
    for (let code = 0; code < 0x180; code++) {
      const char = String.fromCharCode(code);
      expect([code, parseSpiffeId(`spiffe://a${char}b`).ok]).toEqual([code, /[a-z0-9._/-]/.test(char)]);
    }
  });

  test("what parses is its own spelling, and URL parsing does not change it", () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z0-9._-]{1,20}$/),
        fc.array(segment, { maxLength: 5 }),
        (domain, path) => {
          const text = `spiffe://${domain}${path.map((each) => `/${each}`).join("")}`;
          const parsed = parseSpiffeId(text);
          expect(parsed.ok && `spiffe://${parsed.value.trustDomain}${parsed.value.path}`).toBe(text);
          expect(new URL(text).href).toBe(text);
        },
      ),
      seed,
    );
  });
});

describe("workloadId() and workloadOf()", () => {
  test("are each other's inverse", () => {
    fc.assert(
      fc.property(name, name, (namespace, service) => {
        expect(workloadOf(workloadId("example.org", namespace, service))).toEqual({ namespace, service });
      }),
      seed,
    );
  });

  test("never let one workload's name be another's ID", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (namespace, service) => {
        fc.pre(!isWorkloadName(namespace) || !isWorkloadName(service));
        expect(() => workloadId("example.org", namespace, service)).toThrow(TypeError);
      }),
      seed,
    );
  });

  test.each([
    "spiffe://example.org",
    "spiffe://example.org/ns/default",
    "spiffe://example.org/ns/default/sa/web/more",
    "spiffe://example.org/sa/web/ns/default",
    "spiffe://example.org/ns/Default/sa/web",
    "spiffe://example.org/ns/a.b/sa/web",
    "spiffe://example.org/NS/default/sa/web",
  ])("%s names no workload", (text) => {
    const id = parseSpiffeId(text);
    expect(id.ok && workloadOf(id.value)).toBe(undefined);
  });
});
