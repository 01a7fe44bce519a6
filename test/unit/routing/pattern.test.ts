import fc from "fast-check";
import { RE2JS } from "re2js";
import { expect, test } from "vitest";
import { compilePattern } from "../../../mesh-runtime/policy/compile-pattern.ts";
import { patternMatches } from "../../../mesh-runtime/routing/pattern.ts";
import type { Pattern } from "../../../mesh-runtime/routing/words.ts";
import { anyPattern, anyText } from "./any-pattern.ts";

function compiled(source: string): Pattern {
  const pattern = compilePattern(source);
  if (!pattern.ok) throw new Error(pattern.reason);
  return pattern.value;
}

const matches = (source: string, text: string): boolean => patternMatches(compiled(source), text);

test.each([
  ["/api/v[0-9]+", "/api/v1", true],
  ["/api/v[0-9]+", "/api/v1/users", false],
  ["/api/v[0-9]+", "/x/api/v1", false],
  ["^/api/v[0-9]+$", "/api/v12", true],
  ["/api/.*", "/api/", true],
  ["/api/.*", "/api", false],
  ["/api(/.*)?", "/api", true],
  [".*\\.(png|jpe?g)", "/a/b.jpeg", true],
  [".*\\.(png|jpe?g)", "/a/b.jpeg2", false],
  ["(?i)/API/.*", "/api/x", true],
  ["/API/.*", "/api/x", false],
  ["/[[:alpha:]]+/\\d{2,3}", "/abc/12", true],
  ["/[[:alpha:]]+/\\d{2,3}", "/abc/1234", false],
  ["/(?P<name>[^/]+)/x", "/any/x", true],
  ["/.*?/x", "/a/b/x", true],
  ["\\bfoo\\b", "foo", true],
  ["foo\\b.*", "foobar", false],
  ["foo\\b.*", "foo bar", true],
  [".", "😀", true],
  [".", "\n", false],
  ["(?s).", "\n", true],
  ["\\x{1F600}|\\pL", "é", true],
  ["", "", true],
  ["", "a", false],
  ["a|", "", true],
  ["\\Qa.b\\E", "a.b", true],
  ["\\Qa.b\\E", "axb", false],
  ["[^/]+", "", false],
])("the expression %j and the whole of %j: %s", (source, text, expected) => {
  expect(matches(source, text)).toBe(expected);
});

test("an expression falls on the same texts as with RE2", () => {
  let held = 0;
  fc.assert(
    fc.property(anyPattern, fc.array(anyText, { minLength: 4, maxLength: 8 }), (source, texts) => {
      const pattern = compilePattern(source);
      fc.pre(pattern.ok || !pattern.reason.includes("too large"));
      const oracle = RE2JS.compile(source);
      for (const text of texts) {
        const expected = oracle.testExact(text);
        expect(pattern.ok && patternMatches(pattern.value, text), JSON.stringify(text)).toBe(expected);
        held += Number(expected);
      }
    }),
    { seed: 22, numRuns: 500 },
  );
  expect(held).toBeGreaterThan(150);
});

test("an expression falls on the same texts after it has met more of them than it keeps", () => {
  const source = "(?:[ab]*a[ab]{9}|.*\\b/)";
  const pattern = compiled(source);
  const oracle = RE2JS.compile(source);
  const text = fc.string({ unit: fc.constantFrom("a", "b", "b", "/"), minLength: 30, maxLength: 60 });
  const texts = fc.sample(text, { seed: 22, numRuns: 400 });
  for (const each of texts) expect(patternMatches(pattern, each)).toBe(oracle.testExact(each));
});

/** How often instructions were looked at while a text was read. */
function looks(source: string, text: string): number {
  let count = 0;
  const pattern = compiled(source);
  const program = new Proxy(pattern.program, {
    get(target, name, receiver) {
      if (/^\d/.test(String(name))) count += 1;
      return Reflect.get(target, name, receiver);
    },
  });
  patternMatches({ ...pattern, program }, text);
  return count;
}

// Each takes time exponential or quadratic in the text's length where a matcher goes back.
test.each([
  ["(a+)+$", `${"a".repeat(50_000)}!`],
  ["(a|a)*b", "a".repeat(50_000)],
  ["(.*)*x", "a".repeat(50_000)],
  ["(a?){100}a{100}", "a".repeat(50_000)],
  ["(x+x+)+y", "x".repeat(50_000)],
  [".*.*.*=.*", "x".repeat(50_000)],
  ["([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}", "a".repeat(50_000)],
])("%s looks at no instruction for a text that goes on as it began", (source, text) => {
  const few = looks(source, text.slice(0, 1_000));
  expect(looks(source, text)).toBeLessThanOrEqual(few + 100);
});

test("a text that always leads to new states costs at most its length times the program", () => {
  const source = "(?:[ab]*a[ab]{200})";
  const [text = ""] = fc.sample(
    fc.string({ unit: fc.constantFrom("a", "b"), minLength: 8_000, maxLength: 8_000 }),
    { seed: 22, numRuns: 1 },
  );
  const instructions = compiled(source).program.length / 3;
  // Three numbers of each instruction where it is come to, and one where it reads, with what the first look at all takes.
  const bound = (length: number) => 5 * instructions * (length + 2);
  const [whole, half] = [looks(source, text), looks(source, text.slice(0, 4_000))];
  expect(whole).toBeLessThan(bound(8_000));
  expect(whole).toBeGreaterThan(8_000);
  expect(whole / half).toBeLessThan(2.2);
});

test("whatever a program says, it ends", () => {
  const number = fc.integer({ min: -5, max: 12 });
  fc.assert(
    fc.property(
      fc.record({
        prefix: fc.constantFrom("", "a"),
        classes: fc.array(fc.array(fc.integer({ min: 90, max: 110 })), { maxLength: 4 }),
        program: fc.array(number, { maxLength: 30 }),
      }),
      anyText,
      (pattern, text) => {
        expect(patternMatches(pattern, text)).toBeTypeOf("boolean");
      },
    ),
    { seed: 22, numRuns: 500 },
  );
});

test("a program without instructions falls on nothing, and neither does one that is not known", () => {
  expect(patternMatches({ prefix: "", classes: [], program: [] }, "")).toBe(false);
  expect(patternMatches({ prefix: "", classes: [], program: [-9, 0, 0] }, "")).toBe(false);
});
