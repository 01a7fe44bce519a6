import { beforeAll, describe, expect, test } from "vitest";
import { type IssuerKey, issuer, issuerKey, keySetOf, keysUrl, token } from "../identity/users.ts";
import { entry, gateway, policy, service } from "../policy/writing.ts";
import { entrance } from "./entrance.ts";

const app = "https://app.example";
const mesh = [
  service("gateway"),
  service("web"),
  gateway("public", "listeners: [{name: http, protocol: HTTP, port: 80}]"),
  entry(
    "shop",
    `parentRefs: [{name: public}], rules: [
      {matches: [{path: {type: PathPrefix, value: /api}}], backendRefs: [{name: web, port: 80}],
       filters: [{type: CORS, cors: {allowOrigins: ["${app}"], allowHeaders: [authorization], exposeHeaders: [www-authenticate]}}]},
      {backendRefs: [{name: web, port: 80}]}]`,
  ),
];
const verified = (more = "") =>
  policy(
    "RequestAuthentication",
    "users",
    `{targetRefs: [{kind: Service, name: gateway}], jwtRules: [{issuer: "${issuer}", jwksUri: "${keysUrl}",
      outputClaimToHeaders: [{header: x-user, claim: sub}]${more}}]}`,
  );
const demanded = policy(
  "AuthorizationPolicy",
  "only-users",
  "{targetRefs: [{kind: Service, name: gateway}], rules: [{from: [{source: {requestPrincipals: ['*']}}]}]}",
);

let key: IssuerKey;
let stranger: IssuerKey;
beforeAll(async () => {
  [key, stranger] = await Promise.all([issuerKey("k1"), issuerKey("k1")]);
});

async function open(...texts: readonly string[]) {
  const there = await entrance(...mesh, ...texts);
  there.users.servers.answer(keysUrl, keySetOf(key));
  const enter = (path: string, headers: Readonly<Record<string, string>> = {}, method = "GET") =>
    there.enter(new Request(`http://shop.example${path}`, { headers, method }));
  return { ...there, enter };
}

const bearing = (text: string) => ({ authorization: `Bearer ${text}` });

describe("at a gateway that verifies tokens", () => {
  test("a good one is taken off, its claims go on as headers, and the service behind is asked", async () => {
    const { enter } = await open(verified());
    const { response, sent } = await enter("/", { ...bearing(await token(key)), "x-user": "root" });
    expect(response.status).toBe(200);
    expect([sent?.headers.get("authorization"), sent?.headers.get("x-user")]).toEqual([null, "alice"]);
  });

  test("a good one goes on where policy says so", async () => {
    const { enter } = await open(verified(", forwardOriginalToken: true"));
    const text = await token(key);
    const { sent } = await enter("/", bearing(text));
    expect(sent?.headers.get("authorization")).toBe(`Bearer ${text}`);
  });

  test("one in the address is taken out of it before any route or service sees it", async () => {
    const { enter } = await open(verified());
    const { response, sent } = await enter(`/a?x=1&access_token=${await token(key)}`);
    expect([response.status, sent && new URL(sent.url).search]).toEqual([200, "?x=1"]);
  });

  test("without one a request goes on, and nobody's claims with it", async () => {
    const { enter, users } = await open(verified());
    const { response, sent } = await enter("/", { "x-user": "root" });
    expect([response.status, sent?.headers.has("x-user")]).toEqual([200, false]);
    expect(users.counted).toEqual(["end_user_missing"]);
    expect(users.servers.asked).toEqual([]);
  });

  test("a bad one goes nowhere", async () => {
    const { enter, users } = await open(verified());
    const { response, sent } = await enter("/", bearing(await token(stranger)));
    expect([response.status, response.headers.get("www-authenticate"), sent]).toEqual([
      401,
      'Bearer realm="tulle", error="invalid_token"',
      undefined,
    ]);
    expect(users.counted.at(-1)).toBe("end_user_bad_signature");
  });

  test("calls of workloads are not looked through", async () => {
    const { enter, users } = await open();
    expect((await enter("/", bearing(await token(stranger)))).response.status).toBe(200);
    expect(users.counted).toEqual([]);
  });
});

describe("where a policy demands a token", () => {
  test("a request without is denied, and one with a good one let in", async () => {
    const { enter } = await open(verified(), demanded);
    expect((await enter("/")).response.status).toBe(403);
    expect((await enter("/", bearing(await token(key)))).response.status).toBe(200);
  });

  const asks = { origin: app, "access-control-request-method": "GET" };

  test("a preflight needs none, and what it asks for does", async () => {
    const { enter } = await open(verified(), demanded);
    const { response, sent } = await enter("/api/x", asks, "OPTIONS");
    expect([response.status, response.headers.get("access-control-allow-origin"), sent]).toEqual([
      204,
      app,
      undefined,
    ]);
    expect(response.headers.get("access-control-allow-headers")).toBe("authorization");
    expect((await enter("/api/x", { origin: app })).response.status).toBe(403);
  });

  test("what only looks like a preflight does, and one that no rule with CORS is for", async () => {
    const { enter } = await open(verified(), demanded);
    for (const [path, headers] of [
      ["/", asks],
      ["/api/x", { origin: app }],
      ["/api/x", { "access-control-request-method": "GET" }],
    ] as const) {
      const { response, sent } = await enter(path, headers, "OPTIONS");
      expect([response.status, sent]).toEqual([403, undefined]);
    }
    expect((await enter("/api/x", asks, "POST")).response.status).toBe(403);
  });

  test("a script of another origin can read why it was refused, and no other origin can", async () => {
    const { enter } = await open(verified(), demanded);
    for (const [headers, status] of [
      [{ origin: app }, 403],
      [{ origin: app, ...bearing(await token(stranger)) }, 401],
    ] as const) {
      const { response } = await enter("/api/x", headers);
      expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([status, app]);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
    }
    const refused = await enter("/api/x", { origin: app, ...bearing("junk") });
    expect(refused.response.headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect(refused.response.headers.get("access-control-expose-headers")).toBe("www-authenticate");
    const other = await enter("/api/x", { origin: "https://evil.example" });
    expect(other.response.headers.has("access-control-allow-origin")).toBe(false);
  });
});
