import { reset } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { access } from "../../../control/api/access.ts";
import { app } from "../../../control/api/app.ts";
import { checkOf } from "../../../control/api/check.ts";
import type { CheckAnswer, NewOperatorToken } from "../../../control/api/contract.ts";
import { newToken } from "../../../control/operators/token-form.ts";
import { api, apply, reportRequest, service, store, workload } from "../support.ts";

beforeEach(() => reset());

const viewer = "viewer-token-of-the-tests-0123456789";
const problemType = "application/problem+json";

describe("the admin API", () => {
  test("no route answers without a token, and none to a wrong one", async () => {
    for (const route of Object.keys(access)) {
      const [method = "", path = ""] = route.split(" ");
      for (const authorization of [undefined, "Bearer wrong"]) {
        const response = await exports.default.fetch(`https://control.test${path}`, {
          method,
          headers: authorization === undefined ? {} : { authorization },
        });
        expect([route, response.status, response.headers.get("content-type")]).toEqual([
          route,
          401,
          problemType,
        ]);
        await response.body?.cancel();
      }
    }
  });

  test("a viewer reads and does not write", async () => {
    expect((await api("GET", "/api/status", undefined, viewer)).status).toBe(200);
    expect((await api("GET", "/metrics", undefined, viewer)).status).toBe(200);
    const refused = await api<{ detail: string }>("POST", "/api/policies", { sources: [] }, viewer);
    expect(refused.status).toBe(403);
    expect(refused.body.detail).toContain("editor");
  });

  test("tokens that are made up do not reach the store beyond a bound, and valid ones still do", async () => {
    const made = await api<NewOperatorToken>("POST", "/api/tokens", { name: "ci", role: "viewer" });
    expect((await api("GET", "/api/status", undefined, made.body.token)).status).toBe(200);
    const junk = await Promise.all(Array.from({ length: 100 }, newToken));
    const second = Date.now() + 10_000;
    const clock = vi.spyOn(Date, "now").mockReturnValue(second);
    const statuses = await Promise.all(
      junk.map(async ({ token }) => (await api("GET", "/api/status", undefined, token)).status),
    );
    expect(statuses.filter((status) => status === 401)).toHaveLength(20);
    expect(statuses.filter((status) => status === 429)).toHaveLength(80);
    expect((await api("GET", "/api/status", undefined, made.body.token)).status).toBe(200);
    expect((await api("GET", "/api/status")).status).toBe(200);
    clock.mockRestore();
  });

  test("without an operator token configured nothing answers, and the problem says how to set it", async () => {
    const { TULLE_OPERATOR_TOKEN: _, ...unset } = env;
    const response = await app.request("/api/status", {}, unset);
    expect(response.status).toBe(503);
    expect(await response.text()).toContain("wrangler secret put TULLE_OPERATOR_TOKEN");
  });

  test("a body above two megabytes is refused, with or without a declared length", async () => {
    const text = "x".repeat(2_097_152);
    expect((await api("POST", "/api/policies", { sources: [{ source: "a", text }] })).status).toBe(413);
    const stream = new Blob([JSON.stringify({ sources: [{ source: "a", text }] })]).stream();
    const response = await exports.default.fetch("https://control.test/api/policies", {
      method: "POST",
      body: stream,
      headers: { authorization: "Bearer operator-token-of-the-tests-0123456789" },
    });
    expect([response.status, response.headers.get("content-type")]).toEqual([413, problemType]);
    await response.body?.cancel();
  });

  test.each([
    ["no JSON", "{", "not JSON"],
    ["no sources", {}, "sources"],
    ["a source without text", { sources: [{ source: "a" }] }, "sources[0].text"],
    ["a revision that is none", { sources: [], expectedRevision: "3" }, "expectedRevision"],
  ])("a body with %s is answered with what is wrong", async (_, body, where) => {
    const answer = await api<{ detail: string }>("POST", "/api/policies", body);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([400, problemType]);
    expect(answer.body.detail).toContain(where);
  });

  test("a query that is no number is answered with what is wrong", async () => {
    expect((await api("GET", "/api/services?windowMs=1m")).status).toBe(400);
    expect((await api("DELETE", "/api/policies/Service/default/a?expectedRevision=x")).status).toBe(400);
  });

  test("what does not exist is a problem too", async () => {
    const answer = await api("GET", "/api/nothing");
    expect([answer.status, answer.headers.get("content-type")]).toEqual([404, problemType]);
  });

  test("what breaks inside says nothing about what was sent", async () => {
    const broken = {
      ...env,
      POLICY: {
        getByName: () => {
          throw new Error("secret body");
        },
      },
    };
    const headers = { authorization: `Bearer ${env.TULLE_OPERATOR_TOKEN}` };
    const response = await app.request("/api/status", { headers }, broken);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret body");
  });
});

describe("the public pages", () => {
  test("healthz answers without touching anything", async () => {
    const response = await exports.default.fetch("https://control.test/healthz");
    expect([response.status, await response.text()]).toEqual([200, "ok\n"]);
  });

  test("the keys are a SPIFFE bundle without anything secret", async () => {
    const response = await exports.default.fetch("https://control.test/.well-known/tulle/jwks.json");
    const body = await response.json<{ keys: object[]; spiffe_sequence: number; tulle_root: object }>();
    expect(body.keys).toMatchObject([{ kty: "EC", crv: "P-256", use: "wit-svid", kid: expect.any(String) }]);
    expect(body.spiffe_sequence).toBe(1);
    expect(body.tulle_root).toMatchObject({ kty: "EC" });
    for (const key of [...body.keys, body.tulle_root]) expect(Object.keys(key)).not.toContain("d");
  });
});

describe("metrics", () => {
  test("tell epochs, isolates and what workloads count", async () => {
    await apply(service("web"));
    await workload({ service: "web" }).report(
      reportRequest("default/web", { epoch: 1, counters: { spans_dropped: 2 } }),
    );
    const { body, headers } = await api<string>("GET", "/metrics");
    expect(headers.get("content-type")).toContain("text/plain; version=0.0.4");
    expect(body).toContain("tulle_policy_epoch 1\n");
    expect(body).toContain('tulle_isolates{service="default/web"} 1\n');
    expect(body).toContain('tulle_workload_events_total{event="spans_dropped"} 2\n');
  });
});

describe("check", () => {
  const lines = async () => (await api<CheckAnswer>("GET", "/api/check")).body.checks;

  test("of a mesh in order says so, and misses services that were never seen", async () => {
    await apply(service("web"));
    const before = await lines();
    expect(before.filter(({ result }) => result !== "ok").map(({ name }) => name)).toEqual([
      "service default/web",
    ]);
    await workload({ service: "web" }).report(reportRequest("default/web", { epoch: 1 }));
    expect((await lines()).filter(({ result }) => result !== "ok")).toEqual([]);
  });

  test("tells the root key to pin, and only its public half", async () => {
    const { rootKey } = (await api<CheckAnswer>("GET", "/api/check")).body;
    const response = await exports.default.fetch("https://control.test/.well-known/tulle/jwks.json");
    expect(rootKey).toEqual((await response.json<{ tulle_root: object }>()).tulle_root);
    expect(Object.keys(rootKey ?? {}).sort()).toEqual(["alg", "crv", "kty", "x", "y"]);
  });

  test("names what was put into KV and is not valid", async () => {
    await env.POLICIES.put("policies/Service/default/web", "nonsense: true");
    await api("POST", "/api/sync", {});
    const line = (await lines()).find(({ name }) => name === "KV policies/Service/default/web");
    expect(line).toMatchObject({ result: "warning", remedy: expect.stringContaining("last good") });
  });

  test("says that KV is behind", async () => {
    await store().apply(
      { sources: [{ source: "a", text: service("web") }] },
      { actor: { name: "operator", role: "admin" }, reason: "" },
    );
    expect((await lines()).find(({ name }) => name === "KV")).toMatchObject({ result: "warning" });
  });

  test("a check that breaks is a failed line, and the others are still made", async () => {
    const broken = { getByName: () => ({ ask: () => Promise.reject(new Error("gone")) }) };
    const { checks } = await checkOf({ ...env, ISSUER: broken as unknown as typeof env.ISSUER }, Date.now());
    expect(checks.find(({ name }) => name === "signing keys")).toMatchObject({ result: "failed" });
    expect(checks.find(({ name }) => name === "policy store")).toMatchObject({ result: "ok" });
  });

  test("a weak or soon expired operator token is worth a warning", async () => {
    const now = Date.now();
    const of = async (change: object) =>
      (await checkOf({ ...env, ...change }, now)).checks.find(({ name }) => name === "operator token")
        ?.result;
    expect(await of({})).toBe("ok");
    expect(await of({ TULLE_OPERATOR_TOKEN: "short" })).toBe("warning");
    expect(await of({ TULLE_OPERATOR_TOKEN_EXPIRES: new Date(now + 86_400_000).toISOString() })).toBe(
      "warning",
    );
  });
});
