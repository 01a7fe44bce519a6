import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { declinedProblem, problems } from "../control/api/problems.ts";
import { problemBase, problemOf } from "../mesh-runtime/foundation/problem.ts";
import type { Declined } from "../mesh-runtime/workload-contract.ts";
import { refusals } from "./support/refusals.ts";

/** `docs/problems.md` has two parts: what the mesh answers in place of an application, and what control answers. */
const [ofMesh = "", ofControl = ""] = readFileSync(
  new URL("../docs/problems.md", import.meta.url),
  "utf8",
).split("\n# Problems of the control plane\n");

/** A part, cut at its second-level headings: what stands under each, by its name. */
const sectionsOf = (part: string): ReadonlyMap<string, string> =>
  new Map(
    part
      .split(/^## /m)
      .slice(1)
      .map((section): [string, string] => {
        const [name = "", ...rest] = section.split("\n");
        return [name, rest.join("\n")];
      }),
  );

/** The rows of a part's table: name, anchor, status. */
const rowsOf = (part: string): readonly (readonly [string, string, string])[] =>
  [...part.matchAll(/^\| \[([a-z-]+)\]\(#([a-z-]+)\) \| ([^|]+) \|/gm)].map(
    ([, name = "", anchor = "", status = ""]) => [name, anchor, status],
  );

const questions = ["What it means.", "Find the reason.", "What to do."];
const sections = sectionsOf(ofMesh);
const controlSections = sectionsOf(ofControl);

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

  test.each(questions)("answers: %s", (question) => {
    expect(section).toContain(`**${question}** `);
  });
});

test("the page has no section for a problem that does not exist, and its table lists each once", () => {
  expect([...sections.keys()]).toEqual(Object.keys(refusals));
  expect(rowsOf(ofMesh)).toEqual(
    Object.values(refusals).map((refusal) => [refusal.kind, refusal.kind, String(problemOf(refusal).status)]),
  );
});

describe.each(Object.entries(problems))("the page about problems of control, %s", (name, status) => {
  // Two of them are answered by the mesh as well, and have their section there.
  const section = controlSections.get(name) ?? sections.get(name) ?? "";

  test("has a section that tells the status", () => {
    expect(section).toContain(`**Status ${status}`);
  });

  test.each(questions)("answers: %s", (question) => {
    expect(section).toContain(`**${question}** `);
  });
});

describe("the page about workloads that control declines", () => {
  const section = controlSections.get(declinedProblem) ?? "";
  /** The compiler demands a member for a new reason. */
  const reasons: Readonly<Record<Declined["reason"], true>> = {
    unregistered: true,
    "not-attested": true,
    "bad-possession": true,
    "bad-token": true,
    revoked: true,
    "unsupported-version": true,
    malformed: true,
    "not-ready": true,
  };

  test.each(questions)("answers: %s", (question) => {
    expect(section).toContain(`**${question}** `);
  });

  test("explains every reason once", () => {
    const explained = [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, reason]) => reason);
    expect(explained).toEqual(Object.keys(reasons));
  });
});

test("the part about control has no section for a problem that does not exist, and its table lists each once", () => {
  const own = Object.keys(problems).filter((name) => !Object.hasOwn(refusals, name));
  expect([...controlSections.keys()]).toEqual([...own, declinedProblem]);
  expect(rowsOf(ofControl)).toEqual([
    ...Object.entries(problems).map(([name, status]) => [name, name, String(status)]),
    [declinedProblem, declinedProblem, "400, 403 or 503"],
  ]);
});
