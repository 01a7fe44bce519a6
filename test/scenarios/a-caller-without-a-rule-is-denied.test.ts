import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AccessLog } from "../support/access-log.ts";

const policies = `
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: payments-callers }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  action: ALLOW
  rules:
    - from: [{ source: { principals: [mesh.local/ns/default/sa/cart] } }]
      to: [{ operation: { methods: [POST], paths: [/charge] } }]
    - from: [{ source: { principals: [mesh.local/ns/default/sa/web] } }]
      to: [{ operation: { paths: ["/admin*"] } }]
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: nobody-administers }
spec:
  targetRefs: [{ kind: Service, name: payments }]
  action: DENY
  rules:
    - to: [{ operation: { methods: [TRACE] } }]
    - to: [{ operation: { paths: ["/admin*"] } }]
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: closed }
spec:
  targetRefs: [{ kind: Service, name: closed }]
  action: ALLOW
---
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: everything }
spec: { accessLog: true }
`;

const denied = {
  type: "https://tulle.dev/problems/denied",
  title: "The caller is not allowed to do this",
  status: 403,
};

const log = new AccessLog();
let mesh: TestMesh;
let runs = 0;

beforeAll(async () => {
  const handle = () => {
    runs++;
    return new Response("done");
  };
  mesh = await startMesh({
    services: Object.fromEntries(
      ["web", "cart", "payments", "closed", "forgotten"].map((name) => [name, { fetch: handle }]),
    ),
    policies: [policies],
    onLog: log.take,
  });
});
afterAll(() => mesh?.dispose());
beforeEach(() => {
  runs = 0;
});

/** What the callee's access log tells of a request with this query, which it never shows. */
async function toldOf(
  caller: string,
  callee: string,
  path: string,
  init: RequestInit = {},
): Promise<{ response: Response; body: unknown; record: object }> {
  const arrivals = () =>
    log.records(({ direction, workload }) => direction === "inbound" && workload === `default/${callee}`);
  const before = arrivals().length;
  const response = await mesh.from(caller).fetch(`http://${callee}${path}?secret=1`, init);
  const text = await response.text();
  await log.when(() => arrivals().length > before);
  return { response, body: text.startsWith("{") ? JSON.parse(text) : text, record: arrivals().at(-1) ?? {} };
}

const post = { method: "POST" };

describe("a caller", () => {
  test("that a rule allows is let in, and the log names the rule", async () => {
    const { response, record } = await toldOf("cart", "payments", "/charge", post);
    expect(response.status).toBe(200);
    expect(runs).toBe(1);
    expect(record).toMatchObject({
      status: 200,
      peer: "spiffe://mesh.local/ns/default/sa/cart",
      rule: "AuthorizationPolicy/default/payments-callers/0",
      refusal: "",
    });
  });

  test.each<[string, string, string, string, RequestInit, string]>([
    [
      "whom no rule of the policy speaks of",
      "closed",
      "payments",
      "/charge",
      post,
      "default: no ALLOW rule matched",
    ],
    ["that is allowed another method", "cart", "payments", "/charge", {}, "default: no ALLOW rule matched"],
    [
      "that is allowed another path",
      "cart",
      "payments",
      "/charge/back",
      post,
      "default: no ALLOW rule matched",
    ],
    ["of a service whose policy has no rule", "cart", "closed", "/", {}, "default: no ALLOW rule matched"],
    ["of a service that no policy speaks of", "cart", "forgotten", "/", {}, "default: no ALLOW rule matched"],
    [
      "that calls itself without being allowed to",
      "payments",
      "payments",
      "/charge",
      post,
      "default: no ALLOW rule matched",
    ],
    [
      "that one rule allows and another denies",
      "web",
      "payments",
      "/admin/keys",
      {},
      "AuthorizationPolicy/default/nobody-administers/1",
    ],
    [
      "that hides a denied path behind dots",
      "web",
      "payments",
      "/x/../admin",
      {},
      "AuthorizationPolicy/default/nobody-administers/1",
    ],
    [
      "that hides a denied path in an encoding",
      "web",
      "payments",
      "/%61dmin",
      {},
      "AuthorizationPolicy/default/nobody-administers/1",
    ],
    [
      "whose path can be read in two ways",
      "cart",
      "payments",
      "/charge%2f..%2fadmin",
      post,
      "default: ambiguous path",
    ],
  ])("%s is denied, and the log names what decided", async (_who, caller, callee, path, init, rule) => {
    const { response, body, record } = await toldOf(caller, callee, path, init);
    expect(response.status).toBe(403);
    expect(runs).toBe(0);
    expect(record).toMatchObject({
      status: 403,
      evidence: "signature",
      peer: `spiffe://mesh.local/ns/default/sa/${caller}`,
      refusal: "denied",
      rule: expect.stringContaining(rule),
      reason: expect.stringContaining(`rule=${rule}`),
    });
    // The caller learns that it may not, and nothing of why, of which document, or of who else may.
    expect(body).toEqual(denied);
    expect(JSON.stringify([...response.headers])).not.toMatch(/AuthorizationPolicy|default|principal|spiffe/);
  });

  test("leaves no query in the log", async () => {
    await toldOf("cart", "payments", "/charge", post);
    expect(log.lines.filter((line) => line.includes("secret"))).toEqual([]);
  });
});

test("a caller that the mesh under test does not have is an error, and no answer of the mesh", async () => {
  for (const asked of [mesh.from("nosuch"), mesh.raw("default/web")])
    await expect(asked.fetch("http://payments/")).rejects.toThrow(/There is no service .* it has gateway, /);
});

test("a denied call is not tried again, and opens no circuit", async () => {
  for (let call = 0; call < 12; call++) {
    const { response } = await toldOf("closed", "payments", "/charge");
    expect(response.status).toBe(403);
  }
  const outbound = log.records(
    ({ direction, workload }) => direction === "outbound" && workload === "default/closed",
  );
  expect(outbound.length).toBeGreaterThan(0);
  expect(outbound.every(({ attempts }) => attempts === 1)).toBe(true);
  const { circuits, edges } = await mesh.signals();
  expect(circuits.filter(({ state }) => state !== "closed")).toEqual([]);
  expect(
    edges.filter(
      ({ perspective, source, destination, refusal }) =>
        perspective === "inbound" &&
        source === "default/closed" &&
        destination === "default/payments" &&
        refusal === "denied",
    ),
  ).not.toEqual([]);
});

test("an applied rule lets a denied caller in, and taking it back denies it again", async () => {
  const rule = (principal: string) => `
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: forgotten }
spec:
  targetRefs: [{ kind: Service, name: forgotten }]
  rules: [{ from: [{ source: { principals: ["${principal}"] } }] }]
`;
  expect((await mesh.from("cart").fetch("http://forgotten/")).status).toBe(403);
  await mesh.apply([rule("mesh.local/ns/default/sa/cart")]);
  expect((await mesh.from("cart").fetch("http://forgotten/")).status).toBe(200);
  expect((await mesh.from("web").fetch("http://forgotten/")).status).toBe(403);
  await mesh.apply([rule("mesh.local/ns/default/sa/nobody")]);
  expect((await mesh.from("cart").fetch("http://forgotten/")).status).toBe(403);
});
