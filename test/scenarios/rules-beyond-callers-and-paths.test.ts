import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccessLog } from "../support/access-log.ts";

const policies = `
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
  rules: [{ backendRefs: [{ name: web, port: 80 }] }]
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: keep-out }
spec:
  targetRefs: [{ kind: Service, name: gateway }]
  action: DENY
  rules:
    - from: [{ source: { ipBlocks: [192.0.2.0/24, "2001:db8::/32"] } }]
    - to: [{ operation: { hosts: [admin.example.com], paths: [/internal, /internal/*] } }]
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: everybody }
spec:
  targetRefs: [{ kind: Service, name: web }]
  rules:
    - from: [{ source: { principals: ["*"] } }]
      when:
        - { key: "request.headers[x-team]", notValues: [blocked] }
        - { key: mesh.evidence, values: [signature] }
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: watch }
spec:
  targetRefs: [{ kind: Service, name: web }]
  action: AUDIT
  rules: [{ to: [{ operation: { paths: ["/orders/{*}/refund"] } }] }]
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: trial, annotations: { istio.io/dry-run: "true" } }
spec:
  targetRefs: [{ kind: Service, name: web }]
  action: DENY
  rules: [{ to: [{ operation: { methods: [DELETE] } }] }]
---
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: everything }
spec: { accessLog: true }
`;

const log = new AccessLog();
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("done") },
      cart: { fetch: () => new Response("done") },
    },
    policies: [policies],
    onLog: log.take,
  });
});
afterAll(() => mesh?.dispose());

/** As the platform marks a request with the address that it came from. */
const from = (address: string, more: Readonly<Record<string, string>> = {}) => ({
  headers: { "cf-connecting-ip": address, ...more },
});

describe("at the gateway", () => {
  test.each([
    ["198.51.100.7", 200],
    ["2001:db9::1", 200],
    ["192.0.2.7", 403],
    ["::ffff:192.0.2.7", 403],
    ["2001:db8:1::7", 403],
  ])("a caller from %s gets %i", async (address, status) => {
    expect((await mesh.fetch("http://shop.example.com/", from(address))).status).toBe(status);
  });

  test("no header of the caller's makes its address another one", async () => {
    const claims = {
      "x-forwarded-for": "198.51.100.7",
      "x-real-ip": "198.51.100.7",
      forwarded: "for=198.51.100.7",
    };
    expect((await mesh.fetch("http://shop.example.com/", from("192.0.2.7", claims))).status).toBe(403);
    const { rule, refusal } = await log.record(({ status }) => status === 403);
    expect([rule, refusal]).toEqual(["AuthorizationPolicy/default/keep-out/0", "denied"]);
  });

  test("a caller whose address nobody tells is not let past a rule about addresses", async () => {
    expect((await mesh.fetch("http://shop.example.com/", from("not an address"))).status).toBe(403);
  });

  test.each(["/internal", "/Internal/", "/%69nternal", "/internal;x", "//internal", "/x/..%2finternal"])(
    "%s of one host is nobody's from outside, however it is spelled",
    async (path) => {
      const init = from("198.51.100.7");
      expect((await mesh.fetch(`http://admin.example.com${path}`, init)).status).toBe(403);
    },
  );

  test("and another host has it", async () => {
    const init = from("198.51.100.7");
    expect((await mesh.fetch("http://shop.example.com/internal", init)).status).toBe(200);
  });
});

describe("at a workload", () => {
  const arrival = (path: string) =>
    log.record(
      (record) => record.direction === "inbound" && record.workload === "default/web" && record.path === path,
    );

  test("a condition on a header is kept, in both its values", async () => {
    const asked = (team: string) =>
      mesh.from("cart").fetch("http://web/teams", { headers: { "x-team": team } });
    expect((await asked("open")).status).toBe(200);
    expect((await asked("blocked")).status).toBe(403);
    expect((await asked("open, blocked")).status).toBe(403);
  });

  test("what AUDIT speaks of is marked, and goes on", async () => {
    expect((await mesh.from("cart").fetch("http://web/orders/7/refund")).status).toBe(200);
    expect(await arrival("/orders/7/refund")).toMatchObject({
      status: 200,
      rule: "AuthorizationPolicy/default/everybody/0",
      audited: "AuthorizationPolicy/default/watch/0",
    });
    expect((await mesh.from("cart").fetch("http://web/orders/7")).status).toBe(200);
    expect(await arrival("/orders/7")).not.toHaveProperty("audited");
  });

  test("a dry run decides nothing, and tells what it would decide", async () => {
    expect((await mesh.from("cart").fetch("http://web/gone", { method: "DELETE" })).status).toBe(200);
    expect(await arrival("/gone")).toMatchObject({
      rule: "AuthorizationPolicy/default/everybody/0",
      dryRun: "denied by AuthorizationPolicy/default/trial/0",
    });
    expect((await mesh.from("cart").fetch("http://web/kept")).status).toBe(200);
    expect((await arrival("/kept")).dryRun).toBe("allowed by AuthorizationPolicy/default/everybody/0");
  });

  test("both are counted", async () => {
    await mesh.settle();
    const metrics = await (await mesh.api("/metrics")).text();
    for (const event of ["access_audited", "dry_run_denied", "dry_run_allowed"])
      expect(metrics).toMatch(new RegExp(`^tulle_workload_events_total\\{event="${event}"\\} [1-9]`, "m"));
  });
});
