import type { KeysAnswer, RevocationsAnswer } from "@tulle/control/api/contract.ts";
import { describe, expect, test } from "vitest";
import { startStandIn } from "./stand-in.ts";
import { tulleAt } from "./tulle.ts";

const keys: KeysAnswer = {
  keys: [
    {
      kid: "aaa",
      use: "signing",
      state: "active",
      since: "2026-11-01T00:00:00.000Z",
      movesAt: "2026-12-01T00:00:00.000Z",
    },
    {
      kid: "bbb",
      use: "signing",
      state: "prepared",
      since: "2026-11-01T00:00:00.000Z",
      movesAt: "2026-12-01T00:00:00.000Z",
    },
    { kid: "rrr", use: "root", state: "active" },
    {
      kid: "sss",
      use: "root",
      state: "prepared",
      since: "2026-11-01T00:00:00.000Z",
      movesAt: "2026-11-02T00:00:00.000Z",
    },
  ],
  rotationMs: 2_592_000_000,
  bundle: { sequence: 7, expiresAt: "2026-11-24T00:00:00.000Z" },
};

describe("tulle keys", () => {
  test("list says what becomes of each key, and when", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/keys", keys);
    const { code, stdout, stderr } = await tulleAt(standIn, ["keys", "list"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^aaa\s+signing\s+active .*signs until 2026-12-01/m);
    expect(stdout).toMatch(/^bbb\s+signing\s+prepared .*signs from 2026-12-01/m);
    expect(stdout).toMatch(/^rrr\s+root\s+active\s+-\s+-$/m);
    expect(stdout).toMatch(/^sss\s+root\s+prepared .*--root --activate, from 2026-11-02T/m);
    expect(stderr).toContain("Bundle 7");
  });

  test.each<[verb: "rotate" | "revoke", words: string[], body: object]>([
    ["rotate", [], { key: "signing" }],
    ["rotate", ["--root"], { key: "root" }],
    ["rotate", ["--root", "--activate"], { key: "root", activate: true }],
    ["rotate", ["--root", "--activate", "--force"], { key: "root", activate: true, force: true }],
    ["revoke", ["aaa"], { kid: "aaa" }],
  ])("%s %j asks for exactly that", async (verb, words, body) => {
    await using standIn = await startStandIn();
    standIn.answer(`POST /api/keys/${verb}`, keys);
    expect(await tulleAt(standIn, ["keys", verb, ...words, "-o", "json"])).toMatchObject({ code: 0 });
    expect(standIn.received.map((request) => request.body)).toEqual([body]);
  });

  test.each([
    [["--root"], "wait a day before --activate"],
    [["--root", "--activate"], "until it is started anew"],
  ])("rotate %j says what comes next", async (words, note) => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/keys/rotate", keys);
    expect((await tulleAt(standIn, ["keys", "rotate", ...words])).stderr).toContain(note);
  });

  test("revoke says who has to be given a new join token", async () => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/keys/revoke", keys);
    const { stderr } = await tulleAt(standIn, ["keys", "revoke", "aaa"]);
    expect(stderr).toContain("tulle identity token --service");
  });
});

describe("tulle identity", () => {
  const web = "spiffe://mesh.local/ns/default/sa/web";
  const identityOfWeb = {
    service: "default/web",
    issued: 3,
    revoked: false,
    attestors: [],
    registered: false,
  };
  const answer: RevocationsAnswer = {
    revoked: [
      { kind: "spiffeId", value: web, at: "2026-11-23T10:00:00.000Z", by: "operator", reason: "stolen" },
    ],
    sequence: 8,
  };

  test.each<[words: string[], path: "" | "/lift", body: object]>([
    [["revoke", web, "--reason", "stolen"], "", { spiffeId: web, reason: "stolen" }],
    [["revoke", "--jti", "abc"], "", { jti: "abc" }],
    [["revoke", "--thumbprint", "k"], "", { thumbprint: "k" }],
    [["unrevoke", web], "/lift", { spiffeId: web }],
  ])("%j asks for exactly that, and shows the list", async (words, path, body) => {
    await using standIn = await startStandIn();
    standIn.answer(`POST /api/identity/revocations${path}`, answer);
    standIn.answer("GET /api/identity", { identities: [] });
    const { code, stdout } = await tulleAt(standIn, ["identity", ...words]);
    expect([code, stdout]).toEqual([0, expect.stringContaining(web)]);
    expect(standIn.received.filter(({ method }) => method === "POST").map((request) => request.body)).toEqual(
      [body],
    );
  });

  test.each([
    ["one that no Service has may be misspelt", `${web}s`, true],
    ["one of another trust domain", "spiffe://partner.example/ns/default/sa/web", false],
  ])("revoke says of %s what is to be said", async (_what, id, isNoted) => {
    await using standIn = await startStandIn();
    standIn.answer("POST /api/identity/revocations", answer);
    standIn.answer("GET /api/identity", { identities: [{ ...identityOfWeb, spiffeId: web }] });
    const { code, stderr } = await tulleAt(standIn, ["identity", "revoke", id]);
    expect([code, stderr.includes(`No Service has the identity ${id}`)]).toEqual([0, isNoted]);
  });

  test.each([
    [["revoke"]],
    [["revoke", web, "--jti", "abc"]],
    [["unrevoke", "--jti", "a", "--thumbprint", "b"]],
  ])("%j names nothing, or too much, and asks nothing of control", async (words) => {
    await using standIn = await startStandIn();
    expect(await tulleAt(standIn, ["identity", ...words])).toMatchObject({ code: 2 });
    expect(standIn.received).toEqual([]);
  });

  test("list shows who has an identity; one that nobody has is not found", async () => {
    await using standIn = await startStandIn();
    const seen = { lastSeenMs: 1_200, issued: 3, revoked: true } as const;
    const line = { service: "default/web", spiffeId: web, ...seen, attestors: [], registered: false };
    const closed = { ...line, service: "default/api", spiffeId: `${web}-api`, registered: true };
    const alone = { ...closed, service: "", spiffeId: `${web}-later`, attestors: ["join-token"] as const };
    standIn.answer("GET /api/identity", { identities: [line, closed, alone] });
    standIn.answer("GET /api/identity/entries", { entries: [] });
    const { stdout } = await tulleAt(standIn, ["identity", "list"]);
    expect(stdout).toMatch(/^default\/web\s+spiffe:\S+\s+anybody named so\s+1 s ago\s+3\s+-\s+revoked$/m);
    expect(stdout).toMatch(/^default\/api\s+spiffe:\S+\s+nobody\s/m);
    expect(stdout).toMatch(/^-\s+spiffe:\S+-later\s+join-token\s/m);
    expect(await tulleAt(standIn, ["identity", "show", "nobody"])).toMatchObject({ code: 1, stdout: "" });
  });

  test("revoked says that nothing is", async () => {
    await using standIn = await startStandIn();
    standIn.answer("GET /api/identity/revocations", { revoked: [], sequence: 1 });
    expect(await tulleAt(standIn, ["identity", "revoked"])).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringContaining("Nothing is revoked"),
    });
  });
});
