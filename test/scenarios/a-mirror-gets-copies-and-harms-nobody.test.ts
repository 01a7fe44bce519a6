import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Backend, fails } from "../support/backend.ts";
import { open } from "../support/policy-texts.ts";
import { dispatch, type Reply } from "../support/wire.ts";

/** What is kept of a body for another try, and for a copy. */
const keptBytes = 64 * 1024;

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
    - matches: [{ path: { type: PathPrefix, value: /mirrored } }]
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: { set: [{ name: X-Entry, value: public }], remove: [X-Debug] }
        - type: RequestMirror
          requestMirror: { backendRef: { name: first, port: 80 } }
        - type: RequestMirror
          requestMirror: { backendRef: { name: second, port: 80 } }
      backendRefs: [{ name: shop, port: 80 }]
    - matches: [{ path: { type: PathPrefix, value: /nowhere } }]
      filters:
        - type: RequestMirror
          requestMirror: { backendRef: { name: gone, port: 80 } }
        - type: RequestMirror
          requestMirror: { backendRef: { name: first, port: 80 }, percent: 0 }
      backendRefs: [{ name: shop, port: 80 }]
    - matches: [{ path: { type: PathPrefix, value: /backend } }]
      backendRefs:
        - name: shop
          port: 80
          filters:
            - type: URLRewrite
              urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /v1 } }
            - type: RequestMirror
              requestMirror: { backendRef: { name: first, port: 80 }, fraction: { numerator: 1, denominator: 1 } }
    - matches: [{ path: { type: PathPrefix, value: /inside } }]
      backendRefs: [{ name: inside, port: 80 }]
---
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: inside }
spec: { virtual: true }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  parentRefs: [{ group: "", kind: Service, name: shop }]
  rules:
    - filters:
        - type: RequestMirror
          requestMirror: { backendRef: { name: first, port: 80 } }
      backendRefs: [{ name: shop, port: 80 }]
---
apiVersion: mesh.tulle.dev/v1
kind: TrafficPolicy
metadata: { name: second }
spec:
  targetRefs: [{ kind: Service, name: second }]
  circuit: { consecutiveFailures: 3, minimumSpan: 1ms, baseOpen: 1h, maxOpen: 1h }
`;

const shop = new Backend();
const first = new Backend();
const second = new Backend();
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: { shop, first, second, web: new Backend() },
    policies: [policies, open("shop", "first", "second")],
  });
});
afterAll(() => mesh.dispose());
beforeEach(() => {
  for (const backend of [shop, first, second]) backend.script([]);
});

const host = "shop.example.com";
const fetch = (path: string, init?: RequestInit): Promise<Response> =>
  mesh.fetch(`http://${host}${path}`, init);
const upload = (path: string, chunks: readonly Uint8Array[]): Promise<Reply> =>
  dispatch(new URL(path, mesh.url).href, { method: "POST", headers: { host }, chunks });

const dropped = async (): Promise<number> => {
  await mesh.settle();
  const metrics = await (await mesh.api("/metrics")).text();
  return Number(/event="mirrors_dropped"\} (\d+)/.exec(metrics)?.[1] ?? 0);
};

describe("every mirror of a rule gets a copy", () => {
  test("of the request as its filters left it, with its body and no tries of its own", async () => {
    const sent = { method: "POST", headers: { "x-debug": "1", "x-own": "kept" }, body: "of the client" };
    expect(await (await fetch("/mirrored/cart?x=1", sent)).text()).toBe("well");
    await Promise.all([first.reached(1), second.reached(1)]);
    for (const { received } of [shop, first, second]) {
      const [one] = received;
      expect(received).toHaveLength(1);
      expect(one).toMatchObject({ method: "POST", path: "/mirrored/cart", body: "of the client" });
      expect(one?.headers.get("x-entry")).toBe("public");
      expect(one?.headers.get("x-own")).toBe("kept");
      expect(one?.headers.has("x-debug")).toBe(false);
    }
  });

  test("and so does a mirror of the backend that is chosen, with what that backend's filters changed", async () => {
    expect((await fetch("/backend/cart")).status).toBe(200);
    await first.reached(1);
    expect(first.received[0]?.path).toBe("/v1/cart");
  });

  test("also between services, where no gateway is on the way", async () => {
    expect(await (await mesh.from("web").fetch("http://shop/inside")).text()).toBe("well");
    await first.reached(1);
    expect(first.received[0]?.path).toBe("/inside");
  });

  test("of a body that comes in chunks too, as long as that is kept for another try", async () => {
    const chunk = new Uint8Array(10_000).fill(97);
    expect((await upload("/mirrored", [chunk, chunk])).status).toBe(200);
    await Promise.all([first.reached(1), second.reached(1)]);
    for (const { received } of [shop, first, second]) expect(received[0]?.body).toHaveLength(20_000);
  });

  test("but not of a larger one, which reaches the service whole", async () => {
    const before = await dropped();
    const chunk = new Uint8Array(keptBytes).fill(97);
    expect((await upload("/mirrored", [chunk, chunk])).status).toBe(200);
    expect(shop.received[0]?.body).toHaveLength(2 * keptBytes);
    expect(await dropped()).toBe(before + 2);
    expect([first.received, second.received]).toEqual([[], []]);
  });
});

describe("a mirror harms nobody", () => {
  test("that does not answer: requests are answered while their copies still wait", async () => {
    const release = first.hold();
    let released = false;
    for (let request = 0; request < 5; request++) {
      expect(await (await fetch("/mirrored")).text()).toBe("well");
      expect(released).toBe(false);
    }
    await first.reached(5);
    expect(shop.received).toHaveLength(5);
    released = true;
    release();
  });

  test("that does not exist, or gets a share of nothing", async () => {
    const before = await dropped();
    for (let request = 0; request < 3; request++) expect((await fetch("/nowhere")).status).toBe(200);
    expect(await dropped()).toBe(before + 3);
    expect(first.received).toEqual([]);
  });

  test("that only fails: nothing is tried again, its own circuit opens and no other, and copies stop", async () => {
    second.script([], fails(503));
    const before = await dropped();
    for (let request = 0; request < 20; request++) {
      expect(await (await fetch("/mirrored", { method: "POST", body: "x" })).text()).toBe("well");
      await first.reached(request + 1);
    }
    expect(shop.received).toHaveLength(20);
    const { circuits } = await mesh.signals();
    const notClosed = circuits.filter(({ state }) => state !== "closed").map(({ circuit }) => circuit);
    expect(notClosed.filter((circuit) => circuit !== "default/second")).toEqual([]);
    expect(second.received.length).toBeLessThan(20);
    expect(await dropped()).toBe(before + 20 - second.received.length);
  });
});
