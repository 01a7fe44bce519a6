import { describe, expect, test } from "vitest";
import type { Issue as ContractIssue } from "../../../control/api/contract.ts";
import type { Issue } from "../../../mesh-runtime/policy/issue.ts";
import { issueAt, type Origin, pathText, placeOf, shown } from "../../../mesh-runtime/policy/source.ts";

const origin: Origin = {
  source: "a.yaml",
  within: ["items", 0],
  locate: (path, at = "value") => ({ line: path.length, column: at === "key" ? 1 : 2 }),
};

test("a path is written as one would in code", () => {
  expect(pathText(["spec", "rules", 0, "backendRefs", 1, "weight"])).toBe(
    "spec.rules[0].backendRefs[1].weight",
  );
  expect(pathText(["metadata", "labels", "a/b"])).toBe('metadata.labels["a/b"]');
  expect(pathText([])).toBe("");
});

describe("what was found is shown", () => {
  test.each([
    ["a", '"a"'],
    [1, "1"],
    [null, "null (nothing after the colon)"],
    [undefined, "nothing"],
    [[], "an empty list"],
    [[1, 2], "a list of 2"],
    [{ a: 1 }, "an object"],
    ["https://user:secret@a.example/x", '"https://…@a.example/x"'],
  ])("%j as %s", (value, text) => {
    expect(shown(value)).toBe(text);
  });

  test("short, however long it is", () => {
    expect(shown("x".repeat(1_000))).toHaveLength(81);
  });
});

test("an issue has the members of the admin API's contract, and no others", () => {
  const issue: Issue = issueAt(origin, "Service/default/web", {
    path: ["spec", "mode"],
    expected: "one",
    found: "two",
    message: "m",
  });
  const contract: ContractIssue = issue;
  const back: Issue = contract;
  expect(back).toEqual({
    severity: "error",
    source: "a.yaml",
    line: 2,
    column: 2,
    document: "Service/default/web",
    path: "items[0].spec.mode",
    expected: "one",
    found: "two",
    message: "m",
  });
});

test("a place is a source and a line", () => {
  expect(placeOf(origin, ["a", "b", "c"])).toBe("a.yaml:3");
  expect(placeOf({ ...origin, source: "" }, ["a"])).toBe("this text:1");
});
