import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { entrance, open, split, virtual } from "../support/policy-texts.ts";
import { traffic } from "../support/traffic.ts";

const payable = (caller: string): string => `
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: payments }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  rules: [{ from: [{ source: { principals: [mesh.local/ns/default/sa/${caller}] } }] }]
`;

let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("web") },
      other: { fetch: () => new Response("other") },
      echo: { fetch: () => new Response("echo") },
      payments: { fetch: () => new Response("paid"), kv: { TULLE_KV: "tulle-policies" } },
    },
    policies: [entrance("web"), open("web", "echo"), payable("web")],
  });
});
afterAll(() => mesh.dispose());

const down = { status: 500 } as const;
const send = (from: string, url: string): Promise<Response> => mesh.from(from).fetch(url);
const statusOf = async (from: string, url: string): Promise<number> => (await send(from, url)).status;

/** Sums of what isolates counted beside requests, as control tells Prometheus. */
async function counted(event: string): Promise<number> {
  await mesh.settle();
  const text = await (await mesh.api("/metrics")).text();
  const line = new RegExp(`^tulle_\\w+\\{(?:.*,)?event="${event}"\\} (\\d+)$`, "m").exec(text);
  return Number(line?.[1] ?? 0);
}

async function expectNotReady(response: Response): Promise<void> {
  expect(response.status).toBe(503);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await response.json()).toMatchObject({ type: "https://tulle.dev/problems/mesh-not-ready" });
}

describe("workers that have joined", () => {
  test("go on calling each other as long as their credentials last, and renew them when control is back", async () => {
    await mesh.break("control", down);
    for (const minutes of ["1m", "19m", "20m", "10m"]) {
      await mesh.advance(minutes);
      expect(await statusOf("web", "http://payments/")).toBe(200);
      expect((await mesh.fetch("http://shop.example.com/")).status).toBe(200);
    }
    expect((await mesh.api("/api/status")).status).toBe(500);
    await mesh.mend("control");
    // Fifty minutes have passed of the hour for which a credential lasts. With the next request it is renewed …
    await mesh.advance("5m");
    expect(await statusOf("web", "http://payments/")).toBe(200);
    await mesh.settle();
    // … so that one works which would have expired by now.
    await mesh.break("control", down);
    await mesh.advance("25m");
    expect(await statusOf("web", "http://payments/")).toBe(200);
    await mesh.mend("control");
    await mesh.advance("5s");
    expect(await counted("renewals_failed")).toBeGreaterThan(0);
    expect(await counted("reports_unanswered")).toBeGreaterThan(0);
  });

  test("do not wait for a control plane that does not answer", async () => {
    const latencyMs = 4_000;
    await mesh.break("control", { latencyMs });
    for (let request = 0; request < 10; request++) {
      const started = performance.now();
      expect(await statusOf("web", "http://payments/")).toBe(200);
      expect(performance.now() - started).toBeLessThan(latencyMs);
    }
    await mesh.mend("control");
  });

  test("lose no request while every object of control is reset, and policy still changes afterwards", async () => {
    const going = traffic(4, () => statusOf("web", "http://payments/"));
    await going.more(10);
    await mesh.resetObjects();
    await going.more(10);
    await mesh.resetObjects();
    const { applied } = await mesh.apply([virtual("checkout"), split("checkout", { payments: 1 })]);
    const statuses = await going.stop();
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(applied).toBe(true);
    expect(await statusOf("web", "http://checkout/")).toBe(200);
  });

  test("sign again after a sleep in which their credentials expired", async () => {
    await mesh.advance("3h");
    expect(await statusOf("web", "http://payments/")).toBe(200);
  });

  test("that slept so while control is down are refused at the sender, until control is back", async () => {
    await mesh.advance("3h");
    await mesh.break("control", down);
    await expectNotReady(await send("web", "http://payments/"));
    await mesh.mend("control");
    await mesh.advance("5s");
    expect(await statusOf("web", "http://payments/")).toBe(200);
  });
});

describe("an isolate that starts while control is down", () => {
  test("refuses with mesh-not-ready and when to try again, and works once control is back", async () => {
    await mesh.restart();
    await mesh.break("control", down);
    await expectNotReady(await send("web", "http://payments/"));
    await expectNotReady(await mesh.fetch("http://shop.example.com/"));
    await expectNotReady(await mesh.raw("payments").fetch("http://payments/"));
    await mesh.mend("control");
    await mesh.advance("5s");
    expect(await statusOf("web", "http://payments/")).toBe(200);
    expect((await mesh.fetch("http://shop.example.com/")).status).toBe(200);
  });

  test("starts from KV under a pinned root: it verifies and authorizes what arrives", async () => {
    const jwks = await (await mesh.api("/.well-known/tulle/jwks.json")).json();
    const { tulle_root: root } = jwks as { readonly tulle_root: object };
    await mesh.restart({
      payments: { TULLE_WORKLOAD: "default/payments", TULLE_ROOT: JSON.stringify(root) },
    });
    // The callers join, and only then control goes down: payments has not been called yet.
    for (const caller of ["web", "other"]) expect(await statusOf(caller, "http://echo/")).toBe(200);
    await mesh.break("control", down);

    expect(await statusOf("web", "http://payments/")).toBe(200);
    expect(await statusOf("other", "http://payments/")).toBe(403);
    expect((await mesh.raw("payments").fetch("http://payments/")).status).toBe(400);
  });

  test("signs what it sends as soon as control is back", async () => {
    await expectNotReady(await send("payments", "http://echo/"));
    await mesh.mend("control");
    await mesh.advance("5s");
    expect(await statusOf("payments", "http://echo/")).toBe(200);
  });
});
