import { describe, expect, test } from "vitest";
import {
  changesOf,
  documentName,
  documentRef,
  edited,
  isChange,
  undoing,
} from "../../../control/policy-store/revision.ts";

const ref = (name: string) => ({ kind: "Service", namespace: "default", name });
const texts = new Map([
  ["Service/default/a", "a\n"],
  ["Service/default/b", "b\n"],
]);

describe("a revision", () => {
  test("names are read back as what they were made of", () => {
    expect(documentRef(documentName(ref("a")))).toEqual(ref("a"));
  });

  test("tells created, changed, unchanged and deleted documents apart", () => {
    const edits = [
      { ref: ref("c"), text: "c\n" },
      { ref: ref("a"), text: "a\n" },
      { ref: ref("b"), text: undefined },
      { ref: ref("nobody"), text: undefined },
    ];
    expect(changesOf(texts, edits).map(({ name, action }) => [name, action])).toEqual([
      ["a", "unchanged"],
      ["b", "deleted"],
      ["c", "created"],
    ]);
    expect([...edited(texts, edits).keys()]).toEqual(["Service/default/a", "Service/default/c"]);
  });

  test("of two edits of one document the later one counts", () => {
    const edits = [
      { ref: ref("a"), text: "x\n" },
      { ref: ref("a"), text: "a\n" },
    ];
    expect(isChange(changesOf(texts, edits))).toBe(false);
    expect(edited(texts, edits)).toEqual(texts);
  });

  test("undoing gives back what was there before", () => {
    const edits = [
      { ref: ref("a"), text: "x\n" },
      { ref: ref("c"), text: "c\n" },
    ];
    const after = edited(texts, edits);
    const back = undoing(
      1,
      edits.map(({ ref }) => ({ ref, before: texts.get(documentName(ref)) })),
    );
    expect(edited(after, back)).toEqual(texts);
  });
});
