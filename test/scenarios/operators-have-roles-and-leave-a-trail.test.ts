import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AuditEntry, Revision } from "../../control/api/contract.ts";
import { type Ended, temporaryDirectory, tulle } from "../cli/tulle.ts";
import { open, virtual } from "../support/policy-texts.ts";

const directory = temporaryDirectory();
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: { web: { fetch: () => new Response("web") } },
    policies: [open("web")],
  });
});
afterAll(async () => {
  await mesh.dispose();
  directory[Symbol.dispose]();
});

const as = (token: string, ...words: string[]): Promise<Ended> =>
  tulle(words, { cwd: directory.path, env: { TULLE_URL: mesh.operator.url, TULLE_TOKEN: token } });
const admin = (...words: string[]): Promise<Ended> => as(mesh.operator.token, ...words);

test("a team gets a token, changes what it may, is refused what it may not, and all of it is in a log that holds", async () => {
  const made = await admin("token", "create", "--role", "editor", "--name", "ci", "--ttl", "1d");
  expect(made, made.stderr).toMatchObject({ code: 0 });
  const ci = made.stdout.trim();

  writeFileSync(join(directory.path, "other.yaml"), virtual("other"));
  const applied = await as(ci, "apply", "-f", "other.yaml", "--reason", "one more");
  expect(applied, applied.stderr).toMatchObject({ code: 0 });
  const refused = await as(ci, "token", "create", "--role", "admin", "--name", "more");
  expect(refused).toMatchObject({ code: 4, stdout: "" });
  expect(refused.stderr).toContain("The role admin is required");

  const history = JSON.parse((await as(ci, "history", "-o", "json")).stdout) as Revision[];
  expect(history.map(({ author }) => author)).toEqual(["ci", "operator"]);
  expect((await as(ci, "history")).stdout).toMatch(/^ +2 .* ci +created /m);

  expect(await admin("token", "revoke", "ci")).toMatchObject({ code: 0 });
  expect(await as(ci, "status")).toMatchObject({ code: 4, stdout: "" });

  const entries = JSON.parse((await admin("audit", "-o", "json")).stdout) as AuditEntry[];
  expect(entries.toReversed().map(({ actor, action, outcome }) => [actor.name, action, outcome])).toEqual([
    ["operator", "policy.apply", "done"],
    ["operator", "token.create", "done"],
    ["ci", "policy.apply", "done"],
    ["ci", "access.denied", "refused"],
    ["operator", "token.revoke", "done"],
  ]);
  const verified = await admin("audit", "verify");
  expect(verified, verified.stdout).toMatchObject({ code: 0, stderr: "" });
  expect(verified.stdout).toContain(`head 5 ${entries[0]?.hash}`);
  for (const { stdout, stderr } of [applied, refused, verified]) expect(stdout + stderr).not.toContain(ci);
});
