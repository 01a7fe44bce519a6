import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byCodeUnits, canonicalJson, digestOf, remember } from "../../../mesh-runtime/policy/canonical.ts";

/** The same value with members in another order. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, shuffled(member)]),
  );
}

describe("canonical JSON", () => {
  test("orders members by name, leaves out undefined ones and white space", () => {
    expect(canonicalJson({ b: [1, { d: null, c: "é" }], a: undefined, B: true })).toBe(
      '{"B":true,"b":[1,{"c":"é","d":null}]}',
    );
  });

  test("is JSON of the same value, whatever the order was", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = canonicalJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(shuffled(value))).toBe(text);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 1, undefined, Symbol("x")])(
    "refuses %s, which JSON cannot say",
    (value) => {
      expect(() => canonicalJson([value])).toThrow(TypeError);
    },
  );

  test("writes a remembered object once, and the bytes are the same", () => {
    const shared = { b: 1, a: 2 };
    const memo = new WeakMap<object, string>();
    remember(memo, shared);
    shared.a = 3;
    expect(canonicalJson({ x: shared, y: shared }, memo)).toBe('{"x":{"a":2,"b":1},"y":{"a":2,"b":1}}');
  });
});

test("names are ordered by code units, the same everywhere", () => {
  expect(["b", "a", "B", "é", "ab"].sort(byCodeUnits)).toEqual(["B", "a", "ab", "b", "é"]);
});

test("a digest is SHA-256 of the UTF-8 bytes, in hex", async () => {
  expect(await digestOf("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(await digestOf("é")).not.toBe(await digestOf("e"));
});
