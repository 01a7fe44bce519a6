import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AccessLog } from "../support/access-log.ts";
import { type KeyServer, startKeyServer } from "../support/key-server.ts";
import { type IssuerKey, issuer, issuerKey, keySetOf, token } from "../unit/identity/users.ts";

const app = "https://app.example";
const policies = (keysUrl: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec:
  gatewayClassName: tulle
  listeners: [{ name: http, protocol: HTTP, port: 80 }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  parentRefs: [{ name: public }]
  rules:
    - filters: [{ type: CORS, cors: { allowOrigins: ["${app}"], allowHeaders: [authorization] } }]
      backendRefs: [{ name: web, port: 80 }]
---
apiVersion: mesh.tulle.dev/v1
kind: RequestAuthentication
metadata: { name: at-the-gateway }
spec:
  targetRefs: [{ kind: Service, name: gateway }]
  jwtRules:
    - { issuer: "${issuer}", audiences: [shop], jwksUri: "${keysUrl}", forwardOriginalToken: true }
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: users-come-in }
spec:
  targetRefs: [{ kind: Service, name: gateway }]
  rules: [{ from: [{ source: { requestPrincipals: ["*"] } }] }]
---
apiVersion: mesh.tulle.dev/v1
kind: RequestAuthentication
metadata: { name: at-web }
spec:
  targetRefs: [{ kind: Service, name: web }]
  jwtRules:
    - issuer: "${issuer}"
      audiences: [shop]
      jwksUri: "${keysUrl}"
      outputClaimToHeaders: [{ header: x-user, claim: sub }]
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: users-of-web }
spec:
  targetRefs: [{ kind: Service, name: web }]
  rules:
    - from: [{ source: { principals: ["*"], requestPrincipals: ["${issuer}/*"] } }]
      when: [{ key: "request.auth.claims[groups]", values: [customers] }]
---
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: everything }
spec: { accessLog: true }
`;

const log = new AccessLog();
let server: KeyServer;
let mesh: TestMesh;
let first: IssuerKey;
let second: IssuerKey;
let stranger: IssuerKey;

beforeAll(async () => {
  [server, first, second, stranger] = await Promise.all([
    startKeyServer(),
    issuerKey("first"),
    issuerKey("second", "RS256"),
    issuerKey("first"),
  ]);
  server.publish(keySetOf(first));
  mesh = await startMesh({
    services: {
      web: { entry: fileURLToPath(new URL("workers/whoami.ts", import.meta.url)) },
      cart: { fetch: () => new Response("done") },
    },
    policies: [policies(server.url)],
    onLog: log.take,
  });
});
afterAll(async () => {
  await mesh?.dispose();
  await server?.[Symbol.asyncDispose]();
});

/** A customer's token that lives as long as these tests make their clock run. */
const signedBy = (key: IssuerKey, groups = ["customers"]): Promise<string> =>
  token(key, { groups, exp: Math.floor(Date.now() / 1_000) + 90_000 });
const bearing = async (key: IssuerKey, groups?: string[]) => ({
  headers: { authorization: `Bearer ${await signedBy(key, groups)}` },
});
const shop = "http://shop.example.com/orders";

test("a token is verified at the gateway and again at the service, which tells its handler who it is", async () => {
  const response = await mesh.fetch(shop, await bearing(first));
  const { caller, user, headers } = (await response.json()) as Record<string, unknown> & {
    headers: Record<string, string>;
  };
  expect([response.status, caller, user, headers["x-user"], headers.authorization]).toEqual([
    200,
    "gateway",
    `${issuer}/alice`,
    "alice",
    undefined,
  ]);
});

test("without one a request is denied, a bad one is 401, and a preflight needs none", async () => {
  expect((await mesh.fetch(shop)).status).toBe(403);
  const forged = await mesh.fetch(shop, await bearing(stranger));
  expect([
    forged.status,
    forged.headers.get("www-authenticate"),
    forged.headers.get("tulle-problem"),
  ]).toEqual([401, 'Bearer realm="tulle", error="invalid_token"', null]);
  const asks = { origin: app, "access-control-request-method": "GET" };
  expect((await mesh.fetch(shop, { method: "OPTIONS", headers: asks })).status).toBe(204);
});

test("a service asks its own question of the user, whoever calls", async () => {
  expect((await mesh.fetch(shop, await bearing(first, ["staff"]))).status).toBe(403);
  expect((await mesh.from("cart").fetch("http://web/")).status).toBe(403);
  expect((await mesh.from("cart").fetch("http://web/", await bearing(stranger))).status).toBe(401);
  const response = await mesh.from("cart").fetch("http://web/", await bearing(first));
  expect(await response.json()).toMatchObject({ caller: "cart", user: `${issuer}/alice` });
});

test("results are counted, and the log says why without the token", async () => {
  await mesh.settle();
  const metrics = await (await mesh.api("/metrics")).text();
  for (const event of ["end_user_accepted", "end_user_missing", "end_user_bad_signature", "key_set_fetched"])
    expect(metrics).toMatch(new RegExp(`^tulle_workload_events_total\\{event="${event}"\\} [1-9]`, "m"));
  expect(await log.record(({ refusal }) => refusal === "invalid-token")).toMatchObject({
    status: 401,
    workload: "default/gateway",
    reason: "error=invalid_token detail=its signature does not verify",
  });
});

test("an issuer that changes its keys is followed at once, and what it withdraws is refused within minutes", async () => {
  const old = await bearing(first);
  server.publish(keySetOf(first, second));
  expect((await mesh.fetch(shop, await bearing(second))).status).toBe(200);
  server.publish(keySetOf(second));
  expect((await mesh.fetch(shop, old)).status).toBe(200);
  await mesh.advance("10m");
  expect((await mesh.fetch(shop, old)).status).toBe(401);
  expect((await mesh.fetch(shop, await bearing(second))).status).toBe(200);
});

test("tokens with invented keys make nobody ask the issuer again and again", async () => {
  const before = server.asked();
  const invented = { authorization: `Bearer ${await token(stranger, {}, { kid: "invented" })}` };
  for (let count = 0; count < 20; count++)
    expect((await mesh.fetch(shop, { headers: invented })).status).toBe(401);
  expect(server.asked() - before).toBeLessThanOrEqual(1);
});

test("an issuer that is gone for hours stops nobody; an isolate that never had its keys lets nobody in", async () => {
  server.publish(undefined);
  await mesh.advance("2h");
  expect((await mesh.fetch(shop, await bearing(second))).status).toBe(200);
  await mesh.restart();
  const refused = await mesh.fetch(shop, await bearing(second));
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
  server.publish(keySetOf(second));
  await mesh.advance("2s");
  expect((await mesh.fetch(shop, await bearing(second))).status).toBe(200);
});

test("no token, and nobody's name, is in any line of a log", () => {
  expect(log.lines.length).toBeGreaterThan(20);
  for (const line of log.lines) expect(line).not.toMatch(/eyJ|alice/);
});
