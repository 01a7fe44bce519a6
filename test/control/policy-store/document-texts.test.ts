import { parseDocuments } from "@tulle/mesh-runtime/policy/parse.ts";
import { describe, expect, test } from "vitest";
import { documentTexts } from "../../../control/policy-store/document-texts.ts";

const texts = (text: string) => documentTexts(text, parseDocuments([{ source: "", text }]).parsed);

describe("documentTexts()", () => {
  test("a single document keeps every byte", () => {
    const text = "\n# mine\nkind: A  # here\n\n\n";
    expect(texts(text)).toEqual([text]);
  });

  test("several documents keep their comments", () => {
    expect(texts("# one\na: 1\n---\n# two\nb: 2\n")).toEqual(["# one\na: 1\n", "# two\nb: 2\n"]);
  });

  test("a marker within a block of text is a marker, one that is indented is text", () => {
    expect(texts("a: |\n  ---\n  b\n---\nc: 1\n")).toEqual(["a: |\n  ---\n  b\n", "c: 1\n"]);
  });

  test("a document that begins beside its marker, or ends with dots, stays whole", () => {
    expect(
      texts("--- {a: 1}\n...\n---\nb: 2\n").map(
        (text) => parseDocuments([{ source: "", text }]).parsed[0]?.value,
      ),
    ).toEqual([{ a: 1 }, { b: 2 }]);
  });

  test("the items of a List become documents of their own", () => {
    const list = "kind: List\nitems:\n  - kind: A\n    n: 1\n  - kind: B\n";
    expect(texts(list).map((text) => JSON.parse(text))).toEqual([{ kind: "A", n: 1 }, { kind: "B" }]);
  });

  test("whatever the source, the texts parse to what the whole did", () => {
    for (const source of [
      "%YAML 1.2\n---\na: 1\n---\nb: 2\n",
      '{"a":1}',
      "a: 1\r\n---\r\nb: 2\r\n",
      "---\n---\na: 1\n",
    ]) {
      const whole = parseDocuments([{ source: "", text: source }]).parsed.map(({ value }) => value);
      const parts = texts(source).flatMap((text) =>
        parseDocuments([{ source: "", text }]).parsed.map(({ value }) => value),
      );
      expect(parts, source).toEqual(whole);
    }
  });
});
