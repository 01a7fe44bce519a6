import { env } from "cloudflare:workers";
import { maxWitLifetimeMs } from "@tulle/mesh-runtime/identity/wimse-profile.ts";
import { decodeJwt } from "jose";
import { describe, expect, test, vi } from "vitest";
import type {
  AuditAnswer,
  EntriesAnswer,
  EntryRequest,
  IdentitiesAnswer,
  RevocationsAnswer,
} from "../../../control/api/contract.ts";
import { entryTtl } from "../../../control/issuer/registration.ts";
import { app, selectors } from "../../support/oidc-issuer.ts";
import { api, joinRequest, reportRequest, workload } from "../support.ts";
import {
  attested,
  believingControl,
  create,
  credential,
  entries,
  idOf,
  revokeEntry,
  signed,
  viewer,
  type Wish,
} from "./attesting.ts";

believingControl();

describe("an entry that is revoked", () => {
  test("lets nothing be issued by it, and its tokens are refused with the next bundle", async () => {
    const { body: entry } = await create();
    const by = await credential();
    const before = Date.now();
    const { status, body } = await revokeEntry(entry.id);
    expect([status, body.revokedAt, body.revokedBy]).toEqual([200, expect.any(String), "operator"]);
    expect(await attested()).toMatchObject({ status: 400, body: { reason: "not-attested" } });
    const bundle = decodeJwt((await env.POLICIES.get("bundle")) ?? "");
    const [revoked] = bundle.revoked as { sub: string; before: number }[];
    expect(revoked).toMatchObject({ sub: idOf("pay") });
    expect((revoked?.before ?? 0) * 1_000).toBeGreaterThan(by.issuedAt);
    expect((revoked?.before ?? 0) * 1_000).toBeGreaterThanOrEqual(before);
    // Control itself looks at its bundle every five seconds.
    vi.setSystemTime(Date.now() + 5_001);
    expect((await signed("report", reportRequest("default/pay"), by)).status).toBe(400);
  });

  test("leaves its identity to other entries, who get tokens at once", async () => {
    const { body: entry } = await create();
    await create({ attestor: "binding", selectors: [] });
    await attested();
    await revokeEntry(entry.id);
    expect((await workload({ service: "pay" }).join(await joinRequest())).ok).toBe(true);
    const { revoked } = (await api<RevocationsAnswer>("GET", "/api/identity/revocations")).body;
    expect(revoked).toMatchObject([
      {
        kind: "spiffeId",
        value: idOf("pay"),
        liftedAt: expect.any(String),
        reason: expect.stringContaining(entry.id),
      },
    ]);
  });

  test("does not lift what an operator has revoked", async () => {
    const { body: entry } = await create();
    await attested();
    await api("POST", "/api/identity/revocations", { spiffeId: idOf("pay"), reason: "stolen" });
    await revokeEntry(entry.id);
    await create({ attestor: "binding", selectors: [] });
    expect(await workload({ service: "pay" }).join(await joinRequest())).toMatchObject({ reason: "revoked" });
  });

  test("keeps its identity closed, until it is deleted", async () => {
    const { body: entry } = await create();
    expect((await api("DELETE", `/api/identity/entries/${entry.id}`)).status).toBe(409);
    await revokeEntry(entry.id);
    const binding = async () => (await workload({ service: "pay" }).join(await joinRequest())).ok;
    expect(await binding()).toBe(false);
    expect((await api("DELETE", `/api/identity/entries/${entry.id}`)).status).toBe(200);
    expect([await binding(), await entries()]).toEqual([true, []]);
  });

  test("by which nothing was issued leaves the bundle as it is", async () => {
    const { body: entry } = await create();
    await revokeEntry(entry.id);
    expect((await api<RevocationsAnswer>("GET", "/api/identity/revocations")).body.revoked).toEqual([]);
  });
});

describe("entries", () => {
  test("are listed for whoever may read, and made by an admin alone", async () => {
    expect((await create({}, viewer)).status).toBe(403);
    const { body } = await create({ note: "the shop's carrier", ttlMs: 3_600_000 });
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
      spiffeId: idOf("pay"),
      attestor: "deno-deploy",
      selectors: [...selectors].sort(),
      ttlMs: 3_600_000,
      note: "the shop's carrier",
      createdAt: expect.any(String),
      createdBy: "operator",
      issued: 0,
    });
    const read = await api<EntriesAnswer>("GET", "/api/identity/entries", undefined, viewer);
    expect(read.body.entries).toEqual([body]);
    expect((await api("POST", `/api/identity/entries/${body.id}/revoke`, {}, viewer)).status).toBe(403);
    expect((await api("DELETE", `/api/identity/entries/${body.id}`, undefined, viewer)).status).toBe(403);
  });

  test("show with the identities who may become each", async () => {
    await create();
    const { identities } = (await api<IdentitiesAnswer>("GET", "/api/identity")).body;
    expect(identities.map(({ service, attestors, registered }) => [service, attestors, registered])).toEqual([
      ["default/pay", ["deno-deploy"], true],
      ["default/payroll", ["binding", "join-token"], false],
    ]);
  });

  // One test for all: each would need a mesh of its own.
  const unusable: readonly [what: string, change: Wish, status: number][] = [
    ["no Service", { service: "nobody" }, 404],
    ["a name in capitals", { service: "Pay" }, 400],
    ["both a service and an identity", { spiffeId: idOf("pay") }, 400],
    ["another trust domain", { service: undefined, spiffeId: "spiffe://other.example/ns/a/sa/b" }, 400],
    ["a trust domain alone", { service: undefined, spiffeId: "spiffe://mesh.local" }, 400],
    ["a pattern of identities", { service: undefined, spiffeId: `${idOf("pay")}*` }, 400],
    ["no selector of an app", { selectors: [] }, 400],
    ["a slug", { selectors: [...selectors, `app_slug:${app.app_slug}`] }, 400],
    ["an attestor that does not exist", { attestor: "magic" as EntryRequest["attestor"] }, 400],
    ["less than ten minutes", { ttlMs: 599_999 }, 400],
    ["more than four hours", { ttlMs: 14_400_001 }, 400],
    ["a long note", { note: "x".repeat(257) }, 400],
  ];
  test("are not made for what nobody could be by", async () => {
    for (const [what, change, status] of unusable)
      expect([what, (await create(change)).status]).toEqual([what, status]);
    expect(await entries()).toEqual([]);
  });

  test("are not made twice, and again once revoked", async () => {
    const { body } = await create();
    expect((await create({ selectors: [...selectors].reverse() })).status).toBe(409);
    await revokeEntry(body.id);
    expect((await create()).status).toBe(200);
    expect((await revokeEntry("0".repeat(16))).status).toBe(404);
    expect((await api("DELETE", `/api/identity/entries/${"0".repeat(16)}`)).status).toBe(404);
  });

  test("stand in the audit log, whatever becomes of them", async () => {
    const { body } = await create();
    await revokeEntry(body.id);
    await api("DELETE", `/api/identity/entries/${body.id}`);
    const { entries } = (await api<AuditAnswer>("GET", "/api/audit?newest=1&limit=3")).body;
    expect(entries.map(({ action, objects, reason }) => [action, objects[0], reason])).toEqual([
      ["entry.delete", `${idOf("pay")} ${body.id}`, ""],
      ["entry.revoke", `${idOf("pay")} ${body.id}`, "gone"],
      ["entry.create", idOf("pay"), `deno-deploy ${[...selectors].sort().join(" ")}`],
    ]);
  });
});

test("no token lives longer than verifiers believe, whatever an entry says", () => {
  expect(entryTtl.maxMs).toBeLessThanOrEqual(maxWitLifetimeMs);
});
