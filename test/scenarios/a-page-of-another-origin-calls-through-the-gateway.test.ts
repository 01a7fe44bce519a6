import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Backend } from "../support/backend.ts";
import { Page } from "../support/browser.ts";
import { open } from "../support/policy-texts.ts";

const policies = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec: { gatewayClassName: tulle, listeners: [{ name: http, protocol: HTTP, port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: public }
spec:
  parentRefs: [{ name: public }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /account } }]
      filters:
        - type: CORS
          cors:
            allowOrigins: ["https://app.example.com", "https://*.partner.example:8443"]
            allowCredentials: true
            allowMethods: ["*"]
            allowHeaders: ["*"]
            exposeHeaders: [X-Total]
            maxAge: 600
      backendRefs: [{ name: api, port: 80 }]
    - matches: [{ path: { type: PathPrefix, value: /prices }, method: PUT }]
      filters:
        - type: CORS
          cors: { allowOrigins: ["https://app.example.com"], allowMethods: [PUT], allowHeaders: [X-Editor] }
      backendRefs: [{ name: api, port: 80 }]
    - matches: [{ path: { type: PathPrefix, value: /prices }, method: GET }]
      filters: [{ type: CORS, cors: { allowOrigins: ["*"] } }]
      backendRefs: [{ name: api, port: 80 }]
    - matches: [{ path: { type: PathPrefix, value: /down } }]
      filters: [{ type: CORS, cors: { allowOrigins: ["*"] } }]
      backendRefs: [{ name: gone, port: 80 }]
    - matches: [{ path: { type: PathPrefix, value: /plain } }]
      backendRefs: [{ name: api, port: 80 }]
`;

const api = new Backend();
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({ services: { api }, policies: [policies, open("api")] });
});
afterAll(() => mesh.dispose());
/** The application has an opinion of its own, which nobody must hear where the route has one. */
beforeEach(() =>
  api.script(
    [],
    () =>
      new Response("of the application", {
        headers: { "access-control-allow-origin": "https://evil.example", "x-total": "3", "x-secret": "1" },
      }),
  ),
);

const page = (origin: string): Page => new Page(origin, (url, init) => mesh.fetch(url, init));
const at = (path: string): string => `http://shop.example.com${path}`;
const methods = (): readonly string[] => api.received.map(({ method }) => method);

const app = page("https://app.example.com");
const evil = page("https://evil.example");

describe("a page of an origin that is allowed", () => {
  test("reads answers, with its credentials, and of the headers those that are exposed", async () => {
    const seen = await app.fetch(at("/account"), { credentials: true });
    expect(seen).toMatchObject({ status: 200, text: "of the application", headers: { "x-total": "3" } });
    expect(seen.headers).not.toHaveProperty("x-secret");
  });

  test("sends what is not simple once the mesh has allowed it; the application hears no preflight", async () => {
    const headers = { authorization: "Bearer of-the-page", "x-anything": "1" };
    const seen = await app.fetch(at("/account/1"), { method: "DELETE", headers, credentials: true });
    expect(seen.status).toBe(200);
    expect(methods()).toEqual(["DELETE"]);
    expect(api.received[0]?.headers.get("x-anything")).toBe("1");
  });

  test("may be one under a wildcard, at the port that is named", async () => {
    expect((await page("https://a.b.partner.example:8443").fetch(at("/account"))).status).toBe(200);
    await expect(page("https://a.partner.example").fetch(at("/account"))).rejects.toThrow(
      "blocked: the origin",
    );
  });

  test("reaches a rule for one method, whose preflight is an OPTIONS all the same", async () => {
    const seen = await app.fetch(at("/prices/1"), { method: "PUT", headers: { "x-editor": "1" } });
    expect(seen.status).toBe(200);
    expect(methods()).toEqual(["PUT"]);
    expect((await evil.fetch(at("/prices/1"))).status).toBe(200);
    await expect(evil.fetch(at("/prices/1"), { method: "PUT" })).rejects.toThrow("blocked: the origin");
    expect(methods()).toEqual(["PUT", "GET"]);
  });

  test("is refused what the route does not allow, and nothing is sent", async () => {
    const headers = { "x-other": "1" };
    await expect(app.fetch(at("/prices/1"), { method: "PUT", headers })).rejects.toThrow(
      "blocked: the header x-other",
    );
    await expect(app.fetch(at("/prices/1"), { method: "PUT", credentials: true })).rejects.toThrow(
      "blocked: credentials",
    );
    expect(methods()).toEqual([]);
  });

  test("can read why the mesh refused", async () => {
    const seen = await app.fetch(at("/down"));
    expect([seen.status, JSON.parse(seen.text)]).toEqual([
      500,
      expect.objectContaining({ type: "https://tulle.dev/problems/no-backend" }),
    ]);
  });
});

describe("a page of another origin", () => {
  test("is told nothing, though the application would; a simple request has reached that", async () => {
    await expect(evil.fetch(at("/account"))).rejects.toThrow("blocked: the origin https://evil.example");
    expect(methods()).toEqual(["GET"]);
  });

  test("sends nothing that is not simple", async () => {
    await expect(evil.fetch(at("/account"), { method: "DELETE" })).rejects.toThrow("blocked: the origin");
    expect(methods()).toEqual([]);
  });
});

test("a route that does not speak of CORS leaves it to the application, preflights too", async () => {
  expect((await evil.fetch(at("/plain"))).text).toBe("of the application");
  await expect(app.fetch(at("/plain"), { method: "PUT" })).rejects.toThrow("blocked: the origin");
  expect(methods()).toEqual(["GET", "OPTIONS"]);
});

test("answers say to caches that they depend on the origin", async () => {
  const vary = async (path: string): Promise<string | null> =>
    (await mesh.fetch(at(path), { headers: { origin: "https://app.example.com" } })).headers.get("vary");
  expect([await vary("/account"), await vary("/prices"), await vary("/plain")]).toEqual([
    "Origin",
    null,
    null,
  ]);
});
