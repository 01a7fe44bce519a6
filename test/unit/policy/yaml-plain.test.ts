import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDocuments } from "../../../mesh-runtime/policy/parse.ts";
import { readDocuments } from "../../../mesh-runtime/policy/schema.ts";
import { composed } from "../../../mesh-runtime/policy/yaml-compose.ts";
import { maxExpandedDepth, maxWrittenOut, tokensWithin } from "../../../mesh-runtime/policy/yaml-limits.ts";
import { type Expansion, plainDocument } from "../../../mesh-runtime/policy/yaml-plain.ts";

const parse = (text: string) => parseDocuments([{ source: "a.yaml", text }]);
const value = (text: string): unknown => parse(text).parsed[0]?.value;
const faults = (text: string): readonly string[] =>
  parse(text).issues.map(({ line, column, message }) => `${line}:${column} ${message}`);

describe("a merge key", () => {
  test.each([
    ["takes in the members of an alias", "a: &a {x: 1, y: 2}\nb: {<<: *a, z: 3}", { x: 1, y: 2, z: 3 }],
    ["takes in those of an object", "b: {<<: {x: 1}, z: 3}", { x: 1, z: 3 }],
    ["loses to a member behind it", "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}", { x: 3, y: 2 }],
    ["may stand behind a member that says the same", "a: &a {x: 1, y: 2}\nb: {x: 1, <<: *a}", { x: 1, y: 2 }],
    ["loses to a member that is null", "a: &a {x: 1}\nb: {<<: *a, x: null}", { x: null }],
    ["may have its tag", "a: &a {x: 1}\nb: {!!merge <<: *a, y: 2}", { x: 1, y: 2 }],
    ["means a member of this name where it is tagged as a text", "b: {!!str <<: {x: 1}}", { "<<": { x: 1 } }],
    [
      "takes the earlier of several sources",
      "a: [&a {x: 1}, &b {x: 2, y: 2}]\nb: {<<: [*a, *b, {y: 3, z: 3}]}",
      { x: 1, y: 2, z: 3 },
    ],
    ["takes nothing from an empty list", "b: {<<: [], x: 1}", { x: 1 }],
    [
      "takes what a source has merged itself",
      "a: [&a {x: 1}, &b {<<: *a, y: 2}]\nb: {<<: *b}",
      { x: 1, y: 2 },
    ],
    [
      "replaces, and does not blend, what is nested",
      "a: &a {x: {p: 1, q: 2}}\nb: {<<: *a, x: {q: 3}}",
      { x: { q: 3 } },
    ],
    ["means a member of this name in quotes", 'b: {"<<": {x: 1}}', { "<<": { x: 1 } }],
    ["stands in blocks too", "a: &a\n  x: 1\nb:\n  <<: *a\n  y: 2\n", { x: 1, y: 2 }],
    ["refers to the nearest anchor of its name", "a: [&a {x: 1}, &a {x: 2}]\nb: {<<: *a}", { x: 2 }],
  ])("%s", (_name, text, expected) => {
    expect(parse(text).issues).toEqual([]);
    expect((value(text) as { b: unknown }).b).toEqual(expected);
  });

  test("leaves what it merges as it is", () => {
    expect(value("a: &a {x: {y: 1}}\nb: {<<: *a, z: 1}\nc: *a")).toEqual({
      a: { x: { y: 1 } },
      b: { x: { y: 1 }, z: 1 },
      c: { x: { y: 1 } },
    });
  });

  const noMap =
    "A merge key (<<) takes in the members of objects; write an alias of one, or a list of such aliases.";
  test.each([
    ["b: {<<: 1}", `1:9 ${noMap}`],
    ["b:\n  <<:\n", `2:6 ${noMap}`],
    ["b: {<<: text}", `1:9 ${noMap}`],
    ["a: &a 1\nb: {<<: *a}", `2:9 ${noMap}`],
    ["a: &a [{x: 1}]\nb: {<<: *a}", `2:9 ${noMap}`],
    ["a: &a {}\nb: {<<: [*a, 1]}", `2:14 ${noMap}`],
    ["a: &a {}\nb: {<<: [[*a]]}", `2:10 ${noMap}`],
    [
      "b: {<<: *a}",
      '1:9 The alias "*a" has no anchor (&name) before it; correct it, or write the value out.',
    ],
    ["b: &b {<<: *b}", "1:12 An alias (*name) stands inside what it stands for; write the value out."],
    [
      "a: &a {}\nb:\n  <<: *a\n  <<: *a\n",
      "4:3 The merge key << stands here twice; write it once, with a list: <<: [*a, *b].",
    ],
    ["a: &a {constructor: 1}\nb: {<<: *a}", '1:8 The member "constructor" can mean nothing here; remove it.'],
    [
      "a: &a {}\nb:\n  <<: *a\n  !!merge <<: *a\n",
      "4:11 The merge key << stands here twice; write it once, with a list: <<: [*a, *b].",
    ],
    ["a: &a {x: 1}\nb: {<<: *a, x: 2, x: 3}", '2:19 The member "x" stands here twice; keep one of the two.'],
  ])("is refused where it says nothing: %j", (text, fault) => {
    expect(faults(text)).toEqual([fault]);
  });

  test.each(["b: {x: 3, <<: *a}", "b: {x: null, <<: *a}", "b: {x: 3, <<: [{y: 1}, *a]}"])(
    "is refused behind a member that kubectl takes from it: %s",
    (text) => {
      const late = `2:${text.indexOf("<<") + 1} Of the member "x", which is merged (<<) after it was written, kubectl takes what is merged, and YAML 1.1 what is written; write << first, or remove one of the two.`;
      expect(faults(`a: &a {x: 1, y: 2}\n${text}`)).toEqual([late]);
    },
  );

  test.each([
    "!!merge x",
    "a: !!merge x",
    "a: [!!merge <<]",
    "!!merge x: 1",
    "kind: !!merge x\napiVersion: v1",
  ])("its tag is refused anywhere else: %j", (text) => {
    expect(faults(text)).toEqual([
      expect.stringContaining("The tag !!merge belongs to a merge key (<<) alone; remove it."),
    ]);
    expect(readDocuments([{ source: "a.yaml", text }]).written).toEqual([]);
  });

  test("reads as the document that has everything written out", () => {
    const names = fc.constantFrom("p", "q", "r", "s");
    const map = fc.dictionary(names, fc.integer({ min: 0, max: 9 }), { maxKeys: 4 });
    const flow = (entries: object): string =>
      JSON.stringify(entries).slice(1, -1).replaceAll('"', "").replaceAll(":", ": ");
    fc.assert(
      fc.property(fc.array(map, { maxLength: 4 }), map, fc.boolean(), (sources, own, isFirst) => {
        const anchors = sources.map((source, index) => `&a${index} {${flow(source)}}`).join(", ");
        const merge = `<<: [${sources.map((_, index) => `*a${index}`).join(", ")}]`;
        const differs = sources.some((source) =>
          Object.entries(source).some(([name, one]) => own[name] !== undefined && own[name] !== one),
        );
        const members = (isFirst || differs ? [merge, flow(own)] : [flow(own), merge]).filter(
          (one) => one !== "",
        );
        const expected = Object.assign({}, ...sources.toReversed(), own) as object;
        expect(value(`a: [${anchors}]\nb: {${members.join(", ")}}`)).toEqual({ a: sources, b: expected });
      }),
      { numRuns: 200, seed: 7 },
    );
  });
});

describe("what came in by a merge key is found where it is written", () => {
  const [document] = parse(
    "base: &base\n  x: 1\n  y:\n    z: 2\nmore: &more\n  <<: *base\n  x: 3\nuse:\n  <<: [*more, *base]\n  w: 4\n",
  ).parsed;
  test.each([
    [["use", "x"], "7:6"],
    [["use", "y", "z"], "4:8"],
    [["use", "w"], "10:6"],
    [["more", "y"], "3:3"],
    [["use", "missing"], "8:1"],
    [["use", "<<"], "8:1"],
  ])("%j", (path, expected) => {
    const { line, column } = document?.origin.locate(path) ?? { line: 0, column: 0 };
    expect(`${line}:${column}`).toBe(expected);
  });
});

/** How a text ends, and how many nodes were looked at and members copied for it. */
function cost(text: string): {
  readonly steps: number;
  readonly writtenOut: number;
  readonly refused: boolean;
} {
  const tokens = tokensWithin(text, () => {});
  if (!tokens.ok) return { steps: 0, writtenOut: 0, refused: true };
  const expansion: Expansion = { writtenOut: 0, steps: 0 };
  let refused = false;
  for (const { document, errors } of composed(tokens.value)) {
    if (document === undefined || errors.length > 0) refused = true;
    else refused = plainDocument(document, expansion).faults.length > 0 || refused;
  }
  return { ...expansion, refused };
}

describe("a text whose aliases grow without bound is given up before it costs anything", () => {
  const levels = (count: number, line: (level: number) => string): string =>
    Array.from({ length: count }, (_, level) => `${line(level)}\n`).join("");
  const wide = `{${Array.from({ length: 2_000 }, (_, index) => `k${index}: 1`).join(", ")}}`;

  test.each([
    ["lists of lists", levels(500, (n) => `a${n}: &a${n} [${n === 0 ? "x, x" : `*a${n - 1}, *a${n - 1}`}]`)],
    [
      "objects of objects",
      levels(500, (n) => `a${n}: &a${n} {${n === 0 ? "x: 1" : `x: *a${n - 1}, y: *a${n - 1}`}}`),
    ],
    [
      "merges of merges",
      levels(900, (n) => `a${n}: &a${n} {${n === 0 ? "k: 1" : `<<: [*a${n - 1}, *a${n - 1}], k${n}: 1`}}`),
    ],
    [
      "merges of all that came before",
      levels(
        300,
        (n) =>
          `a${n}: &a${n} {<<: [${Array.from({ length: Math.min(n, 30) }, (_, m) => `*a${n - 1 - m}`).join(", ")}], k${n}: 1}`,
      ),
    ],
    ["one wide object merged again and again", `a: &a ${wide}\nb: [${"{<<: *a},".repeat(500)}]`],
    ["one wide object in one merge", `a: &a ${wide}\nb: {<<: [${"*a,".repeat(9_000)}]}`],
    ["one long text", `a: &a ${"x".repeat(500_000)}\nb: [${"*a,".repeat(9_000)}]`],
    [
      "several documents",
      Array(900)
        .fill(`a: &a [${"x,".repeat(90)}]\nb: [${"*a,".repeat(10)}]`)
        .join("\n---\n"),
    ],
  ])("%s", (_name, text) => {
    const { steps, writtenOut, refused } = cost(text);
    expect(refused).toBe(true);
    // Each node is looked at once, and a member is copied for characters that are counted.
    expect(steps).toBeLessThan(text.length + maxWrittenOut);
    expect(writtenOut).toBeGreaterThan(maxWrittenOut);
    expect(faults(text)).toEqual([
      expect.stringContaining(
        "comes to more than 1000000 characters beyond what is written; use fewer aliases.",
      ),
    ]);
    expect(parse(text).parsed).toEqual([]);
  });

  test("by depth, too", () => {
    const chain = (count: number): string =>
      levels(count, (n) => `a${n}: &a${n} [${n === 0 ? "x" : `*a${n - 1}`}]`);
    expect(parse(chain(maxExpandedDepth - 2)).issues).toEqual([]);
    expect(faults(chain(maxExpandedDepth + 5))[0]).toContain(
      "this is nested deeper than 256 levels; simplify it.",
    );
    const merged = levels(
      maxExpandedDepth + 5,
      (n) => `a${n}: &a${n} {${n === 0 ? "x: 1" : `x: {<<: *a${n - 1}}`}}`,
    );
    expect(cost(merged).refused).toBe(true);
  });

  test("a member is looked for once in each object that is merged", () => {
    const text = `${levels(200, (n) => `a${n}: &a${n} {${n === 0 ? "k: 1" : `<<: [*a${n - 1}, {}], k${n}: 1`}}`)}`;
    const [document] = parse(text).parsed;
    expect(document?.origin.locate(["a199", "k"])).toEqual({ line: 1, column: 13 });
    expect(document?.origin.locate(["a199", "nowhere"])).toEqual({ line: 200, column: 1 });
  });
});

test("what people write with anchors is far from the bounds", () => {
  const items = Array.from(
    { length: 500 },
    (_, index) =>
      `  - { <<: *route, metadata: { name: r${index} }, spec: { <<: *spec, hostnames: [h${index}.example] } }\n`,
  );
  const text = `kind: List\nitems:\n  - &route { apiVersion: v1, kind: HTTPRoute, metadata: { name: r }, spec: &spec { parentRefs: [{ name: g }], rules: [{ backendRefs: [{ name: b, port: 80 }] }] } }\n${items.join("")}`;
  const { parsed, issues } = parse(text);
  expect(issues).toEqual([]);
  expect(parsed).toHaveLength(501);
  expect(cost(text).writtenOut).toBeLessThan(maxWrittenOut / 5);
});
