import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { sha256Text } from "@tulle/mesh-runtime/identity/bytes.ts";
import { generateKeys } from "@tulle/mesh-runtime/identity/credential.ts";
import type { Declined } from "@tulle/mesh-runtime/workload-contract.ts";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { TokenAnswer } from "../../control/api/contract.ts";
import { api, headsStayUnsigned, issuerObject, issuing, joinRequest } from "./support.ts";
import { door, joinWith, openDoor, origin, post, token } from "./workload-door.ts";

beforeEach(openDoor);

describe("joining over HTTP with a token", () => {
  test("a token makes its service a member", async () => {
    const request = await joinRequest({ workload: "default/web", joinToken: await token() });
    const init = { method: "POST", body: JSON.stringify(request) };
    const response = await exports.default.fetch(`${origin}/workload/join`, init);
    const { status, body } = { status: response.status, body: await response.json() };
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ok: true,
      trustDomain: "mesh.local",
      wit: expect.any(String),
      circuits: [],
    });
  });

  test("73: of many who bring one token at once, exactly one becomes a member", async () => {
    const one = await token();
    const answers = await Promise.all(Array.from({ length: 8 }, () => joinWith(one)));
    expect(answers.filter(({ body }) => body.ok)).toHaveLength(1);
    expect(answers.filter(({ body }) => !body.ok && body.reason === "bad-token")).toHaveLength(7);
  });

  test("a token is for one service only, and is not lost to another's attempt", async () => {
    const one = await token("payments");
    const refused = await joinWith(one);
    expect(refused).toMatchObject({
      status: 400,
      type: "application/problem+json",
      body: { ok: false, reason: "bad-token" },
    });
    expect((await joinWith(one, { workload: "default/payments" })).body.ok).toBe(true);
  });

  test("a proof of possession that speaks of another token is refused, and the token stays", async () => {
    const [one, other] = [await token(), await token()];
    const request = { ...(await joinRequest({ workload: "default/web", joinToken: other })), joinToken: one };
    const { body } = await post<Declined>("/workload/join", JSON.stringify(request));
    expect(body.reason).toBe("bad-possession");
    expect((await joinWith(one)).body.ok).toBe(true);
  });

  test("who brings no good token leaves nothing behind: strangers do not fill the issuer's memory", async () => {
    const joinToken = await token("payments");
    const { publicJwk } = await generateKeys();
    const spiffeId = { trustDomain: env.TRUST_DOMAIN, path: "/ns/default/sa/payments", uri: "" };
    const request = {
      spiffeId: { ...spiffeId, uri: `spiffe://${spiffeId.trustDomain}${spiffeId.path}` },
      service: "default/payments",
      publicJwk,
      possessionJti: "proof-1",
      ttlMs: 60_000,
    };
    const by = (tokenHash: string) => ({
      ...request,
      evidence: { attestor: "join-token", tokenHash } as const,
    });
    const refused = await issuing().admit(by("of-no-token"));
    expect(refused).toMatchObject({ ok: false, reason: { kind: "bad-token" } });
    expect(await issuing().admit(by(await sha256Text(joinToken)))).toMatchObject({ ok: true });
  });

  test("a token that was made up is told nothing of the mesh: not which services there are, nor which are revoked", async () => {
    const one = await token("payments");
    const spiffeId = "spiffe://mesh.local/ns/default/sa/payments";
    expect((await api("POST", "/api/identity/revocations", { spiffeId })).status).toBe(200);
    const answers = await Promise.all(
      ["web", "payments", "nobody"].map(async (name) => {
        const { status, body } = await joinWith("made-up", { workload: `default/${name}` });
        return [status, JSON.stringify(body).replaceAll(name, "NAME")];
      }),
    );
    expect(new Set(answers.map(String)).size).toBe(1);
    expect(answers[0]?.[1]).toContain("bad-token");
    // Whoever holds a good one is told what is wrong.
    const { body } = await joinWith(one, { workload: "default/payments" });
    expect(body).toMatchObject({ ok: false, reason: "revoked" });
    expect((await api("DELETE", "/api/policies/Service/default/payments")).status).toBe(200);
    expect((await joinWith(one, { workload: "default/payments" })).body).toMatchObject({
      reason: "unregistered",
    });
  });

  test("nor, where policy speaks of another trust domain than control issues for, which services it has", async () => {
    const elsewhere = { ...env, TRUST_DOMAIN: "elsewhere.example" };
    const answers = await Promise.all(
      ["web", "nobody"].map(async (name) => {
        const wish = await joinRequest({ workload: `default/${name}`, joinToken: "made-up" });
        const init = { method: "POST", body: JSON.stringify(wish) };
        const request = new Request(`${origin}/workload/join`, init);
        const response = await door.join(request, elsewhere, () => undefined);
        return [response.status, (await response.text()).replaceAll(name, "NAME")];
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.[1]).toContain("bad-token");
  });

  test("a token is not lost while the head is not signed, and strangers do not hear of that", async () => {
    const one = await token();
    const end = await headsStayUnsigned();
    expect(await joinWith(one)).toMatchObject({
      status: 503,
      body: { reason: "not-ready", detail: expect.stringContaining("is not signed yet") },
    });
    const strange = async (name: string) => {
      const { status, body } = await joinWith("made-up", { workload: `default/${name}` });
      return [status, JSON.stringify(body).replaceAll(name, "NAME")];
    };
    expect(await strange("web")).toEqual([400, expect.stringContaining("bad-token")]);
    expect(await strange("web")).toEqual(await strange("nobody"));
    await end();
    expect((await joinWith(one)).status).toBe(200);
  });

  test("a token is not lost to a credential that control signed wrongly", async () => {
    const joinToken = await token();
    await joinWith(await token());
    const wish = JSON.stringify(await joinRequest({ workload: "default/web", joinToken }));
    const signing = vi.spyOn(crypto.subtle, "sign").mockResolvedValueOnce(new ArrayBuffer(64));
    const refused = await post<Declined>("/workload/join", wish);
    signing.mockRestore();
    expect(refused).toMatchObject({ status: 503, body: { reason: "not-ready" } });
    // Not even the proof of possession is used up.
    expect((await post("/workload/join", wish)).status).toBe(200);
    expect((await joinWith(joinToken)).body).toMatchObject({ ok: false, reason: "bad-token" });
  });

  test("a token is not lost to a proof of possession, or a key, that control does not take", async () => {
    const [one, other] = [await token(), await token("payments")];
    const keys = await generateKeys();
    expect((await joinWith(await token(), { keys })).status).toBe(200);
    const theirs = { workload: "default/payments" };
    expect((await joinWith(other, { keys, ...theirs })).body).toMatchObject({ reason: "bad-possession" });
    expect((await joinWith(other, theirs)).status).toBe(200);
    expect((await joinWith(one)).status).toBe(200);
  });

  test("nobody reads and parses more of a stranger than a first join takes", async () => {
    const large = `{"a":[${"1,".repeat(20_000)}1]}`;
    for (const path of ["/workload/join", "/workload/report"]) {
      const { status, body } = await post<{ type: string; detail: string }>(path, large);
      expect([status, body.detail]).toEqual([413, "The limit is 32768 bytes."]);
    }
    // The largest that may be in one fits: a token of a platform, a proof, a key.
    const { status } = await joinWith("x".repeat(256), {
      possession: "a".repeat(4_096),
      idToken: "a".repeat(8_192),
    });
    expect(status).toBe(400);
  });

  test("without token and signature nobody joins, and the answer says what to do", async () => {
    const { status, body } = await post<Declined>(
      "/workload/join",
      JSON.stringify(await joinRequest({ workload: "default/web" })),
    );
    expect([status, body.reason]).toEqual([400, "not-attested"]);
    expect(body.remedy).toContain("tulle identity token --service default/web");
  });

  test("a token is stored as a hash and shown once", async () => {
    const one = await token();
    expect(one).toMatch(/^tulle_join_[A-Za-z0-9_-]{43}$/);
    await runInDurableObject(issuerObject(), (_, { storage }) => {
      const rows = storage.sql.exec("SELECT * FROM join_tokens").toArray();
      expect(rows).toHaveLength(1);
      expect(JSON.stringify(rows)).not.toContain(one.slice("tulle_join_".length));
    });
  });

  test("tokens are for registered services and for at most ten minutes", async () => {
    expect((await api("POST", "/api/identity/tokens", { service: "nobody" })).status).toBe(404);
    expect((await api("POST", "/api/identity/tokens", { service: "web", ttlMs: 600_001 })).status).toBe(400);
    expect((await api("POST", "/api/identity/tokens", { service: "Web" })).status).toBe(400);
    const { body } = await api<TokenAnswer>("POST", "/api/identity/tokens", {
      service: "web",
      ttlMs: 60_000,
    });
    expect(body.service).toBe("default/web");
    expect(Date.parse(body.expiresAt) - Date.now()).toBeLessThanOrEqual(60_000);
  });
});

describe("sizes and forms", () => {
  test("a body above one megabyte is refused", async () => {
    const { status, type } = await post("/workload/report", "x".repeat(1_048_577));
    expect([status, type]).toEqual([413, "application/problem+json"]);
  });

  test("a body that is no JSON, or not UTF-8, is refused without being repeated", async () => {
    const { status, body } = await post("/workload/join", '{"secret":');
    expect(status).toBe(400);
    expect(JSON.stringify(body)).not.toContain("secret");
  });
});
