import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { identityHeaders } from "../../mesh-runtime/foundation/headers.ts";
import { treated } from "../support/circuits.ts";
import { open } from "../support/policy-texts.ts";
import { dispatch, goAway, type Listener, type Reply, startListener } from "../support/wire.ts";
import type { Mirrored } from "./workers/mirror-words.ts";

const mirror = (name: string) => ({
  entry: fileURLToPath(new URL("workers/mirror.ts", import.meta.url)),
  vars: { NAME: name },
});

/** Above what is kept for a second try, so that larger bodies are on their way already when they turn out too large. */
const bodyBytes = 100_000;
const headerBytes = 4_096;

const gateway = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec:
  gatewayClassName: tulle
  listeners:
    - { name: shop, protocol: HTTP, port: 80, hostname: shop.example.com }
    - { name: wild, protocol: HTTP, port: 80, hostname: "*.example.com" }
    - { name: other-port, protocol: HTTP, port: 8080, hostname: shop.example.com }
`;

const route = (name: string, spec: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec:
${spec.replaceAll(/^/gm, "  ")}
`;

const routes = [
  route(
    "shop",
    `parentRefs: [{ name: public, sectionName: shop }]
rules:
  - backendRefs: [{ name: a, port: 80 }]
  - matches: [{ path: { type: PathPrefix, value: /old } }]
    filters:
      - type: URLRewrite
        urlRewrite: { hostname: a.internal, path: { type: ReplacePrefixMatch, replacePrefixMatch: /new } }
      - type: RequestHeaderModifier
        requestHeaderModifier: { set: [{ name: X-Entry, value: public }], remove: [X-Debug] }
      - type: ResponseHeaderModifier
        responseHeaderModifier: { set: [{ name: Strict-Transport-Security, value: max-age=60 }], remove: [X-Secret] }
    backendRefs: [{ name: a, port: 80 }]
  - matches: [{ path: { type: PathPrefix, value: /secure } }]
    filters: [{ type: RequestRedirect, requestRedirect: { scheme: https, statusCode: 301 } }]
  - matches: [{ path: { type: PathPrefix, value: /moved } }]
    filters:
      - type: RequestRedirect
        requestRedirect: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /here }, statusCode: 302 }
  - matches: [{ path: { type: PathPrefix, value: /hurried } }]
    timeouts: { request: 60ms }
    backendRefs: [{ name: a, port: 80 }]
  - matches: [{ path: { type: PathPrefix, value: /wire } }]
    backendRefs: [{ name: wire, port: 80 }]`,
  ),
  route(
    "wild",
    `parentRefs: [{ name: public, sectionName: wild }]
hostnames: [blue.example.com, "*.team.example.com"]
rules: [{ backendRefs: [{ name: b, port: 80 }] }]`,
  ),
  route(
    "other-port",
    `parentRefs: [{ name: public, sectionName: other-port }]
rules:
  - backendRefs: [{ name: b, port: 80 }]
  - matches: [{ path: { type: PathPrefix, value: /moved } }]
    filters: [{ type: RequestRedirect, requestRedirect: { hostname: shop.example.com, statusCode: 302 } }]`,
  ),
];

let mesh: TestMesh;
let wire: Listener;

beforeAll(async () => {
  wire = await startListener();
  mesh = await startMesh({
    services: { a: mirror("a"), b: mirror("b") },
    policies: [
      `apiVersion: mesh.tulle.dev/v1\nkind: Service\nmetadata: { name: wire }\nspec: { endpoint: { url: "${wire.url}" } }\n`,
      "apiVersion: mesh.tulle.dev/v1\nkind: Service\nmetadata: { name: b }\nspec: { evidence: binding }\n",
      treated("wire", "timeout: 7s"),
      gateway,
      ...routes,
      open("a", "b"),
    ],
    gatewayVars: { MAX_BODY_BYTES: String(bodyBytes), MAX_HEADER_BYTES: String(headerBytes) },
  });
});
afterAll(async () => {
  await mesh.dispose();
  await wire[Symbol.asyncDispose]();
});

async function mirrored(url: string, init?: RequestInit): Promise<Mirrored> {
  const response = await mesh.fetch(url, init);
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as Mirrored;
}

function expectProblem({ status, headers, text }: Reply, expected: number, kind: string): void {
  expect({ status, type: headers["content-type"] }).toEqual({
    status: expected,
    type: "application/problem+json",
  });
  expect(JSON.parse(text)).toMatchObject({ type: `https://tulle.dev/problems/${kind}`, status: expected });
  // What tells other workers that the mesh has refused is nothing for who stands outside.
  expect(Object.keys(headers).filter((name) => name.startsWith("tulle-"))).toEqual([]);
}

const replyOf = async (response: Response): Promise<Reply> => ({
  status: response.status,
  headers: Object.fromEntries(response.headers),
  text: await response.text(),
});

describe("a host leads to the listener and the route that name it most exactly", () => {
  test.each([
    ["http://shop.example.com/", "a"],
    ["http://SHOP.example.com:80/", "a"],
    ["http://blue.example.com/", "b"],
    ["http://x.team.example.com/", "b"],
    ["http://y.x.team.example.com/", "b"],
    ["http://shop.example.com:8080/", "b"],
  ])("%s is answered by %s", async (url, by) => {
    expect((await mirrored(url)).by).toBe(by);
  });

  test.each([
    "green.example.com",
    "team.example.com",
    "example.com",
    "shop.example.com.evil.org",
    "127.0.0.1",
  ])("%s is not found", async (host) => {
    expectProblem(await replyOf(await mesh.fetch(`http://${host}/`)), 404, "no-route");
    expectProblem(await dispatch(mesh.url, { headers: { host } }), 404, "no-route");
  });
});

describe("what comes from outside claims nothing", () => {
  const forged: Readonly<Record<string, string>> = {
    ...Object.fromEntries(identityHeaders.map((name) => [name, "forged"])),
    "content-digest": "sha-256=:forged:",
    "tulle-epoch": "999999999",
    "tulle-attempt-credits": "100000",
    "tulle-hops": "0",
    "tulle-deadline-ms": "1",
    "tulle-anything": "forged",
    traceparent: "00-11111111111111111111111111111111-2222222222222222-01",
    tracestate: "forged=1",
    baggage: "forged=1",
    forwarded: "for=forged",
    "x-forwarded-for": "203.0.113.9",
    "x-forwarded-host": "forged.example.com",
    "x-forwarded-port": "1",
    "x-forwarded-proto": "https",
    "x-real-ip": "203.0.113.9",
    "x-original-url": "/admin",
    "x-rewrite-url": "/admin",
  };
  const own = { authorization: "Bearer of-the-client", cookie: "session=1", "x-own": "kept" };

  test("an application sees neither identities nor traces nor forwarding that the client made up", async () => {
    const seen = await mirrored("http://shop.example.com/", { headers: { ...forged, ...own } });
    expect(seen.caller).toBe("spiffe://mesh.local/ns/default/sa/gateway");
    expect(seen.headers).toMatchObject({
      ...own,
      "x-forwarded-host": "shop.example.com",
      "x-forwarded-proto": "http",
    });
    for (const [name, value] of Object.entries(forged)) expect(seen.headers[name], name).not.toBe(value);
    for (const name of ["x-real-ip", "forwarded", "x-spiffe-id", "tulle-anything", "baggage"])
      expect(seen.headers, name).not.toHaveProperty(name);
  });

  test("nor does the wire behind the gateway: what stands there is the gateway's own", async () => {
    const response = await mesh.fetch("http://shop.example.com/wire", { headers: { ...forged, ...own } });
    expect(response.status).toBe(200);
    const headers = wire.received.at(-1)?.headers ?? {};
    expect(headers).toMatchObject(own);
    for (const [name, value] of Object.entries(forged)) expect(headers[name], name).not.toBe(value);
    expect(headers["workload-identity-token"]).toMatch(/^eyJ/);
    expect(headers.signature).toMatch(/^\w+=:/);
    expect(headers["tulle-hops"]).toBe("1");
    // Its own policy gives it seven seconds, and no client more or less.
    expect(Number(headers["tulle-deadline-ms"])).toBeGreaterThan(5_000);
    expect(Number(headers["tulle-deadline-ms"])).toBeLessThanOrEqual(7_000);
    expect(Number(headers["tulle-attempt-credits"])).toBeLessThan(10);
    expect(headers).not.toHaveProperty("tulle-anything");
  });

  test("and what leaves says nothing of the mesh", async () => {
    for (const url of ["http://shop.example.com/", "http://nobody.example.com/"]) {
      const names = [...(await mesh.fetch(url)).headers.keys()];
      expect(names.filter((name) => name.startsWith("tulle-"))).toEqual([]);
    }
  });
});

describe("what is too large is refused at the door", () => {
  const host = "shop.example.com";
  const chunk = new Uint8Array(10_000);
  const stream = (to: string, chunks: number): Promise<Reply> =>
    dispatch(mesh.url, {
      method: "POST",
      headers: { host: to },
      chunks: Array.from({ length: chunks }, () => chunk),
    });

  test("a body that declares its length", async () => {
    const large = await mesh.fetch(`http://${host}/`, {
      method: "POST",
      body: new Uint8Array(bodyBytes + 1),
    });
    expectProblem(await replyOf(large), 413, "body-too-large");
    const fitting = await mirrored(`http://${host}/`, { method: "POST", body: new Uint8Array(bodyBytes) });
    expect(fitting.bytes).toBe(bodyBytes);
  });

  test("a body that comes in chunks and declares nothing", async () => {
    expectProblem(await stream(host, bodyBytes / chunk.length + 1), 413, "body-too-large");
    const fitting = await stream(host, bodyBytes / chunk.length);
    expect(fitting.status).toBe(200);
    expect((JSON.parse(fitting.text) as Mirrored).bytes).toBe(bodyBytes);
  });

  test("and nobody behind the door takes it for a whole body, or is to blame for it", async () => {
    for (const each of [host, "blue.example.com"]) {
      const { bodies } = await mirrored(`http://${each}/`);
      for (let request = 0; request < 8; request++) {
        expectProblem(await stream(each, 11), 413, "body-too-large");
      }
      expect((await mirrored(`http://${each}/`)).bodies).toBe(bodies + 1);
    }
    const { circuits } = await mesh.signals();
    expect(circuits.filter(({ state }) => state !== "closed")).toEqual([]);
    expect(await (await mesh.api("/metrics")).text()).not.toContain('event="crashes"');
  });

  test("nor is an upload taken for whole that its client breaks off, whether it declares its length or not", async () => {
    const chunks = Array.from({ length: 8 }, () => chunk);
    for (const declared of [{}, { "content-length": String(bodyBytes) }]) {
      const before = await unread();
      const arrived = async (): Promise<void> => {
        for (let asked = 0; asked < 1_000; asked++) if ((await unread()) > before) return;
        throw new Error("The upload has not begun to arrive");
      };
      await goAway(mesh.url, { headers: { host: "blue.example.com", ...declared }, chunks }, arrived);
      expect(await unread(), JSON.stringify(declared)).toBe(before + 1);
    }
  });

  /** How many requests the worker behind has begun with whose bodies it has not read to their end. */
  async function unread(): Promise<number> {
    const { begun, bodies } = await mirrored("http://blue.example.com/");
    return begun - bodies;
  }

  test("a GET with a body, of which no service behind the door hears, nor is to blame for it", async () => {
    const asked = { method: "GET", headers: { host } };
    for (let request = 0; request < 8; request++) {
      const declared = { ...asked, headers: { host, "content-length": "1" }, chunks: [new Uint8Array(1)] };
      expectProblem(await dispatch(mesh.url, declared), 413, "body-too-large");
      const chunked = { ...asked, headers: { host, "transfer-encoding": "chunked" }, chunks: [chunk] };
      expectProblem(await dispatch(mesh.url, chunked), 413, "body-too-large");
    }
    const empty = await dispatch(mesh.url, { ...asked, headers: { host, "content-length": "0" } });
    expect(empty.status).toBe(200);
    expect(await openCircuits()).toEqual([]);
  });

  test("a host that is none: nobody could be reached under it, and nobody is to blame", async () => {
    for (let request = 0; request < 8; request++)
      expectProblem(await dispatch(mesh.url, { headers: { host: "a*b.team.example.com" } }), 404, "no-route");
    expect(await openCircuits()).toEqual([]);
  });

  async function openCircuits() {
    return (await mesh.signals()).circuits.filter(({ state }) => state !== "closed");
  }

  test("header fields, and a URL", async () => {
    const headers = { "x-large": "x".repeat(headerBytes) };
    expectProblem(await replyOf(await mesh.fetch(`http://${host}/`, { headers })), 431, "headers-too-large");
    const long = `http://${host}/${"x".repeat(headerBytes)}`;
    expectProblem(await replyOf(await mesh.fetch(long)), 431, "headers-too-large");
    const within = { "x-large": "x".repeat(headerBytes - 1_000) };
    expect((await mirrored(`http://${host}/`, { headers: within })).headers).toMatchObject(within);
  });
});

describe("filters and timeouts hold at the door too", () => {
  test("host, path and headers are changed on the way in, headers on the way out", async () => {
    const response = await mesh.fetch("http://shop.example.com/old/things?x=1", {
      headers: { "x-debug": "1" },
    });
    const seen = (await response.json()) as Mirrored;
    expect(seen.url).toBe("http://a.internal/new/things?x=1");
    expect(seen.headers).toMatchObject({ "x-entry": "public", "x-forwarded-host": "shop.example.com" });
    expect(seen.headers).not.toHaveProperty("x-debug");
    expect(response.headers.get("strict-transport-security")).toBe("max-age=60");
    expect(response.headers.has("x-secret")).toBe(false);
  });

  test.each([
    ["http://shop.example.com/secure/cart?x=1", 301, "https://shop.example.com/secure/cart?x=1"],
    ["http://shop.example.com/moved/cart?x=1", 302, "http://shop.example.com/here/cart?x=1"],
    ["http://shop.example.com:8080/moved/cart", 302, "http://shop.example.com:8080/moved/cart"],
  ])("%s is redirected with %i to %s", async (url, status, location) => {
    const response = await mesh.fetch(url, { redirect: "manual" });
    expect([response.status, response.headers.get("location")]).toEqual([status, location]);
  });

  test("a request that takes too long is answered with 504", async () => {
    const late = await mesh.fetch("http://shop.example.com/hurried?delay=3000", { method: "POST" });
    expectProblem(await replyOf(late), 504, "deadline-exceeded");
  });
});
