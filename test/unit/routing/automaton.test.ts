import fc from "fast-check";
import { RE2JS } from "re2js";
import { beforeEach, expect, test } from "vitest";
import { compilePattern } from "../../../mesh-runtime/policy/compile-pattern.ts";
import {
  finderOf,
  forget,
  keeps,
  keptBytes,
  maxKept,
  maxTaught,
  patternMatches,
} from "../../../mesh-runtime/routing/automaton.ts";
import { readPatterns } from "../../../mesh-runtime/routing/pattern.ts";
import type { Pattern } from "../../../mesh-runtime/routing/words.ts";
import { anyPattern, anyText } from "./any-pattern.ts";
import { steps } from "./noted.ts";

beforeEach(forget);

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

/** How often instructions were looked at while a text was read, by an automaton that knew nothing. */
function looks(source: string, text: string): number {
  const pattern = compiled(source);
  forget();
  return steps(() => patternMatches(pattern, text));
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
  const instructions = (readPatterns([compiled(source)])[0]?.program.length ?? Number.NaN) / 3;
  // Each instruction once for a character, with what making the automaton and its states takes.
  const bound = (length: number) => instructions * (length + 10) + 4 * maxTaught;
  const [whole, half] = [looks(source, text), looks(source, text.slice(0, 4_000))];
  expect(whole).toBeLessThan(bound(8_000));
  expect(whole).toBeGreaterThan(8_000);
  expect(whole / half).toBeLessThan(2.2);
});

test("whatever a program says, it ends", () => {
  const number = fc.oneof(fc.integer({ min: -5, max: 12 }), fc.integer({ min: -120, max: -106 }));
  fc.assert(
    fc.property(
      fc.record({
        prefix: fc.constantFrom("", "a"),
        program: fc.oneof(
          {
            arbitrary: fc
              .tuple(
                fc.array(number, { maxLength: 30 }),
                fc.array(fc.array(fc.integer({ min: 90, max: 110 })), { maxLength: 4 }),
              )
              .map(([program, classes]) => JSON.stringify([program, ...classes])),
            weight: 9,
          },
          fc.oneof(fc.json(), fc.string()),
        ),
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
  expect(patternMatches({ prefix: "", program: "[[]]" }, "")).toBe(false);
  expect(patternMatches({ prefix: "", program: "[[-9,0,0]]" }, "")).toBe(false);
});

/** Texts between which an automaton is made to forget, or to find that it has no more room. */
const amid = { nothing: () => undefined, forgetting: forget, fullness: () => keeps(maxKept + 1) };

test.each(Object.entries(amid))(
  "many expressions at once fall on the texts that each falls on alone, amid %s",
  (_, disturb) => {
    let held = 0;
    const beginnings = fc.constantFrom("", "/", "/a", ".*", "(a|b)*", "[^/]+/", "(?i)k", "a?b?");
    const withBeginnings = fc.array(
      fc.tuple(beginnings, anyPattern).map((parts) => parts.join("")),
      { minLength: 1, maxLength: 10 },
    );
    const endings = fc.array(anyPattern, { minLength: 2, maxLength: 6 });
    const withOneBeginning = fc
      .tuple(anyPattern, endings)
      .map(([beginning, ends]) => ends.map((end) => beginning + end));
    fc.assert(
      fc.property(
        fc.oneof(withBeginnings, withOneBeginning),
        fc.array(anyText, { minLength: 3, maxLength: 6 }),
        (sources, texts) => {
          const usable = sources.filter((source) => compilePattern(source).ok);
          const find = finderOf(usable.map(compiled));
          const oracles = usable.map((source) => RE2JS.compile(source));
          for (const text of texts) {
            const expected = [...oracles.keys()].filter((index) => oracles[index]?.testExact(text));
            expect(find(text), JSON.stringify([usable, text])).toEqual(expected);
            expect(find(text)).toEqual(expected);
            held += expected.length;
            disturb();
          }
        },
      ),
      { seed: 22, numRuns: 120 },
    );
    expect(held).toBeGreaterThan(100);
  },
);

const thousand = (source: (n: number) => string): readonly Pattern[] =>
  Array.from({ length: 1_000 }, (_, n) => compiled(source(n)));

// How the nth of a thousand is written, and a text that falls under it.
const families: readonly (readonly [string, (n: number) => string, (n: number) => string])[] = [
  ["/[a-z]+/x0", (n) => `/[a-z]+/x${n}`, (n) => `/items/x${n}`],
  ["/.*/v[0-9]+/thing0", (n) => `/.*/v[0-9]+/thing${n}`, (n) => `/a/b/v12/thing${n}`],
  [".*\\.x0", (n) => `.*\\.x${n}`, (n) => `/a/b.x${n}`],
  [
    "(?i)/(shop|cart)(/[a-z]+)*/item0",
    (n) => `(?i)/(shop|cart)(/[a-z]+)*/item${n}`,
    (n) => `/cart/a/b/ITEM${n}`,
  ],
  ["/team0[a-z]*(/.*)?", (n) => `/team${n}[a-z]*(/.*)?`, (n) => `/team${n}x/y`],
  ["/\\w+\\b-x0", (n) => `/\\w+\\b-x${n}`, (n) => `/some-x${n}`],
];

test.each(families)(
  "of a thousand such as %s a few instructions are looked at for a character, and none once they are known",
  (_, source, text) => {
    const find = finderOf(thousand(source));
    find(text(7));
    for (const n of [0, 10, 731, 999]) {
      const asked = text(n);
      expect(steps(() => expect(find(asked)).toContain(n))).toBeLessThan(40 * asked.length);
      const again = steps(() => find(asked));
      expect(again).toBe(0);
    }
    expect(find("/nothing/of/the/kind")).toEqual([]);
  },
);

test("the list of those that a text falls under is the same one for all texts with that answer", () => {
  const find = finderOf(["[a-z]+", "a.*", "[0-9]*"].map(compiled));
  expect(find("abc")).toEqual([0, 1]);
  expect(find("axyz")).toBe(find("abc"));
});

test("a text teaches so much and no more; what is beyond is read all the same", () => {
  const source = "[ab]*a[ab]{12}";
  const [text = ""] = fc.sample(
    fc.string({ unit: fc.constantFrom("a", "b"), minLength: 4_000, maxLength: 4_000 }),
    { seed: 5, numRuns: 1 },
  );
  const find = finderOf([compiled(source)]);
  const before = keptBytes();
  expect(find(text).length > 0).toBe(RE2JS.compile(source).testExact(text));
  const perState = 4_000;
  expect(keptBytes() - before).toBeLessThan(maxTaught * perState);
  const known = steps(() => find(text.slice(0, maxTaught / 2)));
  expect(known).toBe(0);
});

test("what is kept stays within its bound, whatever is asked", () => {
  const finders = ["[ab]*a[ab]{300}", "[ab]*b[ab]{200}(a|b?)*x", "(a?){200}[ab]*a[ab]{90}"].map((source) =>
    finderOf([compiled(source)]),
  );
  const texts = fc.sample(fc.string({ unit: fc.constantFrom("a", "b"), minLength: 400, maxLength: 400 }), {
    seed: 3,
    numRuns: 100,
  });
  let most = 0;
  let forgotten = 0;
  for (const text of texts)
    for (const find of finders) {
      const before = keptBytes();
      find(text);
      if (keptBytes() < before) forgotten += 1;
      most = Math.max(most, keptBytes());
    }
  expect(most).toBeLessThan(1.1 * maxKept);
  expect(forgotten).toBeGreaterThan(0);
});

test("expressions that are the same after their beginnings are learned once", () => {
  const sources = Array.from({ length: 1_000 }, (_, n) => `/teams/team-${n}/items/[0-9]+`);
  const finders = sources.map((source) => finderOf([compiled(source)]));
  finders[0]?.("/teams/team-0/items/12");
  const one = keptBytes();
  for (const [n, find] of finders.entries()) expect(find(`/teams/team-${n}/items/34`)).toEqual([0]);
  expect(keptBytes() / one).toBeLessThan(2);
});

test.each(["", "no list", "{}", "[1]", "[[1.5,0,0]]", '[["-1",0,0]]', "[[-1,0,0]],[[-1,0,0]]"])(
  "a program that is none, %s, falls on nothing, and takes nothing from those beside it",
  (program) => {
    expect(patternMatches({ prefix: "", program }, "")).toBe(false);
    const find = finderOf([compiled("a*"), { prefix: "", program }, compiled("b?")]);
    expect(find("")).toEqual([0, 2]);
    expect(find("b")).toEqual([2]);
  },
);
