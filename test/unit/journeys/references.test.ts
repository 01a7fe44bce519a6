import { describe, expect, test } from "vitest";
import { allowAll, entry, gateway, route, service } from "../policy/writing.ts";
import { smallMesh } from "./small-mesh.ts";

/*
 * What a request comes to where its route refers to something that is not there, is not permitted, or is nobody
 * (Gateway API `HTTPRouteRule.backendRefs`, `HTTPRouteSpec`, GEP-1294): whole documents through the outbound journey.
 */

const base = [allowAll(), service("web"), service("payments"), service("gateway")] as const;
const http = gateway("public", "listeners: [{name: http, port: 80, protocol: HTTP}]");
const to = (...refs: readonly string[]) => `rules: [{backendRefs: [${refs.join(", ")}]}]`;
const atGateway = (spec: string) => entry("r", `parentRefs: [{name: public}], ${spec}`);
const grant = (to: string) =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: ReferenceGrant, metadata: {name: g, namespace: other}, spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}], to: [${to}]}}`;

const answered = (binding: string) => ({ status: 200, to: binding });
const noRoute = { status: 404, problem: "no-route" };
const noBackend = { status: 500, problem: "no-backend" };
const unreachable = { status: 503, problem: "unreachable" };

describe("a backend that cannot be used", () => {
  const others = [
    service("v", "{virtual: true}"),
    service("ported", "{ports: [{port: 80}]}"),
    service("api", "{}", "other"),
  ];
  const unusable: readonly (readonly [string, string])[] = [
    ["that does not exist", "{name: gone, port: 80}"],
    ["of an unknown kind", "{name: payments, kind: Bucket}"],
    ["of an unknown group", "{name: payments, group: storage.example}"],
    ["without worker", "{name: v, port: 80}"],
    ["whose Service does not name the port", "{name: ported, port: 8080}"],
  ];

  const ungranted = [
    "of another namespace without grant",
    "{name: api, port: 80, namespace: other}",
  ] as const;
  test.each([...unusable, ungranted])(
    "%s: every request through a Gateway is answered with 500",
    async (_name, ref) => {
      const mesh = smallMesh([...base, ...others, http, atGateway(to(ref))]);
      for (const point of [0, 0.5, 0.99]) {
        expect(await mesh.enter("http://shop.example/", { point })).toEqual(noBackend);
      }
    },
  );

  test.each(unusable)("%s: every request inside the mesh is answered with 500", async (_name, ref) => {
    const mesh = smallMesh([...base, ...others, route("r", "name: payments", `[{backendRefs: [${ref}]}]`)]);
    expect(await mesh.call("http://payments/")).toEqual(noBackend);
  });

  test.each(unusable)("%s keeps its share, and the others get no more than theirs", async (_name, ref) => {
    const weighted = to("{name: payments, port: 80, weight: 3}", ref.replace("}", ", weight: 1}"));
    const mesh = smallMesh([...base, ...others, http, atGateway(weighted)]);
    const endings = await Promise.all(
      Array.from({ length: 100 }, (_, index) => mesh.enter("http://shop.example/", { point: index / 100 })),
    );
    expect(endings.filter(({ status }) => status === 200)).toEqual(Array(75).fill(answered("PAYMENTS")));
    expect(endings.filter(({ status }) => status !== 200)).toEqual(Array(25).fill(noBackend));
  });

  test("of weight 0 takes nothing", async () => {
    const mesh = smallMesh([
      ...base,
      http,
      atGateway(to("{name: payments, port: 80}", "{name: gone, port: 80, weight: 0}")),
    ]);
    for (const point of [0, 0.5, 0.99]) {
      expect(await mesh.enter("http://shop.example/", { point })).toEqual(answered("PAYMENTS"));
    }
  });

  test("to which copies would go costs the request nothing", async () => {
    const mirror =
      "rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: gone, port: 80}}}], backendRefs: [{name: payments, port: 80}]}]";
    const mesh = smallMesh([...base, http, atGateway(mirror)]);
    expect(await mesh.enter("http://shop.example/")).toEqual(answered("PAYMENTS"));
  });
});

describe("a ReferenceGrant", () => {
  const api = service("api", "{}", "other");
  const texts = [...base, api, http, atGateway(to("{name: api, port: 80, namespace: other}"))];

  test.each([
    ["lets a Gateway's route out of its namespace", '{group: "", kind: Service}', answered("API")],
    ["for this one Service does too", '{group: "", kind: Service, name: api}', answered("API")],
    ["for another Service does not", '{group: "", kind: Service, name: apis}', noBackend],
    ["for another kind does not", '{group: "", kind: Secret}', noBackend],
  ])("%s", async (_name, granted, expected) => {
    expect(await smallMesh([...texts, grant(granted)]).enter("http://shop.example/")).toEqual(expected);
  });

  test("that is taken back takes effect", async () => {
    expect(await smallMesh(texts).enter("http://shop.example/")).toEqual(noBackend);
  });
});

describe("what is answered", () => {
  const rule = (spec: string) => smallMesh([...base, http, atGateway(`rules: [${spec}]`)]);

  test.each([
    [
      "with 404 where no rule matches",
      "{matches: [{path: {value: /a}}], backendRefs: [{name: payments, port: 80}]}",
      noRoute,
    ],
    ["with 500 by a rule without backends", "{}", noBackend],
    ["with 500 by a rule with an empty list of them", "{backendRefs: []}", noBackend],
    ["with 500 where all weights are 0", "{backendRefs: [{name: payments, port: 80, weight: 0}]}", noBackend],
    [
      "with 504 once the time that the rule gives has passed",
      "{timeouts: {request: 1s}, backendRefs: [{name: payments, port: 80}]}",
      { status: 504, problem: "deadline-exceeded" },
    ],
  ])("%s", async (_name, spec, expected) => {
    expect(await rule(spec).enter("http://shop.example/b", { ageMs: 5_000 })).toEqual(expected);
  });

  test("with 503 where a backend exists and cannot be reached", async () => {
    const mesh = smallMesh([...base, http, atGateway(to("{name: payments, port: 80}"))], ["PAYMENTS"]);
    expect(await mesh.enter("http://shop.example/")).toEqual(unreachable);
  });

  test("with 503 by a Service that has no endpoint and that nothing routes", async () => {
    const mesh = smallMesh([...base, service("v", "{virtual: true}")]);
    expect(await mesh.call("http://v/")).toEqual(unreachable);
  });
});

describe("a route that is not attached", () => {
  test.each([
    ["to a Gateway that does not exist", "{name: other}"],
    ["to a section that there is not", "{name: public, sectionName: tls}"],
    ["to a port that there is not", "{name: public, port: 8080}"],
    ["to a section on another port", "{name: public, sectionName: http, port: 8080}"],
  ])("%s changes nothing", async (_name, ref) => {
    const mesh = smallMesh([
      ...base,
      http,
      entry("r", `parentRefs: [${ref}], ${to("{name: payments, port: 80}")}`),
    ]);
    expect(await mesh.enter("http://shop.example/")).toEqual(noRoute);
  });

  test("to a port that its Service does not name changes nothing, at that port neither", async () => {
    const api = service("api", "{ports: [{port: 80}]}");
    const away = route("r", "name: api, port: 8080", "[{backendRefs: [{name: payments, port: 80}]}]");
    const mesh = smallMesh([...base, api, away]);
    expect(await mesh.call("http://api/")).toEqual(answered("API"));
    expect(await mesh.call("http://api:8080/")).toEqual(answered("API"));
  });

  test("and one that is beside it: each for itself", async () => {
    const mesh = smallMesh([
      ...base,
      http,
      entry("a", `parentRefs: [{name: public, sectionName: tls}], ${to("{name: web, port: 80}")}`),
      entry("b", `parentRefs: [{name: public}], ${to("{name: payments, port: 80}")}`),
    ]);
    expect(await mesh.enter("http://shop.example/")).toEqual(answered("PAYMENTS"));
  });
});

describe("listeners", () => {
  /** As upstream's GatewayHTTPListenerIsolation has them. */
  const isolated = gateway(
    "public",
    `listeners: [{name: empty, port: 80, protocol: HTTP}, {name: wildcard, port: 80, protocol: HTTP, hostname: "*.example.com"}, {name: wildcard-foo, port: 80, protocol: HTTP, hostname: "*.foo.example.com"}, {name: abc-foo, port: 80, protocol: HTTP, hostname: abc.foo.example.com}]`,
  );
  const at = (section: string) =>
    entry(
      section,
      `parentRefs: [{name: public, sectionName: ${section}}], rules: [{matches: [{path: {value: /${section}}}], backendRefs: [{name: ${section}, port: 80}]}]`,
    );
  const sections = ["empty", "wildcard", "wildcard-foo", "abc-foo"];
  const texts = [...base, isolated, ...sections.flatMap((name) => [service(name), at(name)])];

  test.each([
    ["bar.com", "empty"],
    ["bar.example.com", "wildcard"],
    ["bar.foo.example.com", "wildcard-foo"],
    ["abc.foo.example.com", "abc-foo"],
  ])("a request to %s belongs to the listener %s and to no other", async (host, section) => {
    const mesh = smallMesh(texts);
    for (const other of sections) {
      expect(await mesh.enter(`http://${host}/${other}`), other).toEqual(
        other === section ? answered(section.toUpperCase().replace("-", "_")) : noRoute,
      );
    }
  });

  test("intersect their hostnames with those of routes, and are isolated all the same", async () => {
    const routes = sections.map((section) =>
      at(section).replace(
        "parentRefs",
        'hostnames: [bar.com, "*.example.com", "*.foo.example.com", abc.foo.example.com], parentRefs',
      ),
    );
    const mesh = smallMesh([...base, isolated, ...sections.map((name) => service(name)), ...routes]);
    expect(await mesh.enter("http://abc.foo.example.com/abc-foo")).toEqual(answered("ABC_FOO"));
    expect(await mesh.enter("http://abc.foo.example.com/wildcard")).toEqual(noRoute);
    expect(await mesh.enter("http://x.foo.example.com/wildcard-foo")).toEqual(answered("WILDCARD_FOO"));
    expect(await mesh.enter("http://x.foo.example.com/wildcard")).toEqual(noRoute);
    expect(await mesh.enter("http://x.example.com/wildcard")).toEqual(answered("WILDCARD"));
    expect(await mesh.enter("http://bar.com/empty")).toEqual(answered("EMPTY"));
  });

  test("of a worker that collide: the older Gateway's alone listens", async () => {
    const older = gateway(
      "zebra",
      "listeners: [{name: http, port: 80, protocol: HTTP}]",
      ", creationTimestamp: 2020-01-01T00:00:00Z",
    );
    const mesh = smallMesh([
      ...base,
      http,
      older,
      atGateway(to("{name: web, port: 80}")),
      entry("z", `parentRefs: [{name: zebra}], ${to("{name: payments, port: 80}")}`),
    ]);
    expect(await mesh.enter("http://shop.example/")).toEqual(answered("PAYMENTS"));
  });

  test("of Gateways of one namespace are each their own worker's, where one of its name exists", async () => {
    const second = gateway("second", "listeners: [{name: http, port: 80, protocol: HTTP}]");
    const mesh = smallMesh([
      ...base,
      service("second"),
      http,
      second,
      atGateway(to("{name: web, port: 80}")),
      entry("s", `parentRefs: [{name: second}], ${to("{name: payments, port: 80}")}`),
    ]);
    expect(await mesh.enter("http://shop.example/")).toEqual(answered("WEB"));
    expect(await mesh.enter("http://shop.example/", { from: "default/second" })).toEqual(
      answered("PAYMENTS"),
    );
  });
});

describe("routes of a Service (GAMMA)", () => {
  const producer = (rules = "[{backendRefs: [{name: produced, port: 80}]}]", parent = "name: api") =>
    route("producer", parent, rules, "other");
  const consumer = (rules = "[{backendRefs: [{name: consumed, port: 80}]}]", name = "consumer", port = "") =>
    route(name, `name: api, namespace: other${port}`, rules);
  const services = [
    ...base,
    allowAll("other"),
    allowAll("third"),
    service("api", "{}", "other"),
    service("produced", "{}", "other"),
    service("consumed"),
    service("client", "{}", "third"),
  ];
  const url = "http://api.other/";
  const own = answered("API");

  test("are not there: the Service answers itself", async () => {
    expect(await smallMesh(services).call(url)).toEqual(own);
  });

  test("of its own namespace hold for callers of every namespace", async () => {
    const mesh = smallMesh([...services, producer()]);
    for (const from of ["default/web", "third/client", "other/produced"]) {
      expect(await mesh.call(url, { from }), from).toEqual(answered("PRODUCED"));
    }
  });

  test("of another namespace hold for callers of that one alone, and the others see the owner's", async () => {
    const mesh = smallMesh([...services, producer(), consumer()]);
    expect(await mesh.call(url)).toEqual(answered("CONSUMED"));
    expect(await mesh.call(url, { from: "third/client" })).toEqual(answered("PRODUCED"));
    expect(await mesh.call(url, { from: "other/produced" })).toEqual(answered("PRODUCED"));
  });

  test("of the caller's namespace win wholly: what they do not match is not the owner's to answer", async () => {
    const some = consumer("[{matches: [{path: {value: /mine}}], backendRefs: [{name: consumed, port: 80}]}]");
    const mesh = smallMesh([
      ...services,
      producer("[{matches: [{path: {value: /theirs}}], backendRefs: [{name: produced, port: 80}]}]"),
      some,
    ]);
    expect(await mesh.call(`${url}mine`)).toEqual(answered("CONSUMED"));
    expect(await mesh.call(`${url}theirs`)).toEqual(noRoute);
    expect(await mesh.call(`${url}theirs`, { from: "third/client" })).toEqual(answered("PRODUCED"));
  });

  test("are the caller's by who it is, whatever it says of itself", async () => {
    const mesh = smallMesh([...services, producer(), consumer()]);
    const headers = { "x-namespace": "default", host: "api.default", forwarded: "by=default" };
    expect(await mesh.call(url, { from: "third/client", headers })).toEqual(answered("PRODUCED"));
  });

  test("of one namespace are merged, and of two kinds never", async () => {
    const a = consumer("[{matches: [{path: {value: /a}}], backendRefs: [{name: consumed, port: 80}]}]", "a");
    const b = consumer("[{matches: [{path: {value: /b}}], backendRefs: [{name: payments, port: 80}]}]", "b");
    const mesh = smallMesh([...services, producer(), a, b]);
    expect(await mesh.call(`${url}a`)).toEqual(answered("CONSUMED"));
    expect(await mesh.call(`${url}b`)).toEqual(answered("PAYMENTS"));
    expect(await mesh.call(`${url}c`)).toEqual(noRoute);
  });

  test("need no grant to send to another namespace, which a Gateway's do", async () => {
    const away = "[{backendRefs: [{name: client, port: 80, namespace: third}]}]";
    const mesh = smallMesh([...services, consumer(away), http, atGateway(`rules: ${away}`)]);
    expect(await mesh.call(url)).toEqual(answered("CLIENT"));
    expect(await mesh.enter("http://shop.example/")).toEqual(noBackend);
  });

  test("do not look at hostnames", async () => {
    const hosts = producer().replace("spec: {", "spec: {hostnames: [elsewhere.example], ");
    expect(await smallMesh([...services, hosts]).call(url)).toEqual(answered("PRODUCED"));
  });

  test("replace the Service: what no rule matches is answered with 404", async () => {
    const some = producer("[{matches: [{path: {value: /a}}], backendRefs: [{name: produced, port: 80}]}]");
    const mesh = smallMesh([...services, some]);
    expect(await mesh.call(`${url}a/b`)).toEqual(answered("PRODUCED"));
    expect(await mesh.call(`${url}b`)).toEqual(noRoute);
  });

  test("for a port hold there alone, beside those for all ports", async () => {
    const eighty = route(
      "port",
      "name: api, port: 8080",
      "[{matches: [{path: {value: /p}}], backendRefs: [{name: produced, port: 80}]}]",
      "other",
    );
    const all = route("all", "name: api", "[{backendRefs: [{name: api, port: 80}]}]", "other");
    const alone = smallMesh([...services, eighty]);
    expect(await alone.call("http://api.other:8080/p")).toEqual(answered("PRODUCED"));
    expect(await alone.call("http://api.other:8080/q")).toEqual(noRoute);
    expect(await alone.call("http://api.other/q")).toEqual(own);
    const both = smallMesh([...services, eighty, all]);
    expect(await both.call("http://api.other:8080/p")).toEqual(answered("PRODUCED"));
    expect(await both.call("http://api.other:8080/q")).toEqual(own);
    expect(await both.call("http://api.other/p")).toEqual(own);
  });

  test("go one level: those of the backend that is chosen do not run", async () => {
    const next = route("next", "name: produced", "[{backendRefs: [{name: api, port: 80}]}]", "other");
    expect(await smallMesh([...services, producer(), next]).call(url)).toEqual(answered("PRODUCED"));
  });

  test("hold no longer once their Service is gone, and harm nobody", async () => {
    const mesh = smallMesh([
      ...services.filter((text) => !text.includes("name: api,")),
      producer(),
      consumer(),
    ]);
    await expect(mesh.call(url)).rejects.toThrow("nobody is api.other");
    expect(await mesh.call("http://payments/")).toEqual(answered("PAYMENTS"));
  });
});

test("a namespace is let in by its labels, as its document gives them", async () => {
  const listener = gateway(
    "public",
    "listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}}]",
  );
  const team = entry(
    "r",
    `parentRefs: [{name: public, namespace: default}], ${to("{name: client, port: 80}")}`,
    "third",
  );
  const labelled = (labels: string) =>
    `{apiVersion: v1, kind: Namespace, metadata: {name: third, labels: ${labels}}}`;
  const texts = [...base, service("client", "{}", "third"), listener, team];
  expect(await smallMesh([...texts, labelled("{team: a}")]).enter("http://shop.example/")).toEqual(
    answered("CLIENT"),
  );
  expect(await smallMesh([...texts, labelled("{team: b}")]).enter("http://shop.example/")).toEqual(noRoute);
  expect(await smallMesh(texts).enter("http://shop.example/")).toEqual(noRoute);
});
