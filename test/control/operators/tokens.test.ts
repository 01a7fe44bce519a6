import { createExecutionContext, evictAllDurableObjects, reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { app } from "../../../control/api/app.ts";
import type {
  AuditAnswer,
  CheckAnswer,
  NewOperatorToken,
  OperatorToken,
  OperatorTokensAnswer,
  Revision,
} from "../../../control/api/contract.ts";
import { maxOperatorTokens, OperatorBook } from "../../../control/operators/operator-book.ts";
import { newToken, presented, sameHash } from "../../../control/operators/token-form.ts";
import { api, service, storeObject } from "../support.ts";

beforeEach(() => reset());
afterEach(() => vi.restoreAllMocks());

const create = (name: string, role = "editor", more: object = {}, by?: string) =>
  api<NewOperatorToken>("POST", "/api/tokens", { name, role, ...more }, by);
const list = async () => (await api<OperatorTokensAnswer>("GET", "/api/tokens")).body.tokens;
const revoke = (name: string) => api<OperatorToken>("DELETE", `/api/tokens/${name}`);
const status = async (token: string) => (await api("GET", "/api/status", undefined, token)).status;
const applyAs = (token: string, text: string) =>
  api("POST", "/api/policies", { sources: [{ source: "a.yaml", text }] }, token);
/** Runs with the tables of the object. */
const withBook = <T>(work: (book: OperatorBook, sql: SqlStorage) => T | Promise<T>) =>
  runInDurableObject(storeObject(), async (_object, { storage }) =>
    work(new OperatorBook(storage.sql), storage.sql),
  );

describe("a token", () => {
  test("is shown once, and lets in with its role until it is revoked, at once", async () => {
    const { status: made, body, headers } = await create("ci");
    expect([made, headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(body).toMatchObject({ name: "ci", role: "editor", createdBy: "operator" });
    expect(body.token).toMatch(/^tulle_op_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/);
    expect(body.token).toContain(`_${body.id}_`);
    expect(await status(body.token)).toBe(200);
    expect((await applyAs(body.token, service("web"))).status).toBe(200);
    expect(await revoke("ci")).toMatchObject({ status: 200, body: { name: "ci", role: "editor" } });
    expect(await status(body.token)).toBe(401);
    expect((await revoke("ci")).status).toBe(404);
  });

  test("that is revoked while a request of its holder is held back does nothing more", async () => {
    const { body: made } = await create("thief", "admin");
    const { promise: isRead, resolve: reading } = Promise.withResolvers<void>();
    const { promise: isSent, resolve: rest } = Promise.withResolvers<void>();
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          reading();
          await isSent;
          controller.enqueue(new TextEncoder().encode(JSON.stringify({ name: "heir", role: "admin" })));
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const headers = { authorization: `Bearer ${made.token}`, "content-type": "application/json" };
    const request = new Request("https://control.test/api/tokens", { method: "POST", headers, body });
    const answered = app.fetch(request, env, createExecutionContext());
    await isRead;
    await revoke("thief");
    rest();
    expect((await answered).status).toBe(401);
    expect((await list()).map(({ name }) => name)).not.toContain("heir");
  });

  test("names the author of revisions", async () => {
    const { body } = await create("deploy-robot");
    await applyAs(body.token, service("web"));
    const history = (await api<Revision[]>("GET", "/api/policies/history")).body;
    expect(history[0]).toMatchObject({ revision: 1, author: "deploy-robot" });
  });

  test("survives the object's eviction", async () => {
    const { body } = await create("ci");
    await evictAllDurableObjects();
    expect(await status(body.token)).toBe(200);
  });

  test("lives 90 days unless told otherwise, and says that it has expired to its holder alone", async () => {
    const { body } = await create("ci");
    const days = (Date.parse(body.expiresAt ?? "") - Date.parse(body.createdAt ?? "")) / 86_400_000;
    expect(days).toBe(90);
    await withBook((_book, sql) => sql.exec("UPDATE operator_tokens SET expires_at = 1000"));
    const holder = await api<{ title: string }>("GET", "/api/status", undefined, body.token);
    expect([holder.status, holder.body.title]).toEqual([401, "The operator token has expired"]);
    const guessed = `${body.token.slice(0, -2)}${body.token.endsWith("AA") ? "BB" : "AA"}`;
    const guess = await api<{ title: string }>("GET", "/api/status", undefined, guessed);
    expect([guess.status, guess.body.title]).toEqual([401, "This operator token is not valid"]);
  });

  test("that is wrong in any way is answered alike, whether or not there is one with its id", async () => {
    const { body } = await create("ci");
    const never = (await newToken()).token;
    const answers = await Promise.all(
      [
        `${body.token}x`,
        never,
        body.token.replace(/.{43}$/, never.slice(-43)),
        body.token.toUpperCase(),
        "junk",
      ].map(async (token) => {
        const { status, body, headers } = await api("GET", "/api/status", undefined, token);
        return JSON.stringify([status, body, headers.get("www-authenticate")]);
      }),
    );
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain('error=\\"invalid_token\\"');
  });

  test.each([
    ["no name", { role: "viewer" }],
    ["an unknown role", { name: "a", role: "root" }],
    ["a name with capitals", { name: "Ci", role: "viewer" }],
    ["a name with a slash", { name: "a/b", role: "viewer" }],
    ["a name of 64 characters", { name: "a".repeat(64), role: "viewer" }],
    ["the name of a secret", { name: "operator", role: "viewer" }],
    ["the name of KV", { name: "kv", role: "viewer" }],
    ["a life of a second", { name: "a", role: "viewer", ttlMs: 1_000 }],
    ["a life of two years", { name: "a", role: "viewer", ttlMs: 2 * 366 * 86_400_000 }],
  ])("with %s is refused with 400", async (_what, body) => {
    expect((await api("POST", "/api/tokens", body)).status).toBe(400);
  });

  test("by a name of another form is refused with what a name may have", async () => {
    const { body } = await api<{ detail: string }>("POST", "/api/tokens", {
      name: "The Boss",
      role: "viewer",
    });
    expect(body.detail).toContain("lower-case letters, digits");
  });

  test("is made by admins alone", async () => {
    const { body } = await create("ci", "editor");
    expect((await create("more", "admin", {}, body.token)).status).toBe(403);
    const admin = (await create("boss", "admin")).body.token;
    expect((await create("more", "admin", {}, admin)).body).toMatchObject({ createdBy: "boss" });
  });
});

describe("the list of tokens", () => {
  test("has the secrets of the worker too, and no hash or token", async () => {
    const { body } = await create("ci");
    const text = JSON.stringify(await list());
    expect((await list()).map(({ name, role }) => [name, role])).toEqual([
      ["operator", "admin"],
      ["viewer", "viewer"],
      ["ci", "editor"],
    ]);
    expect(text).not.toContain(body.token.slice(-43));
    expect(text).not.toContain((await presented(body.token))?.hash);
  });

  test("says when a token was used last, written at most once an hour", async () => {
    const made = await newToken();
    await withBook((book, sql) => {
      const start = Date.UTC(2026, 10, 1);
      const used = () =>
        sql.exec<{ used_at: number }>("SELECT used_at FROM operator_tokens").one().used_at - start;
      book.add(made, { name: "ci", role: "viewer", by: "operator", expiresAt: start * 2 }, start);
      book.judge(made, start + 1);
      expect(used()).toBe(1);
      book.judge(made, start + 3_600_000);
      expect(used()).toBe(1);
      book.judge(made, start + 3_600_001);
      expect(used()).toBe(3_600_001);
    });
  });

  test("a secret cannot be revoked here, so that nobody is locked out", async () => {
    const refused = await api<{ detail: string }>("DELETE", "/api/tokens/operator");
    expect(refused.status).toBe(400);
    expect(refused.body.detail).toContain("wrangler secret put");
  });
});

test("tulle check warns of a token that is in use and ends within a week, and of no other", async () => {
  const week = { ttlMs: 6 * 86_400_000 };
  const used = await create("used", "viewer", week);
  await create("unused", "viewer", week);
  const lasting = await create("lasting", "viewer");
  for (const { body } of [used, lasting]) expect(await status(body.token)).toBe(200);
  const { checks } = (await api<CheckAnswer>("GET", "/api/check")).body;
  const lines = checks.filter(({ name }) => name === "operator token");
  expect(lines).toMatchObject([{ result: "warning", detail: expect.stringMatching(/^used is in use/) }]);
});

describe("bounds", () => {
  test("of two who want one name at once, one gets it, and the log has one entry", async () => {
    const both = await Promise.all([create("ci"), create("ci")]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    const { entries } = (await api<AuditAnswer>("GET", "/api/audit")).body;
    expect(entries.filter(({ action }) => action === "token.create")).toHaveLength(1);
    expect((await create("ci")).body).toMatchObject({ type: expect.stringMatching(/token-exists$/) });
  });

  test(`there are at most ${maxOperatorTokens}`, async () => {
    await withBook((_book, sql) => {
      for (let at = 0; at < maxOperatorTokens; at += 1)
        sql.exec("INSERT INTO operator_tokens VALUES (?, ?, 'viewer', '', 0, '', 0, 0)", `${at}`, `t${at}`);
    });
    expect(await create("one-more")).toMatchObject({
      status: 409,
      body: { type: expect.stringMatching(/token-limit$/) },
    });
  });
});

describe("secrecy", () => {
  test("hashes are compared in constant time, also where there is no such token", async () => {
    const compare = vi.spyOn(crypto.subtle, "timingSafeEqual");
    const { token, hash } = await newToken();
    expect(sameHash((await presented(token))?.hash ?? "", hash)).toBe(true);
    expect(
      sameHash(
        hash.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
        hash,
      ),
    ).toBe(false);
    expect(compare).toHaveBeenCalledTimes(2);
    await withBook((book) =>
      expect(book.judge({ id: "0".repeat(16), hash }, 0)).toEqual({ kind: "unknown" }),
    );
    expect(compare).toHaveBeenCalledTimes(3);
  });

  test("neither secret nor hash is in logs, KV, history, the audit log or the object's storage as it is", async () => {
    const said = (["log", "warn", "error", "info", "debug"] as const).map((level) =>
      vi.spyOn(console, level).mockImplementation(() => undefined),
    );
    const { body } = await create("ci");
    await applyAs(body.token, service("web"));
    await applyAs(body.token, "kind: Nonsense");
    await api("GET", "/api/tokens", undefined, body.token);
    const secret = body.token.slice(-43);
    const kept = await runInDurableObject(storeObject(), (_object, { storage }) => {
      const tables = storage.sql
        .exec<{ name: string }>(
          "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'",
        )
        .toArray();
      return JSON.stringify(tables.map(({ name }) => storage.sql.exec(`SELECT * FROM "${name}"`).toArray()));
    });
    const { keys } = await env.POLICIES.list();
    const inKv = JSON.stringify(await Promise.all(keys.map(({ name }) => env.POLICIES.get(name))));
    const log = JSON.stringify((await api("GET", "/api/audit?limit=1000")).body);
    const history = JSON.stringify((await api("GET", "/api/policies/history")).body);
    const printed = JSON.stringify(said.flatMap(({ mock }) => mock.calls));
    for (const text of [kept, inKv, log, history, printed]) expect(text).not.toContain(secret);
    const hash = (await presented(body.token))?.hash ?? "";
    expect(kept).toContain(hash);
    for (const text of [inKv, log, history, printed]) expect(text).not.toContain(hash);
  });
});
