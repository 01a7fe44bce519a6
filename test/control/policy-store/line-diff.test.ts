import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { diffLines, unifiedDiff } from "../../../control/policy-store/line-diff.ts";

const lines = (text: string): string[] => text.split("");

describe("diffLines()", () => {
  test("finds the shortest script of Myers' own example", () => {
    const script = diffLines(lines("abcabba"), lines("cbabac"));
    expect(script.filter(({ sign }) => sign !== " ")).toHaveLength(5);
  });

  test("what it keeps and removes is the old text, what it keeps and adds is the new one", () => {
    const text = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 40 });
    fc.assert(
      fc.property(text, text, (before, after) => {
        const script = diffLines(before, after);
        expect(script.filter(({ sign }) => sign !== "+").map(({ line }) => line)).toEqual(before);
        expect(script.filter(({ sign }) => sign !== "-").map(({ line }) => line)).toEqual(after);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  test("gives up the search on texts that have nothing in common, and is still right", () => {
    const before = Array.from({ length: 3_000 }, (_, index) => `old ${index}`);
    const after = Array.from({ length: 3_000 }, (_, index) => `new ${index}`);
    const script = diffLines(before, after);
    expect(script.filter(({ sign }) => sign === "-")).toHaveLength(3_000);
    expect(script.filter(({ sign }) => sign === "+")).toHaveLength(3_000);
  });
});

describe("unifiedDiff()", () => {
  test("says nothing about equal texts", () => {
    expect(unifiedDiff("a", "x\n", "x\n")).toBe("");
  });

  test("shows a change with three lines of context and its place", () => {
    const before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    expect(unifiedDiff("n", before, before.replace("5", "five"))).toBe(
      "--- a/n\n+++ b/n\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n",
    );
  });

  test("keeps changes that lie far apart in hunks of their own", () => {
    const before = Array.from({ length: 30 }, (_, index) => `${index + 1}\n`).join("");
    const diff = unifiedDiff("n", before, before.replace("2\n", "two\n").replace("29\n", "zwei\n"));
    expect(diff.match(/^@@ .* @@$/gm)).toEqual(["@@ -1,5 +1,5 @@", "@@ -26,5 +26,5 @@"]);
  });

  test("shows a new text against nothing and a deleted one as removed", () => {
    expect(unifiedDiff("n", undefined, "a\n")).toBe("--- /dev/null\n+++ b/n\n@@ -0,0 +1,1 @@\n+a\n");
    expect(unifiedDiff("n", "a\n", undefined)).toBe("--- a/n\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n");
  });

  test("tells a missing last newline", () => {
    expect(unifiedDiff("n", "a\n", "a")).toContain("-a\n+a\n\\ No newline at end of file\n");
  });
});
