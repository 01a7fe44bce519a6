import { runInDurableObject } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { credentialFrom, generateKeys } from "@tulle/mesh-runtime/identity/credential.ts";
import type { Declined, JoinAnswer } from "@tulle/mesh-runtime/workload-contract.ts";
import { decodeJwt } from "jose";
import { describe, expect, test, vi } from "vitest";
import type { TokenAnswer } from "../../../control/api/contract.ts";
import {
  api,
  apply,
  headsStayUnsigned,
  issuerObject,
  joined,
  joinRequest,
  reportRequest,
  service,
  workload,
} from "../support.ts";
import {
  attested,
  believingControl,
  create,
  credential,
  entries,
  idOf,
  nonce,
  origin,
  post,
  revokeEntry,
  said,
  signed,
  type Try,
} from "./attesting.ts";

believingControl();

test("anybody gets a nonce by a POST, a new one each time, and nothing is kept of it", async () => {
  const ask = (method: string) => exports.default.fetch(`${origin}/workload/nonce`, { method });
  const [one, other] = await Promise.all([ask("POST"), ask("POST")]);
  expect([one.status, one.headers.get("cache-control")]).toEqual([200, "no-store"]);
  expect(await one.text()).not.toBe(await other.text());
  expect((await ask("GET")).status).toBe(404);
  await runInDurableObject(issuerObject(), (_, { storage }) => {
    expect(storage.sql.exec("SELECT * FROM used_nonces").toArray()).toEqual([]);
  });
});

describe("an app of Deno Deploy", () => {
  test.each(["ES256", "RS256"] as const)("joins as the service of its entry, by %s", async (alg) => {
    const { body: entry } = await create();
    const { status, body } = await attested({ signing: { alg } });
    expect(status, JSON.stringify(body)).toBe(200);
    expect(decodeJwt(joined(body).wit)).toMatchObject({ sub: idOf("pay") });
    expect(await entries()).toMatchObject([{ id: entry.id, issued: 1, lastIssuedAt: expect.any(String) }]);
  });

  test("gets tokens that live as long as its entry says", async () => {
    await create({ ttlMs: 600_000 });
    const { iat = 0, exp = 0 } = decodeJwt(joined((await attested()).body).wit);
    expect(exp - iat).toBe(600);
  });

  test("uses a nonce once, and of many who bring it at once exactly one gets through", async () => {
    await create();
    await attested();
    const one = await nonce();
    const answers = await Promise.all(Array.from({ length: 6 }, () => attested({ nonce: one })));
    expect(answers.filter(({ body }) => body.ok)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(5);
  });

  test("does not lose its nonce while the head is not signed", async () => {
    await create();
    const one = await nonce();
    const end = await headsStayUnsigned();
    expect(await attested({ nonce: one })).toMatchObject({ status: 503, body: { reason: "not-ready" } });
    await end();
    expect((await attested({ nonce: one })).status).toBe(200);
    expect((await attested({ nonce: one })).status).toBe(400);
  });

  test("is refused over a nonce that is no longer the newest possible: two minutes later", async () => {
    await create();
    const one = await nonce();
    vi.setSystemTime(Date.now() + 121_000);
    expect((await attested({ nonce: one })).status).toBe(400);
    expect((await attested()).status).toBe(200);
  });

  test("is refused alike for whatever reason, and control's log tells the operator what a real app said", async () => {
    await create();
    const thief = await generateKeys();
    const wrong: Try[] = [
      { nonce: "A".repeat(72) },
      { vouchedFor: thief },
      { audience: "https://example.com/" },
      { claims: { app_id: "00000000-0000-4000-8000-000000000000" } },
      { claims: { context_name: "preview" } },
      { claims: { exp: Math.floor(Date.now() / 1_000) - 60 } },
      { claims: { iss: "https://oidc.deno.com" } },
      { signing: { header: { kid: "of nobody" } } },
      { change: { idToken: "eyJhbGciOiJub25lIn0.e30." } },
    ];
    const answers = [];
    for (const tried of wrong) {
      const isSwapped = tried.change !== undefined;
      const { status, body } = await attested(tried);
      // A swapped token does not go with its proof of possession, which is looked at first and says so.
      if (isSwapped) expect(body).toMatchObject({ reason: "bad-possession" });
      else answers.push({ status, body });
    }
    expect(new Set(answers.map((each) => JSON.stringify(each)))).toHaveProperty("size", 1);
    expect(answers[0]).toMatchObject({ status: 400, body: { ok: false, reason: "not-attested" } });
    expect(JSON.stringify(answers)).not.toMatch(/eyJ|expired|audience|kid|signature/);
    // Nor does anybody else's app hear which services there are.
    const elsewhere = await attested({
      name: "nobody",
      claims: { org_id: "00000000-0000-4000-8000-000000000000" },
    });
    expect(JSON.stringify(elsewhere).replaceAll("nobody", "pay")).toBe(JSON.stringify(answers[0]));
    expect(said.join("\n")).toContain("00000000-0000-4000-8000-000000000000");
    expect(said.join("\n")).not.toContain("eyJ");
  });

  test("proves possession of its key over the very token that it brings", async () => {
    await create();
    const { keys, other } = { keys: await generateKeys(), other: await generateKeys() };
    expect((await attested({ keys, change: { publicJwk: other.publicJwk } })).body).toMatchObject({
      reason: "bad-possession",
    });
    expect((await attested({ keys, change: { possession: "a.b.c" } })).body).toMatchObject({
      reason: "bad-possession",
    });
    expect((await attested({ keys })).status).toBe(200);
  });

  test("does not bring a join token besides", async () => {
    await create();
    expect((await attested({ change: { joinToken: "tulle_join_x" } })).body).toMatchObject({
      reason: "not-attested",
      detail: expect.stringContaining("not both"),
    });
  });

  test("is nobody without an entry, although the name is free for bindings", async () => {
    expect(await attested()).toMatchObject({ status: 400, body: { reason: "not-attested" } });
    expect((await workload({ service: "pay" }).join(await joinRequest())).ok).toBe(true);
  });

  test("is told to come again while the provider's keys cannot be had", async () => {
    await create();
    vi.stubGlobal("fetch", async () => new Response("down", { status: 500 }));
    expect(await attested()).toMatchObject({ status: 503, body: { reason: "not-ready" } });
  });

  test("renews by being attested again, and not by its signature", async () => {
    await create();
    const by = await credential();
    const request = await joinRequest({ workload: "default/pay", trustDomain: "mesh.local" });
    expect(await signed("join", request, by)).toMatchObject({
      status: 403,
      body: { reason: "unregistered" },
    });
    expect((await attested()).status).toBe(200);
    expect((await signed("report", reportRequest("default/pay"), by)).status).toBe(200);
  });
});

describe("75: who may be one workload may be no other", () => {
  test("an app for pay is neither payroll nor pa, and both have the same answer", async () => {
    await apply(service("pa"));
    await create();
    for (const name of ["payroll", "pa"]) {
      const body = { ok: false, reason: "unregistered" };
      expect(await attested({ name })).toMatchObject({ status: 403, body });
      await create({ service: name, attestor: "join-token", selectors: [] });
      expect(await attested({ name })).toMatchObject({ status: 403, body });
    }
  });

  test("with an entry for an app, neither a binding nor a join token is that service any more", async () => {
    const { token } = (await api<TokenAnswer>("POST", "/api/identity/tokens", { service: "pay" })).body;
    await create();
    const answer = await workload({ service: "pay" }).join(await joinRequest());
    expect(answer).toMatchObject({ ok: false, reason: "unregistered" });
    const join = await joinRequest({ workload: "default/pay", joinToken: token });
    expect(await post("join", JSON.stringify(join))).toMatchObject({ status: 403 });
    expect((await api("POST", "/api/identity/tokens", { service: "pay" })).status).toBe(409);
    expect((await workload({ service: "payroll" }).join(await joinRequest())).ok).toBe(true);
    // The token was not lost to the attempt.
    await create({ attestor: "join-token", selectors: [] });
    const again = await joinRequest({ workload: "default/pay", joinToken: token });
    expect((await post("join", JSON.stringify(again))).status).toBe(200);
  });

  test("an entry for bindings may say which ones", async () => {
    await apply(service("other", "  identity: spiffe://mesh.local/ns/default/sa/pay-too\n"));
    await create({ service: "other", attestor: "binding", selectors: ["service:pay"] });
    expect(await workload({ service: "other" }).join(await joinRequest())).toMatchObject({
      ok: false,
      reason: "unregistered",
    });
    await create({
      service: "other",
      attestor: "binding",
      selectors: ["service:other", "namespace:default"],
    });
    expect((await workload({ service: "other" }).join(await joinRequest())).ok).toBe(true);
  });

  test("who joined with a token renews by signature while its entry is in force", async () => {
    const { body: entry } = await create({ attestor: "join-token", selectors: [], ttlMs: 1_200_000 });
    const { token } = (await api<TokenAnswer>("POST", "/api/identity/tokens", { service: "pay" })).body;
    const keys = await generateKeys();
    const first = await post<JoinAnswer>(
      "join",
      JSON.stringify(await joinRequest({ keys, workload: "default/pay", joinToken: token })),
    );
    const by = credentialFrom(first.body.wit, keys, Date.now(), () => 0.5);
    if (!by.ok) throw new Error(by.reason);
    expect(by.value.expiresAt - by.value.issuedAt).toBe(1_200_000);
    const renewal = () => joinRequest({ workload: "default/pay", trustDomain: "mesh.local" });
    expect((await signed("join", await renewal(), by.value)).status).toBe(200);
    await revokeEntry(entry.id);
    expect((await signed<Declined>("join", await renewal(), by.value)).status).toBeGreaterThanOrEqual(400);
  });
});

test("what was kept from before a revocation is worth nothing once that is lifted: tokens of the platform, and join tokens", async () => {
  const start = Date.now();
  await create();
  await create({ attestor: "join-token", selectors: [] });
  const join = async () =>
    (await api<TokenAnswer>("POST", "/api/identity/tokens", { service: "pay" })).body.token;
  const kept = await join();
  vi.setSystemTime(start + 2_000);
  await api("POST", "/api/identity/revocations", { spiffeId: idOf("pay") });
  await api("POST", "/api/identity/revocations/lift", { spiffeId: idOf("pay") });
  vi.setSystemTime(start + 4_000);
  const by = async (joinToken: string) =>
    post<JoinAnswer | Declined>(
      "join",
      JSON.stringify(await joinRequest({ workload: "default/pay", joinToken })),
    );
  expect((await by(kept)).body).toMatchObject({ ok: false, reason: "bad-token" });
  expect((await by(await join())).status).toBe(200);
  const iat = Math.floor(start / 1_000);
  expect((await attested({ claims: { iat, nbf: iat } })).body).toMatchObject({
    ok: false,
    reason: "not-attested",
  });
  expect((await attested()).status).toBe(200);
});

test("what a binding or a platform vouched for is not renewed from outside by a signature, so that nobody stays who was once inside", async () => {
  const keys = await generateKeys();
  const first = joined(await workload({ service: "pay" }).join(await joinRequest({ keys })));
  const by = credentialFrom(first.wit, keys, Date.now(), () => 0.5);
  if (!by.ok) throw new Error(by.reason);
  const taken = await generateKeys();
  const request = { keys: taken, workload: "default/pay", trustDomain: "mesh.local" };
  const outside = await signed<Declined>("join", await joinRequest(request), by.value);
  expect(outside).toMatchObject({ status: 400, body: { ok: false, reason: "not-attested" } });
  // By the binding, as always; what it says of itself otherwise is heard.
  expect((await workload({ service: "pay" }).join(await joinRequest({ keys }))).ok).toBe(true);
  expect((await signed("report", reportRequest("default/pay"), by.value)).status).toBe(200);
  // One of Deno Deploy has its platform, although a join token would do as well.
  await create();
  await create({ attestor: "join-token", selectors: [] });
  const app = await credential();
  expect(await signed("join", await joinRequest(request), app)).toMatchObject({
    status: 400,
    body: { detail: expect.stringContaining("began with a join token") },
  });
});

describe("74: a key is one workload's", () => {
  test("and nobody else's while a token for it can be alive", async () => {
    const keys = await generateKeys();
    const as = async (name: string) => workload({ service: name }).join(await joinRequest({ keys }));
    expect((await as("pay")).ok).toBe(true);
    expect((await as("pay")).ok).toBe(true);
    expect(await as("payroll")).toMatchObject({ ok: false, reason: "bad-possession" });
    vi.setSystemTime(Date.now() + 3_600_000 + 61_000);
    expect((await as("payroll")).ok).toBe(true);
  });
});
