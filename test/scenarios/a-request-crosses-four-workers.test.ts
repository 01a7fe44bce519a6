import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccessLog } from "../support/access-log.ts";
import type { Hop } from "./hop.ts";

const relay = { entry: fileURLToPath(new URL("workers/relay.ts", import.meta.url)) };
const id = (service: string): string => `spiffe://mesh.local/ns/default/sa/${service}`;

const allow = (callee: string, caller: string): string => `
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: ${callee} }
spec:
  targetRefs: [{ kind: Service, name: ${callee} }]
  rules: [{ from: [{ source: { principals: [mesh.local/ns/default/sa/${caller}] } }] }]
`;

const policies = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec: { gatewayClassName: tulle, listeners: [{ name: http, protocol: HTTP, port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: public }
spec: { parentRefs: [{ name: public }], rules: [{ backendRefs: [{ name: a, port: 80 }] }] }
---
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: everything }
spec: { sampleRatio: 1, accessLog: true }
`;

const log = new AccessLog();
let mesh: TestMesh;

beforeAll(async () => {
  mesh = await startMesh({
    services: { a: relay, b: relay, c: relay },
    policies: [policies, allow("a", "gateway"), allow("b", "a"), allow("c", "b")],
    onLog: log.take,
  });
});
afterAll(() => mesh.dispose());

/** The hops of the chain, in the order in which a request takes them: who calls whom. */
const hops = [
  ["gateway", "a"],
  ["a", "b"],
  ["b", "c"],
] as const;

describe("a request from outside that crosses gateway, a, b and c", () => {
  let body: Hop;
  let traceId: string;

  beforeAll(async () => {
    const response = await mesh.fetch("http://shop.example.com/b/c", {
      headers: { traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01` },
    });
    expect(response.status).toBe(200);
    body = (await response.json()) as Hop;
    ({ traceId } = await log.record(
      ({ direction, workload }) => direction === "inbound" && workload === "default/c",
    ));
  });

  test("each worker learns by its caller's own signature who calls", () => {
    const seen = [body, body.next, body.next?.next];
    expect(seen.map((hop) => [hop?.caller, hop?.evidence])).toEqual(
      hops.map(([caller]) => [id(caller), "signature"]),
    );
    expect(body.next?.next?.next).toBeUndefined();
  });

  test("no application sees a credential, a signature or a header of the mesh", () => {
    const seen = [body, body.next, body.next?.next].flatMap((hop) => hop?.headers ?? []);
    expect(seen.length).toBeGreaterThan(0);
    expect(
      seen.filter((name) => /^(workload-identity-token|signature|signature-input|tulle-.*)$/.test(name)),
    ).toEqual([]);
  });

  test.each(hops)("the hop %s → %s is verified, authorized and logged at its end", async (caller, callee) => {
    const arrived = await log.record(
      ({ direction, workload }) => direction === "inbound" && workload === `default/${callee}`,
    );
    expect(arrived).toMatchObject({
      peer: id(caller),
      evidence: "signature",
      rule: `AuthorizationPolicy/default/${callee}/0`,
      status: 200,
      refusal: "",
      traceId,
    });
    const departed = await log.record(
      ({ direction, workload }) => direction === "outbound" && workload === `default/${caller}`,
    );
    expect(departed).toMatchObject({ backend: `default/${callee}`, attempts: 1, status: 200, traceId });
  });

  test("all hops are one trace, and every span is the child of the one before it", async () => {
    const spans = await mesh.trace(traceId);
    const ordered = hops.flatMap(([caller, callee]) => [
      spans.find(({ workload, kind }) => workload === `default/${caller}` && kind === 3),
      spans.find(({ workload, kind }) => workload === `default/${callee}` && kind === 2),
    ]);
    expect(spans).toHaveLength(ordered.length);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(ordered.length);
    expect(ordered.map((span) => span?.parentSpanId)).toEqual([
      undefined,
      ...ordered.slice(0, -1).map((span) => span?.spanId),
    ]);
    expect(ordered.every((span) => span?.traceId === traceId)).toBe(true);
  });

  test("the trace is the gateway's own: an outsider chooses no trace id", () => {
    expect(traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(traceId).not.toBe("1".repeat(32));
  });
});

test("a second request is another trace", async () => {
  const response = await mesh.fetch("http://shop.example.com/b/c");
  expect(response.status).toBe(200);
  const arrivals = (): readonly string[] =>
    log
      .records(({ direction, workload }) => direction === "inbound" && workload === "default/c")
      .map(({ traceId }) => traceId);
  await log.when(() => arrivals().length === 2);
  expect(new Set(arrivals()).size).toBe(2);
});

test("a worker of the chain that nobody allowed in refuses, and those before it pass that on", async () => {
  const response = await mesh.fetch("http://shop.example.com/c");
  expect(response.status).toBe(403);
  const refused = await log.record(
    ({ direction, workload, status }) =>
      direction === "inbound" && workload === "default/c" && status === 403,
  );
  expect(refused).toMatchObject({ peer: id("a"), evidence: "signature", refusal: "denied" });
});

test("who calls often proves by a session, and is known by it as by a signature", async () => {
  for (let sent = 0; sent < 7; sent++) {
    const hop = (await (await mesh.fetch("http://shop.example.com/b/c")).json()) as Hop;
    expect([hop, hop.next, hop.next?.next].map((each) => [each?.caller, each?.evidence])).toEqual(
      hops.map(([caller]) => [id(caller), "signature"]),
    );
  }
  await mesh.settle();
  const text = await (await mesh.api("/metrics")).text();
  const counted = (event: string) =>
    new RegExp(`^tulle_workload_events_total\\{event="${event}"\\} (\\d+)$`, "m").exec(text)?.[1];
  expect([counted("session_proofs_begun"), counted("session_proofs_disbelieved")]).toEqual(["3", undefined]);
});
