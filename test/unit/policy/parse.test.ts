import { describe, expect, test } from "vitest";
import { parseDocuments } from "../../../mesh-runtime/policy/parse.ts";
import {
  maxDocuments,
  maxTextBytes,
  maxTokens,
  roomOfChange,
} from "../../../mesh-runtime/policy/yaml-limits.ts";

const parse = (text: string) => parseDocuments([{ source: "a.yaml", text }]);
const values = (text: string): readonly unknown[] => parse(text).parsed.map(({ value }) => value);
const faults = (text: string): readonly string[] =>
  parse(text).issues.map(({ line, column, message }) => `${line}:${column} ${message}`);

describe("documents are read", () => {
  test("from YAML, several to a text, with nothing made of empty ones", () => {
    expect(values("# first\n---\na: 1\n---\n\n---\nb: [x, yes]\n...\n")).toEqual([
      { a: 1 },
      { b: ["x", "yes"] },
    ]);
    expect(values("")).toEqual([]);
  });

  test("from JSON, indented with tabs or not at all", () => {
    expect(values('{\n\t"a": {\n\t\t"b": [1,\n\t\t2]\n\t}\n}')).toEqual([{ a: { b: [1, 2] } }]);
    expect(values('{"a":"\\u00e9"}')).toEqual([{ a: "é" }]);
  });

  test("from several sources, in order", () => {
    const sources = [
      { source: "a", text: "a: 1" },
      { source: "b", text: "b: 2\n---\nc: 3" },
    ];
    expect(parseDocuments(sources).parsed.map(({ origin }) => origin.source)).toEqual(["a", "b", "b"]);
  });

  test("from the items of a List, and each knows where it stands", () => {
    const { parsed } = parse("kind: List\nitems:\n  - kind: A\n    x: 1\n  - kind: B\n");
    expect(parsed.map(({ value }) => value)).toEqual([{ kind: "A", x: 1 }, { kind: "B" }]);
    expect(parsed.map(({ origin }) => origin.within)).toEqual([
      ["items", 0],
      ["items", 1],
    ]);
    expect(parsed[0]?.origin.locate(["x"])).toEqual({ line: 4, column: 8 });
  });

  test("from the items of a list of one kind, as an API server answers", () => {
    expect(
      values("kind: HTTPRouteList\nmetadata: { continue: '' }\nitems: [{kind: A}, {kind: B}]\n"),
    ).toEqual([{ kind: "A" }, { kind: "B" }]);
    expect(values("kind: Lists\nitems: []\n")).toEqual([{ kind: "Lists", items: [] }]);
    expect(values("kind: HTTPRouteList\n")).toEqual([{ kind: "HTTPRouteList" }]);
  });

  test("with aliases written out", () => {
    expect(values("a: &x {b: 1}\nc: *x\n")).toEqual([{ a: { b: 1 }, c: { b: 1 } }]);
  });

  test("by YAML 1.2: yes is a text, and zeros are numbers where they mean one thing", () => {
    expect(values("a: yes\nb: no")).toEqual([{ a: "yes", b: "no" }]);
    expect(values("[0, -0, 0.5, 0e1, 0x10, 0o10, '010', 10]")).toEqual([[0, -0, 0.5, 0, 16, 8, "010", 10]]);
  });
});

describe("a member is found", () => {
  const [document] = parse("a:\n  b:\n    - c: 1\n      d: &x {e: 2}\n    - *x\n").parsed;
  const at = (path: readonly (string | number)[], where?: "key" | "value") => {
    const { line = 0, column = 0 } = document?.origin.locate(path, where) ?? {};
    return `${line}:${column}`;
  };

  test("at its value if that is a scalar, at its name otherwise or if asked", () => {
    expect(at(["a", "b", 0, "c"])).toBe("3:10");
    expect(at(["a", "b", 0, "c"], "key")).toBe("3:7");
    expect(at(["a", "b"])).toBe("2:3");
    expect(at(["a", "b", 0])).toBe("3:7");
    expect(at([])).toBe("1:1");
  });

  test("where it should be if it is missing", () => {
    expect(at(["a", "b", 0, "z", "y"])).toBe("3:7");
    expect(at(["a", "b", 7])).toBe("2:3");
    expect(at(["z"])).toBe("1:1");
  });

  test("through an alias, where the value was written", () => {
    expect(at(["a", "b", 1, "e"])).toBe("4:17");
  });
});

describe("a text that is not YAML is refused with its place", () => {
  test.each([
    ["a: 1\na: 2\n", '2:1 The member "a" stands here twice; keep one of the two.'],
    ['{"a": {"b": 1,\n "b": 2}}', '2:2 The member "b" stands here twice; keep one of the two.'],
    ["? [a]\n: 1\n", "1:3 A member's name must be a text; write one before the colon."],
    [": 1\n", "1:1 A member's name must be a text; write one before the colon."],
    ["a:\n  constructor: 1\n", '2:3 The member "constructor" can mean nothing here; remove it.'],
    ["__proto__: {x: 1}\n", '1:1 The member "__proto__" can mean nothing here; remove it.'],
    [
      "a: [1, 0100]",
      '1:8 "0100" is an octal number to some readers of YAML, kubectl among them, and a decimal one to others; write it without leading zeros, or in quotes if it is a text.',
    ],
    ["a: !foo 1", "1:4 This is not valid YAML: Unresolved tag: !foo."],
    ["a: *x", '1:4 The alias "*x" has no anchor (&name) before it; correct it, or write the value out.'],
    [
      "%YAML 1.1\n---\na: yes\n",
      '1:1 This text exceeds a limit: no directive, found "%YAML 1.1"; split or simplify it.',
    ],
  ])("%j", (text, fault) => {
    expect(faults(text)).toEqual([fault]);
    expect(values(text)).toEqual([]);
  });

  test("with the line and column of the fault, and no document before it is taken", () => {
    const { parsed, issues } = parse("a: 1\n---\nb: 1\nc: [1,\nd: }\n");
    expect(parsed).toEqual([]);
    expect(issues[0]).toMatchObject({
      severity: "error",
      source: "a.yaml",
      line: 5,
      expected: "YAML 1.2 or JSON",
    });
  });

  test("while other texts are still read", () => {
    const { parsed, issues } = parseDocuments([
      { source: "bad", text: "a: [" },
      { source: "good", text: "b: 1" },
    ]);
    expect(parsed.map(({ value }) => value)).toEqual([{ b: 1 }]);
    expect(issues.every(({ source }) => source === "bad")).toBe(true);
  });
});

describe("a text cannot cost without bound", () => {
  const nested = (line: (depth: number) => string, lines: number) =>
    Array.from({ length: lines }, (_, depth) => line(depth)).join("");

  test.each([
    ["brackets", "[".repeat(10_000)],
    ["braces", "{a: ".repeat(10_000)],
    ["sequences on a line", `${"- ".repeat(10_000)}a`],
    ["keys on a line", `${"? ".repeat(10_000)}a`],
    ["indented maps", nested((depth) => `${" ".repeat(depth)}a:\n`, 1_000)],
    ["indented sequences", nested((depth) => `${" ".repeat(depth)}-\n`, 1_000)],
    ["indented quoted keys", nested((depth) => `${" ".repeat(depth)}"a":\n`, 1_000)],
    ["indented empty keys", nested((depth) => `${" ".repeat(depth)}:\n`, 1_000)],
    [
      "brackets after brackets that never close",
      `{]\n${nested((depth) => `${" ".repeat(depth)}a:\n`, 1_000)}`,
    ],
    ["aliases", `a: &a 1\nb: [${"*a,".repeat(10_001)}]`],
    ["anchors", `[${Array.from({ length: 1_001 }, (_, index) => `&a${index} 1,`).join("")}]`],
  ])("by nesting: %s", (_name, text) => {
    const { parsed, issues } = parse(text);
    expect(parsed).toEqual([]);
    expect(issues.length).toBeGreaterThan(0);
  });

  test("as deep as it may be, it is read", () => {
    const text = `${nested((depth) => `${" ".repeat(depth)}a:\n`, 120)}${" ".repeat(121)}${"[".repeat(60)}${"]".repeat(60)}`;
    expect(values(text)).toHaveLength(1);
  });

  test("by aliases of aliases", () => {
    const lines = Array.from({ length: 9 }, (_, level) =>
      level === 0
        ? "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        : `a${level}: &a${level} [${`*a${level - 1},`.repeat(9)}]\n`,
    );
    expect(faults(lines.join(""))).toEqual([
      '6:34 With the alias "*a4" this text comes to more than 1000000 characters beyond what is written; use fewer aliases.',
    ]);
  });

  test("by a collection that contains itself", () => {
    const fault = "An alias (*name) stands inside what it stands for; write the value out.";
    expect(faults("a: &x [*x]")).toEqual([`1:8 ${fault}`]);
    expect(faults("a: &x\n  b: [{c: *x}]")).toEqual([`2:11 ${fault}`]);
  });

  test("by size: what is too large is not read at all", () => {
    expect(values(`a: ${"x".repeat(maxTextBytes - 3)}`)).toHaveLength(1);
    expect(faults(`a: ${"x".repeat(maxTextBytes)}`)[0]).toMatch(
      /^1:1 This text exceeds a limit: at most 1000000 bytes/,
    );
    expect(faults(`a: ${"é".repeat(maxTextBytes / 2)}`)).toHaveLength(1);
    expect(faults("a: 1\n".repeat(400_000))).toHaveLength(1);
  });

  /** How many tokens the largest text would have that goes on as this one does. */
  const tokensOfLargest = (text: string): number => {
    const room = { tokens: Number.MAX_SAFE_INTEGER };
    parseDocuments([{ source: "", text }], "applied", room);
    return ((Number.MAX_SAFE_INTEGER - room.tokens) * maxTextBytes) / text.length;
  };

  test("by tokens: a text that is dense is given up before it takes memory", () => {
    const { parsed, issues } = parse(`${"#\n".repeat(maxTokens / 2)}a: 1\n`);
    expect(parsed).toEqual([]);
    expect(issues).toMatchObject([
      { expected: "at most 450000 YAML tokens", message: expect.stringContaining("split or simplify it") },
    ]);
  });

  test.each([
    ["empty lists", `[${"[],".repeat(500)}[]]`],
    ["scalars", `[${"a,".repeat(500)}a]`],
    ["items with one name", "- a:\n".repeat(500)],
    ["items in one another", `${"- ".repeat(15)}a\n`.repeat(50)],
    ["comments", "#\n".repeat(500)],
    ["blank lines", "#\n\n".repeat(500)],
    ["empty documents", "---\n".repeat(500)],
  ])("by tokens: nothing but %s is dense", (_, text) => {
    expect(tokensOfLargest(text)).toBeGreaterThan(1.1 * maxTokens);
  });

  test("by tokens, and what is ordinary is not dense, up to the largest text", () => {
    const many = (one: (n: number) => string) =>
      Array.from({ length: 200 }, (_, n) => one(n + 5_000)).join("");
    const service = (n: number) =>
      `apiVersion: mesh.tulle.dev/v1\nkind: Service\nmetadata:\n  name: s${n}\nspec:\n  endpoint:\n    binding: S${n}\n---\n`;
    const rule = (n: number) =>
      `${JSON.stringify({
        from: [{ source: { principals: [`mesh.local/ns/default/sa/web${n}`] } }],
        to: [{ operation: { methods: ["GET"], paths: [`/a/${n}`] } }],
      })},`;
    expect(tokensOfLargest(many(service))).toBeLessThan(maxTokens);
    expect(tokensOfLargest(`{"spec":{"rules":[${many(rule)}{}]}}`)).toBeLessThan(maxTokens);
  });

  test("by tokens: all texts of a change together, and none that is in force", () => {
    const source = { source: "a.yaml", text: `[${"a,".repeat(10)}a]` };
    const room = { tokens: 100 };
    expect(parseDocuments([source, source], "applied", room).issues).toEqual([]);
    expect(parseDocuments([source], "applied", room).issues).toMatchObject([
      { expected: "at most 900000 YAML tokens in one change" },
    ]);
    expect(parseDocuments([source], "in force", room).issues).toEqual([]);
    expect(roomOfChange()).toEqual({ tokens: 2 * maxTokens });
  });

  test("by number: more documents than the limit are none", () => {
    const { parsed, issues } = parse("a: 1\n---\n".repeat(maxDocuments + 1));
    expect(parsed).toEqual([]);
    expect(issues).toMatchObject([{ expected: "at most 10000 documents", found: "10001 or more" }]);
    expect(parse("---\n".repeat(20_000)).issues).toHaveLength(1);
    const items = `kind: List\nitems: [${"a,".repeat(maxDocuments + 1)}]`;
    expect(parse(items).issues).toHaveLength(1);
  });

  test("by names that must be told apart", () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1\n`).join("");
    expect(faults(`${names}k7: 1\n`)).toEqual([
      '20001:1 The member "k7" stands here twice; keep one of the two.',
    ]);
  });

  test("by errors: a text full of them is given up", () => {
    expect(faults("[] ".repeat(5_000))).toHaveLength(100);
    expect(faults("}\n".repeat(5_000))).toHaveLength(100);
  });
});
