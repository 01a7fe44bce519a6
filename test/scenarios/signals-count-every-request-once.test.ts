import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EdgeDelta } from "../../mesh-runtime/telemetry/words.ts";
import { tulle } from "../cli/tulle.ts";
import { word } from "../support/answers.ts";
import { Backend, fails } from "../support/backend.ts";
import { treated } from "../support/circuits.ts";
import { parseExposition } from "../support/exposition.ts";
import { entrance, open, virtual } from "../support/policy-texts.ts";

const passAlong = { entry: fileURLToPath(new URL("workers/pass-along.ts", import.meta.url)) };
const payments = new Backend();
const shaky = new Backend();
const broken = new Backend();
let mesh: TestMesh;

const onlyGoods = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  parentRefs: [{ group: "", kind: Service, name: shop }]
  rules:
    - matches: [{ path: { value: /goods } }]
      backendRefs: [{ name: payments, port: 80 }]
`;

/** All that happens in this file; the tests look at what was counted. */
beforeAll(async () => {
  mesh = await startMesh({
    services: {
      web: passAlong,
      payments,
      shaky,
      broken,
      vault: { fetch: () => new Response("gold") },
      // Asked for no service to pass a request on to, it throws.
      thrower: passAlong,
    },
    policies: [
      entrance("web"),
      open("web", "payments", "shaky", "broken", "thrower"),
      virtual("shop"),
      onlyGoods,
      treated("shaky", "retry: { budgetRatio: 1 }"),
      // Opens with the fifth failure, whatever the clock says.
      treated("broken", "circuit: { consecutiveFailures: 5, minimumSpan: 0s }", "retry: { attempts: 0 }"),
    ],
    // The exception of the one that throws.
    onLog: () => undefined,
  });
  const outside = async (path: string): Promise<string> => word(mesh.fetch(`http://shop.example.com${path}`));
  const asWeb = async (url: string): Promise<string> => word(mesh.from("web").fetch(url));
  for (let call = 0; call < 10; call++) expect(await outside("/payments")).toBe("200");
  shaky.script([fails(503)]);
  expect(await asWeb("http://shaky/")).toBe("200");
  expect(await asWeb("http://vault/")).toBe("denied");
  expect(await asWeb("http://shop/goods")).toBe("200");
  expect(await asWeb("http://shop/other")).toBe("no-route");
  expect(await asWeb("http://thrower/")).toBe("handler-failed");
  broken.script([], fails(500));
  for (let call = 0; call < 5; call++) expect(await asWeb("http://broken/")).toBe("500");
  for (let call = 0; call < 2; call++) expect(await asWeb("http://broken/")).toBe("circuit-open");
  expect(broken.received).toHaveLength(5);
});
afterAll(() => mesh.dispose());

/** One edge in a line: who counted, from where to where, at which backend, how it ended, how often. */
const line = ({ perspective, source, destination, backend, class: outcome, refusal, count }: EdgeDelta) =>
  `${perspective} ${short(source)}→${short(destination)} at ${short(backend)}: ${count} × ${refusal || outcome}`;
const short = (key: string): string => key.replace("default/", "") || "nobody";

const expected = [
  // Ten requests from outside, each counted by caller, try and callee at both hops. What the gateway is asked for is
  // its listener.
  "effective gateway→public/http at web: 10 × 2xx",
  "attempt gateway→public/http at web: 10 × 2xx",
  "inbound gateway→web at web: 10 × 2xx",
  "effective web→payments at payments: 10 × 2xx",
  "attempt web→payments at payments: 10 × 2xx",
  // With the one that came by the route of `shop`.
  "inbound web→payments at payments: 11 × 2xx",
  // One request that took two tries.
  "effective web→shaky at shaky: 1 × 2xx",
  "attempt web→shaky at shaky: 1 × 2xx",
  "attempt web→shaky at shaky: 1 × 5xx",
  "inbound web→shaky at shaky: 1 × 2xx",
  "inbound web→shaky at shaky: 1 × 5xx",
  // Refused by the callee: to its caller an answer like any other.
  "effective web→vault at vault: 1 × 4xx",
  "attempt web→vault at vault: 1 × 4xx",
  "inbound web→vault at vault: 1 × denied",
  // Asked for one name, answered by another.
  "effective web→shop at payments: 1 × 2xx",
  "attempt web→shop at payments: 1 × 2xx",
  // Refused before there was a try.
  "effective web→shop at nobody: 1 × no-route",
  // The application threw.
  "effective web→thrower at thrower: 1 × 5xx",
  "attempt web→thrower at thrower: 1 × 5xx",
  "inbound web→thrower at thrower: 1 × handler-failed",
  // Refused by the circuit on this side: tries that reached nobody.
  "effective web→broken at broken: 5 × 5xx",
  "effective web→broken at broken: 2 × circuit-open",
  "attempt web→broken at broken: 5 × 5xx",
  "attempt web→broken at broken: 2 × circuit-open",
  "inbound web→broken at broken: 5 × 5xx",
];

test("every request is counted once as its caller saw it, once a try, and once by the callee", async () => {
  const { edges } = await mesh.signals();
  expect(edges.map(line).sort()).toEqual([...expected].sort());
});

test("the latencies of each edge add up to its count", async () => {
  const { edges } = await mesh.signals();
  for (const { latency, count, latencySumMs } of edges) {
    expect(latency.reduce((sum, each) => sum + each, 0)).toBe(count);
    expect(latencySumMs).toBeGreaterThanOrEqual(0);
  }
});

describe("/metrics", () => {
  const scraped = async () => {
    await mesh.settle();
    const response = await mesh.api("/metrics");
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    return parseExposition(await response.text());
  };

  test("is what Prometheus reads, and counts the same", async () => {
    const families = await scraped();
    const requests = families.get("tulle_requests_total");
    expect(requests?.type).toBe("counter");
    const lines = requests?.samples.map(({ labels, value }) =>
      line({ ...(labels as unknown as EdgeDelta), count: value }),
    );
    expect(lines?.sort()).toEqual([...expected].sort());
  });

  test("has histograms whose buckets grow up to the count", async () => {
    const samples = (await scraped()).get("tulle_request_duration_seconds")?.samples ?? [];
    const edges = Map.groupBy(samples, ({ labels: { le: _, ...edge } }) => JSON.stringify(edge));
    expect(edges.size).toBe(expected.length);
    for (const of of edges.values()) {
      const buckets = of.filter(({ name }) => name.endsWith("_bucket"));
      const bounds = buckets.map(({ labels }) => Number(labels.le?.replace("+Inf", "Infinity")));
      expect(bounds).toEqual([...bounds].sort((a, b) => a - b));
      const counts = buckets.map(({ value }) => value);
      expect(counts).toEqual([...counts].sort((a, b) => a - b));
      expect(counts.at(-1)).toBe(of.find(({ name }) => name.endsWith("_count"))?.value);
    }
  });

  test("tells circuits, isolates and the policy in force", async () => {
    const families = await scraped();
    const reading = (family: string, labels: Readonly<Record<string, string>>): number | undefined =>
      families
        .get(family)
        ?.samples.find((sample) =>
          Object.entries(labels).every(([name, value]) => sample.labels[name] === value),
        )?.value;
    expect(reading("tulle_circuit_state", { circuit: "default/payments", state: "closed" })).toBe(1);
    expect(reading("tulle_circuit_state", { circuit: "default/payments", state: "open" })).toBe(0);
    expect(reading("tulle_isolates", { service: "default/web" })).toBe(1);
    const epoch = reading("tulle_policy_epoch", {});
    expect(epoch).toBeGreaterThan(0);
    expect(reading("tulle_workload_epoch", { service: "default/web" })).toBe(epoch);
  });

  test("is nobody's business without a token", async () => {
    const response = await fetch(`${mesh.operator.url}/metrics`);
    expect(response.status).toBe(401);
  });
});

test("tulle stat shows an operator the same numbers", async () => {
  const env = { TULLE_URL: mesh.operator.url, TULLE_TOKEN: mesh.operator.token };
  const answer = await tulle(["stat", "shaky", "-o", "json", "--window", "5m"], { env });
  expect(answer.code).toBe(0);
  const { edges } = JSON.parse(answer.stdout) as { readonly edges: readonly object[] };
  expect(edges).toMatchObject([
    {
      source: "default/web",
      destination: "default/shaky",
      requests: 1,
      attempts: 2,
      retries: 1,
      successRate: 1,
    },
  ]);
});
