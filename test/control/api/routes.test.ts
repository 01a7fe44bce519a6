import { reset } from "cloudflare:test";
import { latencyBoundsMs } from "@tulle/mesh-runtime/telemetry/histogram.ts";
import type { EdgeDelta } from "@tulle/mesh-runtime/telemetry/words.ts";
import { beforeEach, describe, expect, test } from "vitest";
import type { RoutesAnswer } from "../../../control/api/contract.ts";
import { api, apply, reportRequest, service, workload } from "../support.ts";

beforeEach(() => reset());

const routes = (query: string) => api<RoutesAnswer & { detail: string }>("GET", `/api/routes?${query}`);

async function applied(...texts: string[]): Promise<void> {
  const { status, body } = await apply(...texts);
  expect(status, JSON.stringify(body.issues)).toBe(200);
}

const inNamespace = (name: string, namespace: string, spec = "{}"): string =>
  `{apiVersion: mesh.tulle.dev/v1, kind: Service, metadata: {name: ${name}, namespace: ${namespace}}, spec: ${spec}}`;

const route = (name: string, parent: string, rules: string, namespace = "default"): string =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: ${name}, namespace: ${namespace}}, spec: {parentRefs: [{kind: Service, group: "", ${parent}}], rules: ${rules}}}`;

const split = "[{name: v1, port: 80, weight: 3}, {name: v2, port: 80, weight: 1}]";
const shop = [
  service("web"),
  service("shop", "  virtual: true\n"),
  service("v1"),
  service("v2"),
  route(
    "shop",
    "name: shop",
    `[{name: rest, backendRefs: ${split}}, {name: charge, matches: [{path: {value: /charge}}, {path: {type: Exact, value: /pay}, method: POST}], filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: a}]}}], backendRefs: [{name: v1, port: 80}]}]`,
  ),
];

const edge = (change: Partial<EdgeDelta>): EdgeDelta => ({
  perspective: "effective",
  source: "default/web",
  destination: "default/shop",
  route: "HTTPRoute/default/shop/charge",
  backend: "default/v1",
  class: "2xx",
  refusal: "",
  count: 60,
  latency: [60, ...latencyBoundsMs.map(() => 0)],
  latencySumMs: 60,
  ...change,
});

describe("the routes of a service", () => {
  test("are its matches in the order in which they decide, each with filters and shares", async () => {
    await applied(...shop);
    const { status, body } = await routes("service=shop");
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body).toMatchObject({ of: "default/shop", kind: "Service", windowMs: 60_000 });
    expect(body.views).toMatchObject([{ routes: "producer", namespaces: ["default"], omitted: 0 }]);
    expect(
      body.views[0]?.rules.map(({ rank, rule, match, filters, backends }) => [
        rank,
        rule.replace("HTTPRoute/default/shop/", ""),
        match,
        filters,
        backends.map((one) => one.share),
      ]),
    ).toEqual([
      [1, "charge", "exact /pay, POST", ["request headers"], [1]],
      [2, "charge", "prefix /charge", ["request headers"], [1]],
      [3, "rest", "prefix /", [], [0.75, 0.25]],
    ]);
  });

  test("have the traffic that callers counted of each rule, and what no rule took", async () => {
    await applied(...shop);
    const edges = [
      edge({}),
      edge({ class: "5xx", count: 20, latency: [20, ...latencyBoundsMs.map(() => 0)] }),
      edge({ perspective: "attempt" }),
      edge({ route: "", class: "refused", refusal: "no-route", backend: "" }),
    ];
    await workload({ service: "web" }).report(reportRequest("default/web", { epoch: 1, edges }));
    const { body } = await routes("service=default/shop&windowMs=10000");
    const [charge, again, rest] = body.views[0]?.rules ?? [];
    expect(charge?.traffic).toMatchObject({ requests: 80, requestsPerSecond: 8, successRate: 0.75 });
    expect(charge?.traffic?.p95Ms).toBeGreaterThan(0);
    expect(again?.traffic).toEqual(charge?.traffic);
    expect(rest?.traffic).toBeUndefined();
    expect(body.unrouted).toMatchObject({ requests: 60 });
  });

  test("are those of each namespace that has its own, and the owner's for all others", async () => {
    await applied(
      ...shop,
      inNamespace("teller", "money"),
      inNamespace("clerk", "office"),
      route("mine", "name: shop, namespace: default", "[{backendRefs: [{name: teller, port: 80}]}]", "money"),
    );
    const { body } = await routes("service=shop");
    expect(body.views.map((view) => [view.routes, view.namespaces, view.rules.length])).toEqual([
      ["producer", ["default", "office"], 3],
      ["consumer", ["money"], 1],
    ]);
    const money = await routes("service=shop&namespace=money");
    expect(money.body.views).toMatchObject([
      { routes: "consumer", rules: [{ rule: "HTTPRoute/money/mine/0" }] },
    ]);
    const nobody = await routes("service=shop&namespace=mony");
    expect([nobody.status, nobody.body.detail]).toEqual([
      404,
      expect.stringContaining('did you mean "money"?'),
    ]);
  });

  test("are told by port where routes name one", async () => {
    await applied(
      service("web"),
      service("v1"),
      route("eighty", "name: v1, port: 8080", "[{backendRefs: [{name: web, port: 80}]}]"),
    );
    const { body } = await routes("service=v1");
    expect(body.views.map(({ port, rules }) => [port, rules[0]?.rule])).toEqual([
      [8080, "HTTPRoute/default/eighty/0"],
      [undefined, "default"],
    ]);
  });

  test("are none where no route is attached: the service is its own backend", async () => {
    await applied(service("web"));
    const { body } = await routes("service=web");
    expect(body.views).toMatchObject([
      { routes: "none", rules: [{ rule: "default", backends: [{ service: "default/web", share: 1 }] }] },
    ]);
  });
});

describe("the routes of a gateway", () => {
  const gateway = [
    service("gateway"),
    service("web"),
    `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: public}, spec: {gatewayClassName: tulle, listeners: [{name: http, port: 80, protocol: HTTP}, {name: idle, port: 81, protocol: HTTP, hostname: idle.example, allowedRoutes: {namespaces: {from: Same}}}]}}`,
    `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop}, spec: {hostnames: [shop.example], parentRefs: [{name: public, sectionName: http}], rules: [{backendRefs: [{name: web, port: 80}]}]}}`,
  ];

  test("are told by listener and host, with what the gateway's worker counted", async () => {
    await applied(service("web"));
    // A second revision, which the report has seen: what control's isolate knows of the first may be from the mesh of
    // another test, and is fresh for a while.
    await applied(...gateway);
    const edges = [
      edge({
        source: "default/gateway",
        destination: "default/public/http",
        route: "HTTPRoute/default/shop/0",
        backend: "default/web",
      }),
    ];
    await workload({ service: "gateway" }).report(reportRequest("default/gateway", { epoch: 2, edges }));
    const { status, body } = await routes("gateway=public");
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body).toMatchObject({
      of: "default/public",
      kind: "Gateway",
      views: [
        {
          routes: "listener",
          listener: "default/public/http",
          hostname: "shop.example",
          rules: [{ rule: "HTTPRoute/default/shop/0", traffic: { requests: 60 } }],
        },
        { listener: "default/public/idle", rules: [] },
      ],
    });
    expect((await routes("gateway=public/idle")).body.views).toHaveLength(1);
  });

  test.each([
    ["gateway=pubilc", 404, 'did you mean "public"?'],
    ["service=wbe", 404, 'did you mean "web"?'],
    ["service=web&gateway=public", 400, "one service, or one gateway"],
    ["", 400, "one service, or one gateway"],
    ["service=web&windowMs=1m", 400, "windowMs"],
  ])("asked for as %s are answered with what is wrong", async (query, status, words) => {
    await applied(...gateway);
    const answer = await routes(query);
    expect([answer.status, answer.body.detail]).toEqual([status, expect.stringContaining(words)]);
  });
});
