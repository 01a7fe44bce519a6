import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { open, split, virtual } from "../support/policy-texts.ts";
import type { Mirrored } from "./workers/mirror-words.ts";

const mirror = (name: string) => ({
  entry: fileURLToPath(new URL("workers/mirror.ts", import.meta.url)),
  vars: { NAME: name },
});

/** A route to a service of the mesh. */
const route = (name: string, service: string, rules: string, namespace = "default"): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  parentRefs: [{ group: "", kind: Service, ${service} }]
  rules:
${rules.replaceAll(/^/gm, "    ")}
`;

/** Every sort of match, in an order that says nothing about precedence. */
const matches = route(
  "matches",
  "name: shop",
  `- matches: [{ path: { type: PathPrefix, value: / } }]
  backendRefs: [{ name: a, port: 80 }]
- matches: [{ path: { type: PathPrefix, value: /goods } }]
  backendRefs: [{ name: b, port: 80 }]
- matches: [{ path: { type: Exact, value: /goods/new } }]
  backendRefs: [{ name: c, port: 80 }]
- matches: [{ path: { type: PathPrefix, value: /goods/new } }]
  backendRefs: [{ name: a, port: 80 }]
- matches: [{ headers: [{ name: X-Canary, value: "yes" }] }]
  backendRefs: [{ name: b, port: 80 }]
- matches: [{ method: DELETE }]
  backendRefs: [{ name: c, port: 80 }]
- matches: [{ queryParams: [{ name: signature, value: v2 }] }]
  backendRefs: [{ name: c, port: 80 }]
- matches: [{ headers: [{ name: x-canary, value: "yes" }, { name: x-team, value: nets }] }]
  backendRefs: [{ name: a, port: 80 }]`,
);

const only = route(
  "only",
  "name: narrow",
  `- matches: [{ path: { type: Exact, value: /one } }, { path: { type: Exact, value: /two }, method: POST }]
  backendRefs: [{ name: a, port: 80 }]
- matches: [{ path: { type: Exact, value: /nobody } }]`,
);

const filters = route(
  "filters",
  "name: changed",
  `- matches: [{ path: { type: PathPrefix, value: /headers } }]
  filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{ name: X-Set, value: by the route }]
        add: [{ name: X-Add, value: second }]
        remove: [X-Remove]
    - type: ResponseHeaderModifier
      responseHeaderModifier:
        set: [{ name: X-Set, value: on the way back }]
        add: [{ name: X-Own, value: added }]
        remove: [X-Secret]
  backendRefs: [{ name: a, port: 80 }]
- matches: [{ path: { type: PathPrefix, value: /old } }]
  filters:
    - type: URLRewrite
      urlRewrite: { hostname: internal.example.com, path: { type: ReplacePrefixMatch, replacePrefixMatch: /new } }
  backendRefs: [{ name: a, port: 80 }]
- matches: [{ path: { type: PathPrefix, value: /full } }]
  filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplaceFullPath, replaceFullPath: /one } } }]
  backendRefs: [{ name: a, port: 80 }]
- matches: [{ path: { type: PathPrefix, value: /away } }]
  filters:
    - type: RequestRedirect
      requestRedirect:
        scheme: https
        hostname: other.example.com
        path: { type: ReplacePrefixMatch, replacePrefixMatch: /there }
        statusCode: 301
- matches: [{ path: { type: PathPrefix, value: /inside } }]
  filters:
    - type: RequestRedirect
      requestRedirect: { hostname: a, path: { type: ReplaceFullPath, replaceFullPath: /found }, statusCode: 307 }
- matches: [{ path: { type: PathPrefix, value: /per-backend } }]
  backendRefs:
    - name: a
      port: 80
      filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: X-Backend, value: a }] } }]`,
);

const timeouts = route(
  "timeouts",
  "name: hurried",
  `- matches: [{ path: { type: PathPrefix, value: /request } }]
  timeouts: { request: 60ms }
  backendRefs: [{ name: a, port: 80 }]
- matches: [{ path: { type: PathPrefix, value: /attempt } }]
  timeouts: { request: 5s, backendRequest: 60ms }
  backendRefs: [{ name: a, port: 80 }]
- matches: [{ path: { type: PathPrefix, value: /patient } }]
  timeouts: { request: 10s }
  backendRefs: [{ name: a, port: 80 }]`,
);

/** Two routes that both take the same requests: the more specific decides, and where they are alike the first by name. */
const twoRoutes = [
  route(
    "beta",
    "name: twofold",
    `- matches: [{ path: { type: PathPrefix, value: /same } }, { path: { type: PathPrefix, value: /beta } }]
  backendRefs: [{ name: b, port: 80 }]
- matches: [{ path: { type: PathPrefix, value: /same/longer } }]
  backendRefs: [{ name: c, port: 80 }]`,
  ),
  route(
    "alpha",
    "name: twofold",
    `- matches: [{ path: { type: PathPrefix, value: /same } }]
  backendRefs: [{ name: a, port: 80 }]`,
  ),
];

/** A service of another namespace: whoever owns it routes for all, and each namespace for its own callers instead. */
const acrossNamespaces = [
  `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: billing, namespace: money }
spec: { virtual: true }
`,
  `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: billing, namespace: default }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: money }]
  to: [{ group: "", kind: Service, name: a }]
`,
  route("billing", "name: billing", `- backendRefs: [{ name: a, namespace: default, port: 80 }]`, "money"),
];
const consumerRoute = route(
  "billing",
  "name: billing, namespace: money",
  `- backendRefs: [{ name: b, port: 80 }]`,
);

let mesh: TestMesh;
beforeAll(async () => {
  mesh = await startMesh({
    services: {
      web: { fetch: () => new Response("web") },
      teller: { fetch: () => new Response("teller"), namespace: "money" },
      a: mirror("a"),
      b: mirror("b"),
      c: mirror("c"),
    },
    policies: [
      virtual("shop", "narrow", "changed", "hurried", "twofold", "shared"),
      open("a", "b", "c"),
      ...[matches, only, filters, timeouts, split("shared", { a: 3, b: 1, c: 0 })],
      ...twoRoutes,
      ...acrossNamespaces,
    ],
  });
});
afterAll(() => mesh.dispose());

const send = (url: string, init?: RequestInit, from = "web"): Promise<Response> =>
  mesh.from(from).fetch(url, init);

async function mirrored(url: string, init?: RequestInit, from = "web"): Promise<Mirrored> {
  const response = await send(url, init, from);
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as Mirrored;
}

async function expectProblem(response: Response, status: number, kind: string): Promise<void> {
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(await response.json()).toMatchObject({ type: `https://tulle.dev/problems/${kind}` });
}

describe("the rule that decides is the most specific one", () => {
  test.each<[what: string, url: string, init: RequestInit, by: string]>([
    ["any path", "/", {}, "a"],
    ["a prefix", "/goods", {}, "b"],
    ["a prefix with more behind it", "/goods/1?x=y", {}, "b"],
    ["a prefix counts by segments", "/goodsandmore", {}, "a"],
    ["an exact path before the same prefix", "/goods/new", {}, "c"],
    ["the longer prefix before the shorter", "/goods/new/1", {}, "a"],
    ["a path is told apart by case", "/Goods", {}, "a"],
    ["a header, in any case", "/", { headers: { "x-CANARY": "yes" } }, "b"],
    ["a header with another value", "/", { headers: { "x-canary": "no" } }, "a"],
    ["more headers before fewer", "/", { headers: { "x-canary": "yes", "x-team": "nets" } }, "a"],
    ["a method", "/", { method: "DELETE" }, "c"],
    ["a method before a header", "/", { method: "DELETE", headers: { "x-canary": "yes" } }, "c"],
    ["a query parameter", "/?signature=v2", {}, "c"],
    ["the first value of a parameter", "/?signature=v1&signature=v2", {}, "a"],
    ["a header before a query parameter", "/?signature=v2", { headers: { "x-canary": "yes" } }, "b"],
    ["a longer path before everything else", "/goods/1?signature=v2", { method: "DELETE" }, "b"],
  ])("%s", async (_what, path, init, by) => {
    expect((await mirrored(`http://shop${path}`, init)).by).toBe(by);
  });

  test("of two routes too, and where both are alike the first by name", async () => {
    expect((await mirrored("http://twofold/same")).by).toBe("a");
    expect((await mirrored("http://twofold/same/longer/1")).by).toBe("c");
    expect((await mirrored("http://twofold/beta")).by).toBe("b");
  });

  test("and what no rule takes is not found, or has nobody to answer it", async () => {
    expect((await mirrored("http://narrow/one")).by).toBe("a");
    expect((await mirrored("http://narrow/two", { method: "POST" })).by).toBe("a");
    await expectProblem(await send("http://narrow/two"), 404, "no-route");
    await expectProblem(await send("http://narrow/one/more"), 404, "no-route");
    await expectProblem(await send("http://narrow/nobody"), 500, "no-backend");
  });
});

test("weights divide the requests; a backend of weight 0 gets none", async () => {
  const counts = new Map<string, number>();
  for (let batch = 0; batch < 10; batch++) {
    const answers = await Promise.all(Array.from({ length: 16 }, () => mirrored("http://shared/")));
    for (const { by } of answers) counts.set(by, (counts.get(by) ?? 0) + 1);
  }
  expect(counts.get("c")).toBeUndefined();
  // Three of four of 160, six standard deviations on either side.
  expect(counts.get("a")).toBeGreaterThan(87);
  expect(counts.get("a")).toBeLessThan(153);
  expect((counts.get("a") ?? 0) + (counts.get("b") ?? 0)).toBe(160);
});

describe("filters", () => {
  test("change the headers of the request and of the response", async () => {
    const response = await send("http://changed/headers", {
      headers: { "x-set": "by the caller", "x-add": "first", "x-remove": "gone", "x-keep": "kept" },
    });
    const { headers } = (await response.json()) as Mirrored;
    expect(headers).toMatchObject({ "x-set": "by the route", "x-add": "first,second", "x-keep": "kept" });
    expect(headers).not.toHaveProperty("x-remove");
    expect(response.headers.get("x-set")).toBe("on the way back");
    expect(response.headers.get("x-own")).toBe("kept,added");
    expect(response.headers.has("x-secret")).toBe(false);
  });

  test("rewrite host and path, and the request is still proved: it is signed as it goes out", async () => {
    const rewritten = await mirrored("http://changed/old/things?x=1");
    expect(rewritten.url).toBe("http://internal.example.com/new/things?x=1");
    expect(rewritten.caller).toBe("spiffe://mesh.local/ns/default/sa/web");
    expect((await mirrored("http://changed/full/of/things?x=1")).url).toBe("http://changed/one?x=1");
  });

  test("redirect to another host and path, and keep the query", async () => {
    const told = await send("http://changed/away/things?x=1", { redirect: "manual" });
    expect(told.status).toBe(301);
    expect(told.headers.get("location")).toBe("https://other.example.com/there/things?x=1");
    const inside = await send("http://changed/inside", { redirect: "manual" });
    expect([inside.status, inside.headers.get("location")]).toEqual([307, "http://a/found"]);
  });

  test("of one backend are done for it alone", async () => {
    const { headers } = await mirrored("http://changed/per-backend");
    expect(headers["x-backend"]).toBe("a");
  });
});

describe("timeouts", () => {
  test("of a request and of an attempt end it with 504", async () => {
    for (const path of ["request", "attempt"]) {
      const late = await send(`http://hurried/${path}?delay=3000`, { method: "POST" });
      await expectProblem(late, 504, "deadline-exceeded");
    }
  });

  test("leave alone what is in time", async () => {
    expect((await mirrored("http://hurried/patient?delay=100")).by).toBe("a");
  });
});

describe("a service of another namespace", () => {
  test("is routed as its owner says, unless the caller's own namespace says otherwise", async () => {
    expect((await mirrored("http://billing.money/")).by).toBe("a");
    expect((await mirrored("http://billing/", {}, "teller")).by).toBe("a");

    await mesh.apply([consumerRoute]);
    expect((await mirrored("http://billing.money/")).by).toBe("b");
    expect((await mirrored("http://billing/", {}, "teller")).by).toBe("a");
  });

  test("is not found by its bare name", async () => {
    expect((await send("http://billing/")).status).toBe(404);
  });
});
