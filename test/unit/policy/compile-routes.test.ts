import { describe, expect, test } from "vitest";
import { destination, names, shop, snapshotOf } from "./compiling.ts";
import { entry, gateway, route, service } from "./writing.ts";

describe("routes of a Service", () => {
  const to = (name: string, path: string, backend = "web") =>
    `[{name: ${name}, matches: [{path: {value: ${path}}}], backendRefs: [{name: ${backend}, port: 80}]}]`;

  test("replace its default, and a Service without routes has none", () => {
    const texts = [...shop, route("r", "name: web", to("a", "/a"))];
    expect(names(destination("default/web", "default/payments", ...texts))).toEqual([
      "HTTPRoute/default/r/a",
    ]);
    expect(destination("default/payments", "default/payments", ...texts)).not.toHaveProperty("rules");
  });

  test("of its own namespace hold for callers of every namespace (producer)", () => {
    const texts = [...shop, service("api", "{}", "other"), route("r", "name: web", to("a", "/a"))];
    expect(names(destination("default/web", "other/api", ...texts))).toEqual(["HTTPRoute/default/r/a"]);
  });

  test("of another namespace hold for its callers, and then only those (consumer)", () => {
    const texts = [
      ...shop,
      service("api", "{}", "other"),
      service("job", "{}", "third"),
      route("producer", "name: web", to("p", "/p")),
      route("consumer", "name: web, namespace: default", to("c", "/c"), "other"),
    ];
    expect(names(destination("default/web", "other/api", ...texts))).toEqual(["HTTPRoute/other/consumer/c"]);
    expect(names(destination("default/web", "third/job", ...texts))).toEqual([
      "HTTPRoute/default/producer/p",
    ]);
    expect(names(destination("default/web", "default/payments", ...texts))).toEqual([
      "HTTPRoute/default/producer/p",
    ]);
  });

  test("stand in order: the oldest, then by name, then as written", () => {
    const aged = (name: string, time: string) =>
      route(name, "name: web", to(name, "/a")).replace(
        "metadata: {",
        `metadata: {creationTimestamp: "${time}", `,
      );
    const texts = [
      ...shop,
      route(
        "c",
        "name: web",
        "[{name: c1, backendRefs: [{name: web, port: 80}]}, {backendRefs: [{name: web, port: 80}]}]",
      ),
      route("b", "name: web", to("b", "/a")),
      aged("z", "2026-01-01T00:00:00Z"),
      aged("y", "2026-01-02T00:00:00Z"),
    ];
    expect(names(destination("default/web", "default/payments", ...texts))).toEqual([
      "HTTPRoute/default/z/z",
      "HTTPRoute/default/y/y",
      "HTTPRoute/default/b/b",
      "HTTPRoute/default/c/c1",
      "HTTPRoute/default/c/1",
    ]);
  });

  test("attached twice, with and without its namespace, count once", () => {
    const twice = route("r", "name: web", to("a", "/a")).replace(
      "parentRefs: [",
      "parentRefs: [{kind: Service, name: web, namespace: default}, ",
    );
    expect(names(destination("default/web", "default/payments", ...shop, twice))).toHaveLength(1);
  });

  test("for one port stand beside those for all, and leave other ports to them", () => {
    const texts = [
      ...shop,
      route("a80", "name: web, port: 80", to("a", "/a")),
      route("all", "name: web", to("b", "/b")),
      route("p80", "name: payments, port: 80", to("c", "/c")),
    ];
    const web = destination("default/web", "default/web", ...texts);
    expect(names(web)).toEqual(["HTTPRoute/default/all/b"]);
    expect(web.portRules?.["80"]?.map(({ name }) => name)).toEqual([
      "HTTPRoute/default/a80/a",
      "HTTPRoute/default/all/b",
    ]);
    const payments = destination("default/payments", "default/web", ...texts);
    expect(payments).not.toHaveProperty("rules");
    expect(Object.keys(payments.portRules ?? {})).toEqual(["80"]);
  });

  test("attached to a port and, with the namespace written, to all ports are for all", () => {
    const both = route("r", "name: web, port: 80", to("a", "/a")).replace(
      "parentRefs: [",
      "parentRefs: [{kind: Service, name: web, namespace: default}, ",
    );
    const web = destination("default/web", "default/web", ...shop, both);
    expect(names(web)).toHaveLength(1);
    expect(web).not.toHaveProperty("portRules");
  });

  test("keep the share of a backend that cannot be used, with the reason", () => {
    const rules =
      "[{backendRefs: [{name: web, port: 80, weight: 9}, {name: gone, port: 80}, {name: v, port: 80}, {name: web, kind: Pod}]}]";
    const texts = [...shop, service("v", "{virtual: true}"), route("r", "name: web", rules)];
    expect(destination("default/web", "default/web", ...texts).rules?.[0]?.backends).toEqual([
      { service: "default/web", weight: 9, filters: [] },
      { service: "default/gone", weight: 1, filters: [], unusable: "BackendNotFound" },
      { service: "default/v", weight: 1, filters: [], unusable: "VirtualBackend" },
      { service: "default/web", weight: 1, filters: [], unusable: "InvalidKind" },
    ]);
  });

  test("are compiled whole: matches, filters, timeouts, retry", () => {
    const rules = `[{
      matches: [{path: {type: Exact, value: /a}, method: GET, headers: [{name: X-B, value: B}], queryParams: [{name: Q, value: v}]}, {}],
      filters: [
        {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-S, value: s}], add: [{name: X-A, value: a}], remove: [X-R]}},
        {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [Server]}},
        {type: URLRewrite, urlRewrite: {hostname: a.example, path: {type: ReplaceFullPath, replaceFullPath: /n}}}],
      backendRefs: [{name: web, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: V, value: "1"}]}}]}],
      timeouts: {request: 0s, backendRequest: 250ms},
      retry: {backoff: 1s}
    }, {matches: [{path: {value: /r}}], filters: [{type: RequestRedirect, requestRedirect: {scheme: https, port: 8443, statusCode: 308, path: {type: ReplacePrefixMatch, replacePrefixMatch: /n}}}]}]`;
    expect(destination("default/web", "default/web", ...shop, route("r", "name: web", rules)).rules).toEqual([
      {
        name: "HTTPRoute/default/r/0",
        matches: [
          {
            path: { type: "Exact", value: "/a" },
            method: "GET",
            headers: [{ name: "x-b", value: "B" }],
            query: [{ name: "Q", value: "v" }],
          },
          { path: { type: "PathPrefix", value: "/" }, headers: [], query: [] },
        ],
        filters: [
          {
            type: "RequestHeaderModifier",
            set: [{ name: "x-s", value: "s" }],
            add: [{ name: "x-a", value: "a" }],
            remove: ["x-r"],
          },
          { type: "ResponseHeaderModifier", set: [], add: [], remove: ["server"] },
          { type: "URLRewrite", hostname: "a.example", path: { type: "ReplaceFullPath", value: "/n" } },
        ],
        backends: [
          {
            service: "default/web",
            weight: 1,
            filters: [
              { type: "RequestHeaderModifier", set: [], add: [{ name: "v", value: "1" }], remove: [] },
            ],
          },
        ],
        requestTimeoutMs: 0,
        backendTimeoutMs: 250,
        retry: { codes: [], attempts: 1, backoffMs: 1_000 },
      },
      {
        name: "HTTPRoute/default/r/1",
        matches: [{ path: { type: "PathPrefix", value: "/r" }, headers: [], query: [] }],
        filters: [
          {
            type: "RequestRedirect",
            scheme: "https",
            port: 8443,
            statusCode: 308,
            path: { type: "ReplacePrefixMatch", value: "/n" },
          },
        ],
        backends: [],
      },
    ]);
  });
});

describe("a Gateway", () => {
  const listeners =
    'listeners: [{name: all, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}, {name: wild, port: 443, protocol: HTTPS, hostname: "*.a.example"}]';
  const front = [...shop, service("gateway"), gateway("public", listeners)] as const;
  const way = (name: string, more: string, parent = "name: public", namespace = "default") =>
    entry(
      name,
      `${more}parentRefs: [{${parent}}], rules: [{backendRefs: [{name: web, port: 80}]}]`,
      namespace,
    );
  const hosts = (...texts: readonly string[]) =>
    snapshotOf("default/gateway", ...front, ...texts).listeners.map((one) => [
      one.name,
      ...one.hosts.map(
        ({ hostname = "every host", rules }) => `${hostname}: ${rules.map(({ name }) => name).join(" ")}`,
      ),
    ]);

  test("gives its listeners to the worker that implements it, and to no other", () => {
    expect(snapshotOf("default/gateway", ...front).listeners).toEqual([
      { name: "default/public/all", port: 80, protocol: "HTTP", hosts: [] },
      { name: "default/public/wild", port: 443, protocol: "HTTPS", hostname: "*.a.example", hosts: [] },
    ]);
    expect(snapshotOf("default/web", ...front).listeners).toEqual([]);
    const annotated = gateway("public", listeners, ", annotations: {mesh.tulle.dev/worker: web}");
    expect(snapshotOf("default/web", ...shop, annotated).listeners).toHaveLength(2);
  });

  test("binds routes to the hostnames that they and the listener have in common", () => {
    expect(
      hosts(
        way("every", ""),
        way("wide", 'hostnames: ["*.example"], '),
        way("one", "hostnames: [x.a.example, b.example], "),
      ),
    ).toEqual([
      [
        "default/public/all",
        "every host: HTTPRoute/default/every/0",
        "*.example: HTTPRoute/default/wide/0",
        "b.example: HTTPRoute/default/one/0",
        "x.a.example: HTTPRoute/default/one/0",
      ],
      [
        "default/public/wild",
        "*.a.example: HTTPRoute/default/every/0 HTTPRoute/default/wide/0",
        "x.a.example: HTTPRoute/default/one/0",
      ],
    ]);
  });

  test("takes only routes that it allows, for the section and port that they name", () => {
    const texts = [
      way("s", "", "name: public, sectionName: wild"),
      way("p", "", "name: public, port: 80"),
      way("f", "", "name: public, namespace: default", "other"),
    ];
    expect(hosts(...texts)).toEqual([
      ["default/public/all", "every host: HTTPRoute/default/p/0 HTTPRoute/other/f/0"],
      ["default/public/wild", "*.a.example: HTTPRoute/default/s/0"],
    ]);
  });

  test("sends nowhere that no grant allows", () => {
    const far = entry(
      "far",
      "parentRefs: [{name: public}], rules: [{backendRefs: [{name: api, port: 80, namespace: other}]}]",
    );
    const backends = (...texts: readonly string[]) =>
      snapshotOf("default/gateway", ...front, service("api", "{}", "other"), far, ...texts).listeners[0]
        ?.hosts[0]?.rules[0]?.backends;
    const grant =
      '{apiVersion: gateway.networking.k8s.io/v1, kind: ReferenceGrant, metadata: {name: g, namespace: other}, spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}], to: [{group: "", kind: Service}]}}';
    expect(backends()).toMatchObject([{ service: "other/api", unusable: "RefNotPermitted" }]);
    expect(backends(grant)).toEqual([{ service: "other/api", weight: 1, filters: [] }]);
  });
});
