import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { word } from "../support/answers.ts";
import { Backend, fails, hangs } from "../support/backend.ts";
import { treated } from "../support/circuits.ts";
import { open } from "../support/policy-texts.ts";

const ledger = new Backend();
const spare = new Backend();
let mesh: TestMesh;

/** A rule for everything below a path. */
const rule = (path: string, more: string): string => `
    - matches: [{ path: { type: PathPrefix, value: ${path} } }]
      backendRefs: [{ name: ledger, port: 80 }]
      ${more}
`;

const routes = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ledger }
spec:
  parentRefs: [{ group: "", kind: Service, name: ledger }]
  rules:
${rule("/three", "retry: { codes: [503], attempts: 3 }")}
${rule("/two", "retry: { codes: [500, 503], attempts: 2 }")}
${rule("/no-codes", "retry: { attempts: 3 }")}
${rule("/each", "retry: { attempts: 1 }\n      timeouts: { backendRequest: 200ms }")}
${rule("/all", "retry: { codes: [503], attempts: 9, backoff: 150ms }\n      timeouts: { request: 400ms }")}
${rule("/", "timeouts: { request: 15s }")}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: public }
spec:
  parentRefs: [{ name: public }]
  rules: [{ backendRefs: [{ name: ledger, port: 80 }], retry: { codes: [503], attempts: 3 } }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: public }
spec: { gatewayClassName: tulle, listeners: [{ name: http, protocol: HTTP, port: 80 }] }
`;

const budget = `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: { name: spare }
spec:
  targetRefs: [{ group: "", kind: Service, name: spare }]
  retryConstraint: { budget: { percent: 0 }, minRetryRate: { count: 2, interval: 1h } }
`;

beforeAll(async () => {
  mesh = await startMesh({
    services: {
      ledger,
      spare,
      web: { fetch: () => new Response("web") },
      first: { entry: fileURLToPath(new URL("workers/pass-along.ts", import.meta.url)) },
      second: { entry: fileURLToPath(new URL("workers/pass-along.ts", import.meta.url)) },
    },
    policies: [
      open("ledger", "spare", "first", "second"),
      treated("ledger", "circuit: { enabled: false }"),
      treated("spare", "retry: { attempts: 3 }", "circuit: { enabled: false }"),
      routes,
      budget,
    ],
  });
});
afterAll(() => mesh.dispose());

const send = (path: string, init: RequestInit = {}): Promise<Response> =>
  mesh.from("web").fetch(`http://ledger${path}`, init);

describe("a backend that answers 503 three times and is well then", () => {
  beforeEach(() => ledger.script([1, 2, 3].map((nth) => fails(503, { "x-nth": String(nth) }))));

  test("is reached by a rule with three attempts beyond the first", async () => {
    expect(await word(send("/three"))).toBe("200");
    expect(ledger.received).toHaveLength(4);
  });

  test("is not by a rule with two: its third answer passes on as it is", async () => {
    const response = await send("/two");
    expect([response.status, response.headers.get("x-nth"), await response.text()]).toEqual([
      503,
      "3",
      "not well",
    ]);
    expect(ledger.received).toHaveLength(3);
  });

  test("is asked once by a rule that lists no codes", async () => {
    expect(await word(send("/no-codes"))).toBe("503");
    expect(ledger.received).toHaveLength(1);
  });

  test("gets a POST once, and four times where it has an idempotency key", async () => {
    expect(await word(send("/three", { method: "POST", body: "12 EUR" }))).toBe("503");
    expect(ledger.received).toHaveLength(1);
    ledger.script([fails(503), fails(503), fails(503)]);
    const headers = { "idempotency-key": "order-1" };
    expect(await word(send("/three", { method: "POST", body: "12 EUR", headers }))).toBe("200");
    expect(ledger.received.map(({ body }) => body)).toEqual(["12 EUR", "12 EUR", "12 EUR", "12 EUR"]);
  });

  test("is reached from outside by a route of a Gateway", async () => {
    expect(await word(mesh.fetch("http://shop.example/"))).toBe("200");
    expect(ledger.received).toHaveLength(4);
  });

  test("is reached at the end of a chain whose first hops promise nothing", async () => {
    expect(await word(mesh.from("web").fetch("http://first/second/ledger/three"))).toBe("200");
    expect(ledger.received).toHaveLength(4);
  });
});

test("many at once each get what their rule promises", async () => {
  for (let round = 0; round < 2; round++) {
    ledger.script(
      [],
      (() => {
        const seen = new Map<string, number>();
        return ({ path }) => {
          const times = (seen.get(path) ?? 0) + 1;
          seen.set(path, times);
          return new Response(null, { status: times > 3 ? 200 : 503 });
        };
      })(),
    );
    const words = await Promise.all(
      Array.from({ length: 12 }, (_, one) => word(send(`/three/${round}/${one}`))),
    );
    expect(new Set(words)).toEqual(new Set(["200"]));
  }
});

test("an attempt that takes longer than the route lets it is given up, and the next may answer", async () => {
  ledger.script([hangs]);
  expect(await word(send("/each"))).toBe("200");
  ledger.script([hangs, hangs]);
  expect(await word(send("/each"))).toBe("deadline-exceeded");
});

test("the timeout of the request goes before its attempts", async () => {
  ledger.script([], fails(503));
  const response = await send("/all");
  expect(response.status).toBe(504);
  expect(ledger.received.length).toBeLessThan(10);
});

test("a response that takes longer than the route lets an attempt breaks off for its reader", async () => {
  ledger.script([
    () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("half of it")),
        }),
      ),
  ]);
  const response = await send("/each");
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
});

test("a backend's own budget ends the trying with 503, and says when to come again", async () => {
  spare.script([], fails(500));
  const answers: string[] = [];
  for (let request = 0; request < 3; request++) {
    spare.script([], fails(502));
    const response = await mesh.from("web").fetch("http://spare/");
    await response.arrayBuffer();
    answers.push(`${response.status} after ${spare.received.length}`);
    if (request > 0) expect(response.headers.get("retry-after")).toBe("3600");
  }
  expect(answers).toEqual(["503 after 3", "503 after 1", "503 after 1"]);
});
