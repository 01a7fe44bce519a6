import type { NewOperatorToken, OperatorToken } from "@tulle/control/api/contract.ts";
import { describe, expect, test } from "vitest";
import { startStandIn } from "./stand-in.ts";
import { tulleAt } from "./tulle.ts";

const ci: OperatorToken = {
  name: "ci",
  role: "editor",
  id: "0123456789abcdef",
  createdAt: "2026-11-23T10:00:00.000Z",
  createdBy: "operator",
  expiresAt: "2027-02-21T10:00:00.000Z",
};
const made: NewOperatorToken = { ...ci, token: `tulle_op_0123456789abcdef_${"x".repeat(43)}` };

describe("tulle token create", () => {
  test("prints the token alone on stdout, and what it is on stderr", async () => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/tokens", made);
    const ended = await tulleAt(standIn, [
      "token",
      "create",
      "--role",
      "editor",
      "--name",
      "ci",
      "--ttl",
      "30d",
    ]);
    expect(ended).toMatchObject({ code: 0, stdout: `${made.token}\n` });
    expect(ended.stderr).toContain("ci with role editor, until 2027-02-21T10:00:00.000Z");
    expect(ended.stderr).not.toContain(made.token);
    expect(standIn.received[0]?.body).toEqual({ name: "ci", role: "editor", ttlMs: 30 * 86_400_000 });
  });

  test("asks for 90 days unless told otherwise", async () => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/tokens", made);
    await tulleAt(standIn, ["token", "create", "--role", "viewer", "--name", "ci"]);
    expect(standIn.received[0]?.body).toMatchObject({ ttlMs: 90 * 86_400_000 });
  });

  test.each([
    ["no role", ["--name", "ci"]],
    ["a role that is none", ["--name", "ci", "--role", "root"]],
    ["a life of two years", ["--name", "ci", "--role", "viewer", "--ttl", "732d"]],
    ["a life that is none", ["--name", "ci", "--role", "viewer", "--ttl", "long"]],
  ])("with %s asks nothing of control", async (_what, words) => {
    await using standIn = await startStandIn();
    expect(await tulleAt(standIn, ["token", "create", ...words])).toMatchObject({ code: 2, stdout: "" });
    expect(standIn.received).toEqual([]);
  });

  test.each(["token-exists", "entry-exists"])(
    "says of the conflict %s what control says, without advice about revisions",
    async (kind) => {
      await using standIn = await startStandIn();
      standIn.handle("POST /api/tokens", (_request, response) => {
        response.writeHead(409, { "content-type": "application/problem+json" });
        const type = `https://tulle.dev/problems/${kind}`;
        response.end(JSON.stringify({ type, title: "There is a token of this name", status: 409 }));
      });
      const ended = await tulleAt(standIn, ["token", "create", "--role", "viewer", "--name", "ci"]);
      expect(ended).toMatchObject({ code: 3, stdout: "" });
      expect(ended.stderr).toContain("There is a token of this name");
      expect(ended.stderr).not.toMatch(/revision|first/);
    },
  );
});

test("tulle token list shows who gets in, until when, and who is not used", async () => {
  await using standIn = await startStandIn();
  standIn.answer("GET /api/tokens", {
    tokens: [
      { name: "operator", role: "admin" },
      { ...ci, lastUsedAt: "2026-11-23T11:00:00.000Z" },
      { ...ci, name: "old", role: "viewer", expiresAt: "2020-01-01T00:00:00.000Z" },
    ],
  });
  const ended = await tulleAt(standIn, ["token", "list"]);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(ended.stdout).toBe(
    [
      "NAME       ROLE     CREATED             BY         EXPIRES                     LAST USED",
      "operator   admin    -                   (secret)   never                       -",
      "ci         editor   2026-11-23 10:00Z   operator   2027-02-21 10:00Z           2026-11-23 11:00Z",
      "old        viewer   2026-11-23 10:00Z   operator   2020-01-01 00:00Z expired   never",
      "",
    ].join("\n"),
  );
});

test("tulle token revoke says what is gone, and that there is none", async () => {
  await using standIn = await startStandIn();
  standIn.answer("DELETE /api/tokens/:name", ci);
  expect(await tulleAt(standIn, ["token", "revoke", "ci"])).toMatchObject({
    code: 0,
    stdout: "Token ci (editor) is revoked.\n",
  });
  standIn.problem("DELETE /api/tokens/:name", 404, "There is no such thing");
  expect(await tulleAt(standIn, ["token", "revoke", "ci"])).toMatchObject({ code: 1, stdout: "" });
});
