import { evictAllDurableObjects, reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { AuditChain } from "../../../cli/audit-chain.ts";
import { access } from "../../../control/api/access.ts";
import type { AuditAnswer, AuditEntry, NewOperatorToken } from "../../../control/api/contract.ts";
import { type AuditBounds, AuditLog, auditBounds } from "../../../control/audit/audit-log.ts";
import { type Draft, digestOfChange } from "../../../control/audit/entry.ts";
import { api, apply, issuerObject, permission, service, storeObject } from "../support.ts";

beforeEach(() => reset());

const at = Date.UTC(2026, 10, 1);
const viewer = "viewer-token-of-the-tests-0123456789";

const log = async (query = "?limit=1000") => (await api<AuditAnswer>("GET", `/api/audit${query}`)).body;
const actions = async () => (await log()).entries.map(({ action, outcome }) => `${action} ${outcome}`);

/** Walks all pages as the command line does; answers the sequence at which the chain breaks. */
async function brokenAt(limit = 1_000): Promise<number | undefined> {
  const chain = new AuditChain([]);
  for (let more = true; more; ) {
    const page = await log(`?after=${chain.head.sequence}&limit=${limit}`);
    for (const entry of page.entries) {
      const broken = await chain.next(entry);
      if (broken !== undefined) return broken.sequence;
    }
    more = page.more;
  }
  return chain.end()?.sequence;
}

const draft = async (name = "ci", change: Partial<Draft> = {}): Promise<Draft> => ({
  actor: { name, role: "editor" },
  action: "policy.apply",
  objects: ["Service/default/web"],
  revision: { before: 0, after: 1 },
  reason: "",
  digest: await digestOfChange({}),
  ...change,
});

/** Runs with the log of the object, with other bounds if need be. */
const withLog = <T>(
  work: (log: AuditLog, sql: SqlStorage) => Promise<T>,
  bounds: Partial<AuditBounds> = {},
) =>
  runInDurableObject(storeObject(), async (_object, { storage }) =>
    work(new AuditLog(storage, { ...auditBounds, ...bounds }), storage.sql),
  );

/** Fills the log with changes. */
const filled = (count: number, bounds: Partial<AuditBounds> = {}) =>
  withLog(async (audit) => {
    for (let n = 0; n < count; n += 1) await audit.record(await draft(), at + n, () => true);
  }, bounds);

describe("what is written", () => {
  test("each change, with who, what, between which revisions, and why", async () => {
    await api("POST", "/api/policies", {
      sources: [{ source: "a", text: `${service("web")}---\n${service("payments")}` }],
      reason: "first two",
    });
    const { entries, head } = await log();
    expect(entries).toEqual([
      {
        sequence: 1,
        at: expect.stringMatching(/^\d{4}-.*Z$/),
        actor: { name: "operator", role: "admin" },
        action: "policy.apply",
        outcome: "done",
        objects: ["Service/default/payments", "Service/default/web"],
        revision: { before: 0, after: 1 },
        reason: "first two",
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
        previous: "0".repeat(64),
        hash: head.hash,
      },
    ]);
  });

  test("applies, deletions, undoing, adoptions, tokens and join tokens, each once, in one chain", async () => {
    await apply(service("web"));
    await apply(service("web"));
    await api("DELETE", "/api/policies/Service/default/web");
    await api("POST", "/api/policies/undo", {});
    await env.POLICIES.put("policies/Service/default/kv", service("kv"));
    await api("POST", "/api/sync", {});
    const { body } = await api<NewOperatorToken>("POST", "/api/tokens", { name: "ci", role: "editor" });
    await api("DELETE", "/api/tokens/ci");
    await api("POST", "/api/identity/tokens", { service: "web" });
    const { entries } = await log();
    expect(
      entries.map(({ actor, action, objects, revision }) => [actor.name, action, objects, revision.after]),
    ).toEqual([
      ["operator", "policy.apply", ["Service/default/web"], 1],
      ["operator", "policy.delete", ["Service/default/web"], 2],
      ["operator", "policy.undo", ["Service/default/web"], 3],
      ["kv", "policy.adopt", ["Service/default/kv"], 4],
      ["operator", "token.create", ["token/ci"], 4],
      ["operator", "token.revoke", ["token/ci"], 4],
      ["operator", "join-token.create", ["Service/default/web"], 4],
    ]);
    expect(entries[4]?.reason).toContain(body.id);
    expect(await brokenAt()).toBeUndefined();
  });

  test("every route that changes anything leaves an entry, those of keys and revocations too", async () => {
    await apply(service("web"));
    const spiffeId = "spiffe://mesh.local/ns/default/sa/web";
    await api("POST", "/api/keys/rotate", {});
    const { keys } = (await api<{ keys: { kid: string; use: string }[] }>("GET", "/api/keys")).body;
    const kid = keys.find(({ use }) => use === "signing")?.kid ?? "";
    await api("POST", "/api/keys/revoke", { kid });
    await api("POST", "/api/identity/revocations", { spiffeId, reason: "leaked" });
    await api("POST", "/api/identity/revocations/lift", { spiffeId });
    const entry = { spiffeId, attestor: "binding", note: "only by its binding" };
    const { id } = (await api<{ id: string }>("POST", "/api/identity/entries", entry)).body;
    await api("POST", `/api/identity/entries/${id}/revoke`, { reason: "moved" });
    await api("DELETE", `/api/identity/entries/${id}`);
    vi.stubGlobal("fetch", async () => new Response("nobody is here", { status: 404 }));
    const partner = {
      trustDomain: "partner.example",
      bundleEndpoint: { url: "https://partner.example/jwks.json" },
    };
    expect((await api("POST", "/api/federation", partner)).status).toBe(200);
    await api("POST", "/api/federation/partner.example/refresh");
    await api("DELETE", "/api/federation/partner.example");
    vi.unstubAllGlobals();
    const { entries } = await log();
    expect(entries.slice(1).map(({ action, objects, reason }) => [action, objects[0], reason])).toEqual([
      ["keys.rotate", "keys/signing", "rotate"],
      ["keys.revoke", `keys/${kid}`, ""],
      ["identity.revoke", `spiffeId/${spiffeId}`, "leaked"],
      ["identity.lift", `spiffeId/${spiffeId}`, ""],
      ["entry.create", spiffeId, "binding"],
      ["entry.revoke", `${spiffeId} ${id}`, "moved"],
      ["entry.delete", `${spiffeId} ${id}`, ""],
      ["federation.add", "trust-domain/partner.example", ""],
      ["federation.refresh", "trust-domain/partner.example", ""],
      ["federation.remove", "trust-domain/partner.example", ""],
    ]);
    // Whoever adds a route that changes something adds its action here, and its entry there.
    const changing = Object.keys(access).filter(
      (route) => !route.startsWith("GET ") && route !== "POST /api/explain",
    );
    expect(changing.sort()).toEqual(
      [
        "POST /api/policies",
        "POST /api/policies/undo",
        "DELETE /api/policies/:kind/:namespace/:name",
        "POST /api/sync",
        "POST /api/identity/tokens",
        "POST /api/identity/entries",
        "POST /api/identity/entries/:id/revoke",
        "DELETE /api/identity/entries/:id",
        "POST /api/identity/revocations",
        "POST /api/identity/revocations/lift",
        "POST /api/keys/rotate",
        "POST /api/keys/revoke",
        "POST /api/federation",
        "POST /api/federation/:trustDomain/refresh",
        "DELETE /api/federation/:trustDomain",
        "POST /api/tokens",
        "DELETE /api/tokens/:name",
      ].sort(),
    );
  });

  test("a token that an operator made is named with its id", async () => {
    const { body } = await api<NewOperatorToken>("POST", "/api/tokens", { name: "ci", role: "editor" });
    await api("POST", "/api/policies", { sources: [{ source: "a", text: service("web") }] }, body.token);
    expect((await log()).entries.at(-1)?.actor).toEqual({ name: "ci", role: "editor", token: body.id });
  });

  test("refused changes, by role and by what is wrong, and no dry runs and questions", async () => {
    await api("POST", "/api/policies", { sources: [{ source: "a", text: "kind: Nonsense" }] });
    await apply(permission("nowhere", "web"));
    await api("POST", "/api/policies", { sources: [{ source: "a", text: "kind: Nonsense" }], dryRun: true });
    await api("POST", "/api/policies", { sources: [] }, viewer);
    await api("GET", "/api/status");
    const { entries } = await log();
    expect(
      entries.map(({ actor, action, outcome, revision }) => [actor.name, action, outcome, revision.after]),
    ).toEqual([
      ["operator", "policy.apply", "refused", 0],
      ["operator", "policy.apply", "refused", 0],
      ["viewer", "access.denied", "refused", 0],
    ]);
    expect(entries[2]).toMatchObject({
      objects: ["POST /api/policies"],
      reason: expect.stringContaining("editor"),
    });
  });

  test("attempts beyond the bound are counted, and told by the next entry; one actor does not use up another's", async () => {
    await withLog(async (audit) => {
      for (let n = 0; n < 25; n += 1) await audit.attempt(await draft("noisy"), at + n);
      await audit.attempt(await draft("other"), at + 30);
      const { entries } = audit.page({ limit: 100 });
      expect(entries.filter(({ actor }) => actor.name === "noisy")).toHaveLength(20);
      expect(entries.at(-1)).toMatchObject({ actor: { name: "other" }, skipped: 5 });
      await audit.attempt(await draft("noisy"), at + 3_600_030);
      expect(audit.page({ limit: 1, newest: true }).entries[0]).not.toHaveProperty("skipped");
    });
    expect(await brokenAt()).toBeUndefined();
  });

  test("an entry is bounded, whatever a change holds", async () => {
    await withLog(async (audit) => {
      const objects = Array.from({ length: 10_000 }, (_, n) => `Service/default/${n}${"x".repeat(2_000)}`);
      await audit.record(await draft("ci", { objects, reason: "y".repeat(100_000) }), at, () => true);
      const [entry] = audit.page({ limit: 1 }).entries;
      expect(entry).toMatchObject({ omitted: 9_980 });
      expect(JSON.stringify(entry).length).toBeLessThan(13_000);
    });
  });
});

describe("together or not at all", () => {
  test("a change that breaks leaves no entry, and an entry that cannot be written leaves no change", async () => {
    await withLog(async (audit, sql) => {
      const broken = audit.record(await draft(), at, () => {
        sql.exec("INSERT INTO operator_tokens VALUES ('i', 'n', 'viewer', '', 0, '', 0, 0)");
        throw new Error("broken");
      });
      await expect(broken).rejects.toThrow("broken");
      expect(audit.head().sequence).toBe(0);
      sql.exec("DROP TABLE audit_skipped");
      sql.exec("CREATE TABLE audit_skipped (count INTEGER)");
      sql.exec("INSERT INTO audit_skipped VALUES (1)");
      sql.exec("CREATE TRIGGER full BEFORE UPDATE ON audit_skipped BEGIN SELECT RAISE(ABORT, 'full'); END");
      const unwritten = audit.record(await draft(), at, () => {
        sql.exec("INSERT INTO operator_tokens VALUES ('i', 'n', 'viewer', '', 0, '', 0, 0)");
        return true;
      });
      await expect(unwritten).rejects.toThrow("full");
      expect(sql.exec("SELECT * FROM operator_tokens").toArray()).toEqual([]);
      expect(audit.head().sequence).toBe(0);
    });
  });

  test("many changes at once make one chain without gaps", async () => {
    await withLog(async (audit) => {
      await Promise.all(
        Array.from({ length: 40 }, async (_, n) => audit.record(await draft(`t${n}`), at, () => true)),
      );
      expect(audit.head().sequence).toBe(40);
    });
    expect(await brokenAt()).toBeUndefined();
  });

  test("survives the object's eviction", async () => {
    await apply(service("web"));
    const before = await log();
    await evictAllDurableObjects();
    expect(await log()).toEqual(before);
    await apply(service("payments"));
    expect(await brokenAt()).toBeUndefined();
  });

  test("a join token that the issuer does not make has its entry all the same: it is written first", async () => {
    await apply(service("web"));
    await runInDurableObject(issuerObject(), (_object, { storage }) => {
      for (let n = 0; n < 1_000; n += 1)
        storage.sql.exec(
          "INSERT INTO join_tokens (hash, service, expires_at) VALUES (?, 'default/web', ?)",
          `${n}`,
          Date.now() + 600_000,
        );
    });
    expect((await api("POST", "/api/identity/tokens", { service: "web" })).status).toBe(503);
    expect(await actions()).toEqual(["policy.apply done", "join-token.create done"]);
  });
});

describe("verifying", () => {
  test("a chain of a thousand entries holds, over pages", async () => {
    await filled(1_000);
    expect(await brokenAt(300)).toBeUndefined();
    expect((await log("?limit=300&after=900")).entries).toHaveLength(100);
  });

  test.each<[string, string, number]>([
    ["text changed", `UPDATE audit SET text = REPLACE(text, '"ci"', '"me"') WHERE sequence = 7`, 7],
    ["text that is no JSON", "UPDATE audit SET text = '{' WHERE sequence = 7", 7],
    [
      "member added",
      `UPDATE audit SET text = REPLACE(text, '{"action"', '{"aaa":1,"action"') WHERE sequence = 7`,
      7,
    ],
    ["hash changed", "UPDATE audit SET hash = REPLACE(hash, SUBSTR(hash, 1, 2), 'zz') WHERE sequence = 7", 7],
    ["entry taken out", "DELETE FROM audit WHERE sequence = 7", 7],
    ["beginning taken away", "DELETE FROM audit WHERE sequence <= 7", 7],
  ])("%s in the storage is found where it is", async (_what, tamper, expected) => {
    await filled(12);
    expect(await brokenAt(5)).toBeUndefined();
    await withLog(async (_audit, sql) => sql.exec(tamper));
    expect(await brokenAt(5)).toBe(expected);
  });

  test("an entry that was written anew with a right hash breaks the chain at the next one", async () => {
    await filled(12);
    await withLog(async (_audit, sql) => {
      const { text } = sql.exec<{ text: string }>("SELECT text FROM audit WHERE sequence = 7").one();
      const forged = JSON.parse(text.replace('"ci"', '"me"'));
      sql.exec(
        "UPDATE audit SET text = ?, hash = ? WHERE sequence = 7",
        JSON.stringify(forged),
        await digestOfChange(forged),
      );
    });
    expect(await brokenAt()).toBe(8);
  });
});

describe("retention", () => {
  const bounds = { kept: 20, dropped: 10 };

  test("a full log drops its oldest entries with a checkpoint, and the chain still holds", async () => {
    await filled(65, bounds);
    const { entries, head } = await log();
    expect(entries.length).toBeLessThanOrEqual(20);
    expect(head.sequence).toBeGreaterThan(65);
    const checkpoint = entries.findLast(({ action }) => action === "audit.checkpoint");
    expect(checkpoint?.through).toEqual({
      sequence: (entries[0] as AuditEntry).sequence - 1,
      hash: entries[0]?.previous,
    });
    expect(await brokenAt()).toBeUndefined();
  });

  test("more dropped than the checkpoint says is found", async () => {
    await filled(45, bounds);
    const first = (await log()).entries[0]?.sequence ?? 0;
    await withLog(async (_audit, sql) => sql.exec("DELETE FROM audit WHERE sequence <= ?", first));
    expect(await brokenAt()).toBe(first);
  });
});

describe("asking", () => {
  test("by actor, by time, newest first, and in pages", async () => {
    await withLog(async (audit) => {
      for (let n = 0; n < 10; n += 1)
        await audit.record(await draft(n % 2 === 0 ? "even" : "odd"), at + n * 1_000, () => true);
    });
    const sequences = async (query: string) => (await log(query)).entries.map(({ sequence }) => sequence);
    expect(await sequences("?actor=odd")).toEqual([2, 4, 6, 8, 10]);
    expect(await sequences(`?since=${new Date(at + 7_000).toISOString()}`)).toEqual([8, 9, 10]);
    expect(await sequences("?newest=1&limit=2")).toEqual([10, 9]);
    expect(await log("?after=8&limit=1")).toMatchObject({ more: true, head: { sequence: 10 } });
    expect(await sequences("?actor=nobody")).toEqual([]);
  });

  test.each(["limit=0", "limit=x", "after=-1", "since=yesterday"])(
    "%s is answered with what is wrong",
    async (query) => {
      expect((await api("GET", `/api/audit?${query}`)).status).toBe(400);
    },
  );

  test("a viewer may", async () => {
    expect((await api("GET", "/api/audit", undefined, viewer)).status).toBe(200);
  });
});
