import type { EntryLine, IdentityLine } from "@tulle/control/api/contract.ts";
import { expect, test } from "vitest";
import { startStandIn } from "./stand-in.ts";
import { tulleAt } from "./tulle.ts";

const web = "spiffe://mesh.local/ns/default/sa/web";
const entry: EntryLine = {
  id: "0123456789abcdef",
  spiffeId: web,
  attestor: "deno-deploy",
  selectors: ["app_id:16ad21d8-7aeb-4155-8aa3-9f58df87cd3e", "org_id:729adb8f-20d6-4b09-bb14-fac14cb260d1"],
  ttlMs: 1_800_000,
  note: "carrier",
  createdAt: "2026-11-23T10:00:00.000Z",
  createdBy: "operator",
  issued: 2,
};
const revoked: EntryLine = { ...entry, revokedAt: "2026-11-23T11:00:00.000Z", revokedBy: "ops" };
const line: IdentityLine = {
  service: "default/web",
  spiffeId: web,
  issued: 2,
  revoked: false,
  attestors: ["deno-deploy"],
  registered: true,
};

test("tulle identity create asks for exactly what its options say, and shows the entry", async () => {
  await using standIn = await startStandIn();
  standIn.answer("POST /api/identity/entries", entry);
  const words = ["--service", "web", "--attestor", "deno-deploy", "--ttl", "30m", "--note", "carrier"];
  const chosen = entry.selectors.flatMap((each) => ["--selector", each]);
  const { code, stdout, stderr } = await tulleAt(standIn, ["identity", "create", ...words, ...chosen]);
  expect(stderr).toContain(`Only what its entries name may become ${web} now.`);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^0123456789abcdef\s+spiffe:.*30 min\s+2\s/m)]);
  await tulleAt(standIn, ["identity", "create", "--attestor", "join-token", web, "-o", "json"]);
  expect(standIn.received.map(({ body }) => body)).toEqual([
    {
      service: "web",
      attestor: "deno-deploy",
      ttlMs: 1_800_000,
      note: "carrier",
      selectors: entry.selectors,
    },
    { spiffeId: web, attestor: "join-token" },
  ]);
});

test("tulle identity create and revoke ask nothing of control when they cannot be meant so", async () => {
  await using standIn = await startStandIn();
  const wrong = [
    ["create", web, "--service", "web", "--attestor", "binding"],
    ["create", web],
    ["create", web, "--attestor", "binding", "--ttl", "5h"],
    ["revoke", web, "--entry", entry.id],
  ];
  for (const words of wrong)
    expect([words, (await tulleAt(standIn, ["identity", ...words])).code]).toEqual([words, 2]);
  expect(standIn.received).toEqual([]);
});

test("tulle identity show tells who may become one, entries and revoke what there is and was", async () => {
  await using standIn = await startStandIn();
  standIn.answer("GET /api/identity", { identities: [line] });
  standIn.answer("GET /api/identity/entries", { entries: [entry, { ...revoked, spiffeId: `${web}-2` }] });
  const shown = await tulleAt(standIn, ["identity", "show", "web"]);
  expect(shown.stdout).toMatch(/^default\/web\s+spiffe:\S+\s+deno-deploy\s/m);
  expect(shown.stdout).toContain(entry.selectors[0]);
  expect(shown.stdout).not.toContain("revoked by");
  for (const name of ["web", web]) {
    const read = await tulleAt(standIn, ["identity", "show", name, "-o", "json"]);
    expect(JSON.parse(read.stdout)).toEqual({ ...line, entries: [entry] });
  }
  const unused = await tulleAt(standIn, ["identity", "show", `${web}-2`]);
  expect([unused.code, unused.stdout, unused.stderr]).toEqual([
    0,
    expect.stringContaining("revoked by ops"),
    expect.stringContaining("No Service has the identity"),
  ]);
  for (const words of [
    ["show", `${web}-3`],
    ["list", "nobody"],
  ])
    expect(await tulleAt(standIn, ["identity", ...words])).toMatchObject({ code: 1, stdout: "" });
  expect(await tulleAt(standIn, ["identity", "entries", "web"])).toMatchObject({ code: 2, stdout: "" });
  expect((await tulleAt(standIn, ["identity", "entries"])).stdout).toContain("revoked by ops");
  expect((await tulleAt(standIn, ["identity", "entries", web])).stdout).not.toContain("revoked by ops");

  standIn.answer("POST /api/identity/entries/:id/revoke", revoked);
  standIn.answer("DELETE /api/identity/entries/:id", revoked);
  const ended = await tulleAt(standIn, ["identity", "revoke", "--entry", entry.id, "--reason", "moved"]);
  expect([ended.code, ended.stdout]).toEqual([0, expect.stringContaining("revoked by ops")]);
  expect((await tulleAt(standIn, ["identity", "delete", entry.id])).stdout).toContain("is forgotten");
  expect(standIn.received.slice(-2).map(({ method, url, body }) => [method, url.pathname, body])).toEqual([
    ["POST", `/api/identity/entries/${entry.id}/revoke`, { reason: "moved" }],
    ["DELETE", `/api/identity/entries/${entry.id}`, undefined],
  ]);
});
