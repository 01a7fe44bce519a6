import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { problemBase, problemOf } from "../mesh-runtime/foundation/problem.ts";
import { refusals } from "./support/refusals.ts";

/** `docs/problems.md`, cut at its second-level headings: what stands under each, by its name. */
const sections = new Map(
  readFileSync(new URL("../docs/problems.md", import.meta.url), "utf8")
    .split(/^## /m)
    .slice(1)
    .map((section): [string, string] => {
      const [name = "", ...rest] = section.split("\n");
      return [name, rest.join("\n")];
    }),
);

describe.each(Object.values(refusals))("the page about problems, $kind", (refusal) => {
  const problem = problemOf(refusal);
  const section = sections.get(problem.type.slice(problemBase.length)) ?? "";

  test("has a section under the name in the problem's type", () => {
    expect(section).not.toBe("");
  });

  test("tells the status, and Retry-After where there is one", () => {
    expect(section).toContain(`**Status ${problem.status}`);
    expect(section.includes("`Retry-After`.\n")).toBe(problem.retryAfter !== undefined);
  });

  test.each(["What it means.", "Find the reason.", "What to do."])("answers: %s", (question) => {
    expect(section).toContain(`**${question}** `);
  });
});

test("the page has no section for a problem that does not exist, and its table lists each once", () => {
  expect([...sections.keys()]).toEqual(Object.keys(refusals));
  const table = readFileSync(new URL("../docs/problems.md", import.meta.url), "utf8").matchAll(
    /^\| \[([a-z-]+)\]\(#([a-z-]+)\) \| ([0-9]{3}) \|/gm,
  );
  expect([...table].map(([, name, anchor, status]) => [name, anchor, Number(status)])).toEqual(
    Object.values(refusals).map((refusal) => [refusal.kind, refusal.kind, problemOf(refusal).status]),
  );
});
