import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ChangeAnswer, Issue } from "@tulle/control/api/contract.ts";
import { describe, expect, test } from "vitest";
import { startStandIn } from "./stand-in.ts";
import { temporaryDirectory, tulleAt } from "./tulle.ts";

const payments = { kind: "HTTPRoute", namespace: "default", name: "payments" };
const diff =
  "--- a/HTTPRoute/default/payments\n+++ b/HTTPRoute/default/payments\n@@ -1,1 +1,1 @@\n-weight: 90\n+weight: 80\n";
const changed: ChangeAnswer = {
  revision: 42,
  applied: true,
  changes: [
    { kind: "Service", namespace: "default", name: "web", action: "unchanged", diff: "" },
    { ...payments, action: "changed", diff },
  ],
  issues: [],
};
const badWeight: Issue = {
  severity: "error",
  source: "<stdin>",
  line: 3,
  column: 11,
  document: "HTTPRoute/default/payments",
  path: "spec.rules[0].backendRefs[0].weight",
  expected: "an integer from 0 to 1000000",
  found: '"ten"',
  message: "A weight is a share of the requests; write a number.",
};
const refused: ChangeAnswer = { ...changed, revision: 41, applied: false, issues: [badWeight] };
const badText = "kind: HTTPRoute\nbackend:\n  weight: ten\n";

describe("tulle apply", () => {
  test("tells loudly of references that do not resolve, and asks control to refuse them with --strict", async () => {
    await using standIn = await startStandIn();
    const unresolved: Issue = { ...badWeight, severity: "warning", unresolved: true };
    standIn.answer("POST /api/policies", { ...changed, issues: [unresolved, unresolved] });
    const lenient = await tulleAt(standIn, ["apply", "-f", "-"], { stdin: badText });
    expect(lenient.code).toBe(0);
    expect(lenient.stderr).toContain("<stdin>:3:11  warning  spec.rules[0].backendRefs[0].weight: expected");
    expect(lenient.stderr).toMatch(/^2 references do not resolve, and are not used until they do/m);
    expect(standIn.received.at(-1)?.body?.strict).toBeUndefined();
    await tulleAt(standIn, ["apply", "--strict", "-f", "-"], { stdin: badText });
    expect(standIn.received.at(-1)?.body?.strict).toBe(true);
  });

  test("sends what a file holds, and says what became of each document", async () => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    standIn.answer("POST /api/policies", changed);
    writeFileSync(join(directory.path, "route.yaml"), "kind: HTTPRoute\n");

    const ended = await tulleAt(standIn, ["apply", "-f", "route.yaml", "--reason", "canary"], {
      cwd: directory.path,
    });

    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toBe(
      [
        "Service/default/web  unchanged",
        "HTTPRoute/default/payments  changed",
        "  --- a/HTTPRoute/default/payments",
        "  +++ b/HTTPRoute/default/payments",
        "  @@ -1,1 +1,1 @@",
        "  -weight: 90",
        "  +weight: 80",
        "Revision 42 is in force: 1 unchanged, 1 changed.",
        "",
      ].join("\n"),
    );
    expect(standIn.received.map(({ body }) => body)).toEqual([
      { sources: [{ source: "route.yaml", text: "kind: HTTPRoute\n" }], reason: "canary" },
    ]);
  });

  test("reads directories with everything below them in the order of paths, and leaves out what is no document", async () => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    standIn.answer("POST /api/policies", changed);
    for (const folder of ["b/deep", ".git", "node_modules"])
      mkdirSync(join(directory.path, "policies", folder), { recursive: true });
    for (const file of [
      "c.yml",
      "a.json",
      "b/z.yaml",
      "b/deep/y.yaml",
      "README.md",
      ".git/x.yaml",
      "node_modules/x.yaml",
    ])
      writeFileSync(join(directory.path, "policies", file), file);
    writeFileSync(join(directory.path, "first.yaml"), "first");

    await tulleAt(standIn, ["apply", "-f", "first.yaml", "-f", "policies"], { cwd: directory.path });

    expect(standIn.received[0]?.body?.sources?.map(({ source }) => source)).toEqual([
      "first.yaml",
      "policies/a.json",
      "policies/b/deep/y.yaml",
      "policies/b/z.yaml",
      "policies/c.yml",
    ]);
  });

  test("shows what is wrong with a document from stdin where it stands, and exits with 3", async () => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/policies", refused, 422);

    const ended = await tulleAt(standIn, ["apply", "-f", "-"], { stdin: badText });

    expect(ended).toMatchObject({ code: 3, stdout: "" });
    expect(ended.stderr).toBe(
      [
        '<stdin>:3:11  error  spec.rules[0].backendRefs[0].weight: expected an integer from 0 to 1000000, found "ten"',
        "  3 |   weight: ten",
        "    |           ^",
        "  A weight is a share of the requests; write a number.",
        "Refused: 1 error. Nothing was changed; revision 41 stays in force.",
        "",
      ].join("\n"),
    );
    expect(standIn.received[0]?.body?.sources).toEqual([{ source: "<stdin>", text: badText }]);
  });

  test("prints a warning and goes on", async () => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/policies", { ...changed, issues: [{ ...badWeight, severity: "warning" }] });
    const ended = await tulleAt(standIn, ["apply", "-f", "-"], { stdin: badText });
    expect(ended.code).toBe(0);
    expect(ended.stderr).toMatch(/^<stdin>:3:11 {2}warning {2}/);
    expect(ended.stdout).toContain("Revision 42 is in force");
  });

  test("a dry run shows the differences of new documents too, and says that nothing was changed", async () => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/policies", {
      revision: 41,
      applied: false,
      changes: [
        {
          ...payments,
          action: "created",
          diff: "--- /dev/null\n+++ b/x\n@@ -0,0 +1,1 @@\n+kind: HTTPRoute\n",
        },
      ],
      issues: [],
    });
    const ended = await tulleAt(standIn, ["apply", "-f", "-", "--dry-run", "--expected-revision", "41"], {
      stdin: "x",
    });
    expect(ended.code).toBe(0);
    expect(ended.stdout).toContain("HTTPRoute/default/payments  created\n  --- /dev/null");
    expect(ended.stdout).toContain("  +kind: HTTPRoute\n");
    expect(ended.stdout).toContain("Dry run (1 created): nothing was changed; revision 41 stays in force.");
    expect(standIn.received[0]?.body).toMatchObject({ dryRun: true, expectedRevision: 41 });
  });

  test("with -o json stdout is control's answer, refused or not", async () => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/policies", refused, 422);
    const ended = await tulleAt(standIn, ["apply", "-f", "-", "-o", "json"], { stdin: badText });
    expect(ended).toMatchObject({ code: 3, stderr: "" });
    expect(JSON.parse(ended.stdout)).toEqual(refused);
  });

  test("a conflict exits with 3 and says how to look at what happened", async () => {
    await using standIn = await startStandIn();
    standIn.problem(
      "POST /api/policies",
      409,
      "The head revision is not the expected one",
      "It is 43, expected 42.",
    );
    const ended = await tulleAt(standIn, ["apply", "-f", "-", "--expected-revision", "42"], { stdin: "x" });
    expect(ended).toMatchObject({ code: 3, stdout: "" });
    expect(ended.stderr).toContain("It is 43, expected 42.");
    expect(ended.stderr).toContain("tulle history");
  });

  test.each([
    ["no file", ["apply"], "required option '-f, --filename <path>'"],
    ["a file that does not exist", ["apply", "-f", "gone.yaml"], "Cannot read gone.yaml (ENOENT)"],
    ["a directory without documents", ["apply", "-f", "."], "no *.yaml, *.yml or *.json"],
    ["stdin twice", ["apply", "-f", "-", "-f", "-"], "once"],
    [
      "a revision that is no number",
      ["apply", "-f", "-", "--expected-revision", "newest"],
      "revision's number",
    ],
  ])("exits with 2 for %s, and asks control nothing", async (_what, words, message) => {
    await using standIn = await startStandIn();
    using directory = temporaryDirectory();
    const ended = await tulleAt(standIn, words, { cwd: directory.path });
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain(message);
    expect(standIn.received).toEqual([]);
  });
});
