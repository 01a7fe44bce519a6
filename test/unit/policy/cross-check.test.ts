import { describe, expect, test } from "vitest";
import { checkSources, crossCheck } from "../../../mesh-runtime/policy/cross-check.ts";
import { readDocuments } from "../../../mesh-runtime/policy/schema.ts";
import { allowAll, entry, gateway, inShort, policy, route, service, together, written } from "./writing.ts";

/** One issue, whose short form begins and goes on so. */
function expectOne(issues: readonly string[], beginning: string, ...parts: readonly string[]): void {
  expect(issues, issues.join("\n")).toHaveLength(1);
  expect(issues[0]).toContain(beginning);
  for (const part of parts) expect(issues[0]).toContain(part);
}

const shop = [allowAll(), service("web"), service("payments")] as const;
const http = gateway("public", "listeners: [{name: http, port: 80, protocol: HTTP}]");
const edge = [service("gateway"), http] as const;

test("a mesh in order has no issues", () => {
  expect(
    together(
      ...shop,
      ...edge,
      entry("web", "parentRefs: [{name: public}], rules: [{backendRefs: [{name: web, port: 80}]}]"),
    ),
  ).toEqual([]);
});

describe("names", () => {
  test("of one kind and namespace stand once; the issue points at both places", () => {
    const sources = [
      { source: "a.yaml", text: [allowAll(), service("web")].join("\n---\n") },
      { source: "b.yaml", text: `\n${service("web", "{mode: PERMISSIVE}")}` },
    ];
    const issues = crossCheck(readDocuments(sources).written);
    expect(issues).toMatchObject([
      {
        severity: "error",
        source: "b.yaml",
        line: 2,
        path: "metadata.name",
        message: "Service/default/web stands at a.yaml:3 already; rename or remove one of the two.",
      },
    ]);
    expect(
      together(...shop, policy("TrafficPolicy", "web", "{targetRefs: [{kind: Service, name: web}]}")),
    ).toEqual([]);
  });

  test("a mesh has one MeshConfig", () => {
    const issues = together(...shop, policy("MeshConfig", "a", "{}"), policy("MeshConfig", "b", "{}"));
    expectOne(issues, "error 9 metadata.name", "MeshConfig/default/a stands at test.yaml:7");
  });

  test("the trust domain is the one that control issues for", () => {
    const config = policy("MeshConfig", "mesh", "{trustDomain: other.example}");
    expect(crossCheck(written(...shop, config), { meshTrustDomain: "other.example" })).toEqual([]);
    const issues = crossCheck(written(...shop, config), { meshTrustDomain: "mesh.local" }).map(inShort);
    expectOne(issues, "error 7 spec.trustDomain", "issues identities for mesh.local");
  });

  test("an identity is one that the mesh can give", () => {
    const other = service("pay", "{identity: spiffe://other.example/ns/default/sa/pay}");
    expectOne(together(...shop, other), "error 7 spec.identity", "identities of mesh.local alone");
  });

  test("no two Services have one identity", () => {
    const twin = service("twin", "{identity: spiffe://mesh.local/ns/default/sa/web}");
    expectOne(together(...shop, twin), "error", "so each could act as the other");
  });

  test("no Service has the identity of the control plane, by name or by saying so", () => {
    const named = service("control", "{}", "tulle");
    expectOne(together(...shop, allowAll("tulle"), named), "metadata.name", "of the control plane");
    const said = service("pay", "{identity: spiffe://mesh.local/ns/tulle/sa/control}");
    expectOne(together(...shop, said), "error 7 spec.identity", "of the control plane");
  });

  test("no two Services have one binding, by name, by endpoint or by default", () => {
    expectOne(
      together(...shop, service("b", "{binding: WEB}")),
      "error 3 metadata.name",
      "The binding WEB means default/b already",
    );
    expectOne(together(...shop, service("x", "{endpoint: {binding: WEB}}")), "error 7 spec.endpoint.binding");
    const elsewhere = [service("web", "{}", "other"), allowAll("other")];
    expectOne(
      together(...shop, ...elsewhere),
      "error 7 metadata.name",
      "write spec.binding with another name",
    );
    expect(together(...shop, service("web", "{binding: OTHER_WEB}", "other"), allowAll("other"))).toEqual([]);
    expect(
      together(...shop, service("web", "{endpoint: {url: https://a.example}}", "other"), allowAll("other")),
    ).toEqual([]);
  });

  test("no Service takes the binding of the control plane", () => {
    expectOne(
      together(...shop, service("mesh")),
      "error 7 metadata.name",
      "the binding to the control plane",
    );
  });
});

describe("a route", () => {
  test("is told when its Service or Gateway does not exist", () => {
    expectOne(
      together(...shop, route("r", "name: paymets", "[{backendRefs: [{name: web, port: 80}]}]")),
      "warning 7 spec.parentRefs[0].name",
      'did you mean "default/payments"?',
    );
    expectOne(
      together(
        ...shop,
        entry("r", "parentRefs: [{name: x}], rules: [{backendRefs: [{name: web, port: 80}]}]"),
      ),
      "warning 7 spec.parentRefs[0].name",
      "The Gateway default/x does not exist",
    );
  });

  test.each([
    [
      "hostnames have nothing in common",
      '[{name: a, port: 80, protocol: HTTP, hostname: "*.a.example"}]',
      "{name: public}",
      "NoMatchingListenerHostname",
    ],
    [
      "listeners do not allow it",
      "[{name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {a: b}}}}}]",
      "{name: public}",
      "NotAllowedByListeners",
    ],
    [
      "no listener has the section",
      "[{name: a, port: 80, protocol: HTTP}]",
      "{name: public, sectionName: b}",
      "NoMatchingParent",
    ],
    [
      "no listener has the port",
      "[{name: a, port: 80, protocol: HTTP}]",
      "{name: public, port: 81}",
      "NoMatchingParent",
    ],
  ])("is told when %s", (_name, listeners, parent, reason) => {
    const issues = crossCheck(
      written(
        ...shop,
        service("gateway"),
        gateway("public", `listeners: ${listeners}`),
        entry(
          "r",
          `hostnames: [b.example], parentRefs: [${parent}], rules: [{backendRefs: [{name: web, port: 80}]}]`,
        ),
      ),
    );
    expect(issues).toMatchObject([
      { severity: "warning", unresolved: true, line: 11, path: "spec.parentRefs[0]", found: reason },
    ]);
  });

  test("of another namespace is let in by from: All alone", () => {
    const foreign = (from: string) =>
      together(
        ...shop,
        allowAll("other"),
        service("web", "{binding: OTHER}", "other"),
        service("gateway"),
        gateway(
          "public",
          `listeners: [{name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: ${from}}}}]`,
        ),
        entry(
          "r",
          "parentRefs: [{name: public, namespace: default}], rules: [{backendRefs: [{name: web, port: 80}]}]",
          "other",
        ),
      );
    expect(foreign("All")).toEqual([]);
    expectOne(foreign("Same"), "warning 15 spec.parentRefs[0]", "set allowedRoutes.namespaces.from");
  });

  test("is told when a backend does not exist or has no worker", () => {
    const to = (ref: string) =>
      together(
        ...shop,
        service("v", "{virtual: true}"),
        route("v", "name: v", "[{backendRefs: [{name: payments, port: 80}]}]"),
        route("r", "name: web", `[{backendRefs: [${ref}]}]`),
      );
    expect(to("{name: payments, port: 80}")).toEqual([]);
    expectOne(
      to("{name: payment, port: 80}"),
      "warning 11 spec.rules[0].backendRefs[0].name",
      'did you mean "default/payments"?',
    );
    expectOne(
      to("{name: nothing-like-it, port: 80}"),
      "warning 11 spec.rules[0].backendRefs[0].name",
      "does not exist; add it",
    );
    expectOne(to("{name: v, port: 80}"), "warning 11", "routing goes one level");
    expectOne(
      to("{name: web, kind: Pod}"),
      "warning 11 spec.rules[0].backendRefs[0].kind",
      "A backend is a Service",
    );
    expectOne(to("{name: web, group: apps}"), "warning 11 spec.rules[0].backendRefs[0].kind");
  });

  test("of a Gateway needs a grant to leave its namespace, one of a Service does not", () => {
    const other = [allowAll("other"), service("api", "{}", "other")];
    const mesh = route("r", "name: web", "[{backendRefs: [{name: api, port: 80, namespace: other}]}]");
    const way = entry(
      "r",
      "parentRefs: [{name: public}], rules: [{backendRefs: [{name: api, port: 80, namespace: other}]}]",
    );
    const grant = (from: string, to: string) =>
      `{apiVersion: gateway.networking.k8s.io/v1, kind: ReferenceGrant, metadata: {name: g, namespace: other}, spec: {from: [${from}], to: [${to}]}}`;
    const from = "{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}";
    const to = '{group: "", kind: Service}';
    expect(together(...shop, ...other, mesh)).toEqual([]);
    expectOne(
      together(...shop, ...edge, ...other, way),
      "warning 15 spec.rules[0].backendRefs[0].namespace",
      "lets HTTPRoutes of default refer",
    );
    expect(together(...shop, ...edge, ...other, way, grant(from, to))).toEqual([]);
    expect(
      together(...shop, ...edge, ...other, way, grant(from, '{group: "", kind: Service, name: api}')),
    ).toEqual([]);
    for (const near of [
      grant("{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: other}", to),
      grant("{group: gateway.networking.k8s.io, kind: Gateway, namespace: default}", to),
      grant("{group: x, kind: HTTPRoute, namespace: default}", to),
      grant(from, '{group: "", kind: Service, name: apis}'),
      grant(from, '{group: "", kind: Secret}'),
      grant(from, "{group: apps, kind: Service}"),
      grant(from, to).replace("namespace: other}, spec", "namespace: default}, spec"),
    ]) {
      expect(together(...shop, ...edge, ...other, way, near), near).toHaveLength(1);
    }
  });

  test("names a port that its Service names, if it names any", () => {
    const to = (port: number) =>
      together(
        ...shop,
        service("api", "{ports: [{port: 80}]}"),
        route("r", "name: web", `[{backendRefs: [{name: api, port: ${port}}]}]`),
      );
    expect(to(80)).toEqual([]);
    expectOne(to(8080), "warning 9 spec.rules[0].backendRefs[0].port", "does not name the port 8080");
  });

  test("is attached to a port that its Service names, if it names any", () => {
    const on = (port: number) =>
      together(
        ...shop,
        service("api", "{ports: [{port: 80}]}"),
        route("r", `name: api, port: ${port}`, "[{backendRefs: [{name: web, port: 80}]}]"),
      );
    expect(on(80)).toEqual([]);
    expectOne(on(443), "warning 9 spec.parentRefs[0].port", "does not name the port 443");
  });

  test("is warned about when a rule answers everything with 500", () => {
    expectOne(
      together(...shop, route("r", "name: web", "[{}]")),
      "warning 7 spec.rules[0]",
      "answered with 500",
    );
    expectOne(
      together(...shop, route("r", "name: web", "[{backendRefs: [{name: web, port: 80, weight: 0}]}]")),
      "warning 7 spec.rules[0].backendRefs",
    );
    expect(
      together(
        ...shop,
        route("r", "name: web", "[{filters: [{type: RequestRedirect, requestRedirect: {}}]}]"),
      ),
    ).toEqual([]);
  });

  test("of Services alone is told that hostnames change nothing", () => {
    const issues = together(
      ...shop,
      entry(
        "r",
        "hostnames: [a.example], parentRefs: [{kind: Service, name: web}], rules: [{backendRefs: [{name: web, port: 80}]}]",
      ),
    );
    expectOne(issues, "warning 7 spec.hostnames", "GEP-1294");
  });

  test("that another shadows is told where", () => {
    const one =
      "[{matches: [{path: {value: /a/}, headers: [{name: X, value: v}, {name: y, value: w}]}], backendRefs: [{name: web, port: 80}]}]";
    const same =
      "[{matches: [{path: {value: /a}, headers: [{name: Y, value: w}, {name: x, value: v}]}], backendRefs: [{name: web, port: 80}]}]";
    expectOne(
      together(...shop, route("a", "name: web", one), route("b", "name: web", same)),
      "warning 9 spec.rules[0].matches[0]",
      "HTTPRoute/default/a (test.yaml:7)",
    );
    expect(together(...shop, route("a", "name: web", one), route("b", "name: payments", same))).toEqual([]);
    const exact = same
      .replace("value: /a,", "value: /a, type: Exact,")
      .replace("{value: /a}", "{type: Exact, value: /a}");
    expect(together(...shop, route("a", "name: web", one), route("b", "name: web", exact))).toEqual([]);
  });

  test("at a Gateway is shadowed only where hosts meet", () => {
    const way = (name: string, host: string) =>
      entry(
        name,
        `hostnames: [${host}], parentRefs: [{name: public}], rules: [{backendRefs: [{name: web, port: 80}]}]`,
      );
    expect(together(...shop, ...edge, way("a", "a.example"), way("b", "b.example"))).toEqual([]);
    expectOne(together(...shop, ...edge, way("a", "a.example"), way("b", "a.example")), "warning 13");
  });

  test("in a circle is told once", () => {
    const issues = together(
      ...shop,
      route("a", "name: web", "[{backendRefs: [{name: payments, port: 80}]}]"),
      route("b", "name: payments", "[{backendRefs: [{name: web, port: 80}]}]"),
    );
    expectOne(issues, "warning 7 spec.parentRefs", "default/web → default/payments → default/web");
    expect(
      together(
        ...shop,
        route("a", "name: web", "[{backendRefs: [{name: web, port: 80}, {name: payments, port: 80}]}]"),
      ),
    ).toEqual([]);
  });
});

test("a virtual Service without route is told", () => {
  expectOne(
    together(...shop, service("v", "{virtual: true}")),
    "warning 7 spec.virtual",
    "nothing routes its requests",
  );
  expect(
    together(
      ...shop,
      service("v", "{virtual: true}"),
      route("r", "name: v", "[{backendRefs: [{name: web, port: 80}]}]"),
    ),
  ).toEqual([]);
});

describe("a Gateway", () => {
  const annotated = (worker: string) =>
    gateway(
      "public",
      "listeners: [{name: http, port: 80, protocol: HTTP}]",
      `, annotations: {mesh.tulle.dev/worker: ${worker}}`,
    );

  test("is implemented by the Service gateway, or the one that it names", () => {
    expectOne(
      together(...shop, http),
      "warning 7 metadata.name",
      "implemented by the Service of its own name or by default/gateway, unless",
    );
    expect(together(...shop, annotated("web"))).toEqual([]);
    expectOne(
      together(...shop, annotated("wbe")),
      'warning 7 metadata.annotations["mesh.tulle.dev/worker"]',
      'did you mean "default/web"?',
    );
  });

  test("is not implemented by what has no worker", () => {
    const issues = together(
      ...shop,
      service("v", "{virtual: true}"),
      route("r", "name: v", "[{backendRefs: [{name: web, port: 80}]}]"),
      annotated("v"),
    );
    expectOne(issues, "warning 11", "has no worker");
  });

  test("needs a grant for a worker of another namespace", () => {
    const infra = [allowAll("infra"), service("edge", "{}", "infra")];
    const grant = `{apiVersion: gateway.networking.k8s.io/v1, kind: ReferenceGrant, metadata: {name: g, namespace: infra}, spec: {from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: default}], to: [{group: "", kind: Service, name: edge}]}}`;
    expectOne(
      together(...shop, ...infra, annotated("infra/edge")),
      "warning 11",
      "lets Gateways of default refer",
    );
    expect(together(...shop, ...infra, annotated("infra/edge"), grant)).toEqual([]);
  });

  test("shares its worker with others only on other ports or hosts", () => {
    const second = (host: string) =>
      gateway("second", `listeners: [{name: http, port: 80, protocol: HTTP${host}}]`);
    expectOne(
      together(...shop, ...edge, second("")),
      "warning 11 spec.listeners[0].port",
      "in default/public already",
    );
    expect(together(...shop, ...edge, second(", hostname: a.example"))).toEqual([]);
  });

  test("speaks one protocol on a port, that of its first listener there", () => {
    const two = gateway(
      "public",
      "listeners: [{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTPS, hostname: b.example}]",
    );
    expectOne(
      together(...shop, service("gateway"), two),
      "warning 9 spec.listeners[1].protocol",
      "Port 80 of the worker default/gateway speaks one protocol",
    );
  });

  test("is told which kinds of routes cannot be served, and what that leaves", () => {
    const taking = (kinds: string) =>
      together(
        ...shop,
        service("gateway"),
        gateway(
          "public",
          `listeners: [{name: a, port: 80, protocol: HTTP, allowedRoutes: {kinds: [${kinds}]}}]`,
        ),
      );
    expect(taking("{kind: HTTPRoute}")).toEqual([]);
    expectOne(
      taking("{kind: HTTPRoute}, {kind: GRPCRoute}"),
      "warning 9 spec.listeners[0].allowedRoutes.kinds",
      "GRPCRoute cannot be served here",
      "HTTPRoutes alone attach",
    );
    expectOne(taking("{kind: TLSRoute}"), "warning 9", "no route attaches to this listener");
  });

  test("is told that certificates are the platform's", () => {
    const tls = gateway(
      "public",
      "listeners: [{name: s, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c}]}}]",
    );
    expectOne(together(...shop, service("gateway"), tls), "warning 9 spec.listeners[0].tls.certificateRefs");
  });
});

describe("a policy", () => {
  const target = (name: string) => `targetRefs: [{kind: Service, name: ${name}}]`;

  test.each(["AuthorizationPolicy", "TrafficPolicy", "Telemetry"])(
    "of kind %s targets a Service that exists",
    (kind) => {
      expectOne(
        together(...shop, policy(kind, "p", `{${target("webb")}}`)),
        "error 7 spec.targetRefs[0].name",
        'did you mean "default/web"?',
      );
    },
  );

  test("about callers targets somebody who is called", () => {
    const v = [
      service("v", "{virtual: true}"),
      route("r", "name: v", "[{backendRefs: [{name: web, port: 80}]}]"),
    ];
    expectOne(
      together(
        ...shop,
        ...v,
        policy("AuthorizationPolicy", "p", `{action: DENY, ${target("v")}, rules: [{}]}`),
      ),
      "error 11",
      "nobody would be asked",
    );
    expect(together(...shop, ...v, policy("TrafficPolicy", "p", `{${target("v")}}`))).toEqual([]);
  });

  test.each(["TrafficPolicy", "Telemetry"])("of kind %s is the only one for its target", (kind) => {
    const issues = together(
      ...shop,
      policy(kind, "a", `{${target("web")}}`),
      policy(kind, "b", `{${target("web")}}`),
    );
    expectOne(
      issues,
      "error 9 spec.targetRefs[0]",
      `${kind}/default/a (test.yaml:7) is for default/web already`,
    );
  });

  test("of kind Telemetry is the only one for its namespace, and may stand beside one for a Service", () => {
    expectOne(
      together(...shop, policy("Telemetry", "a", "{}"), policy("Telemetry", "b", "{}")),
      "error 9 spec",
    );
    expect(
      together(...shop, policy("Telemetry", "a", "{}"), policy("Telemetry", "b", `{${target("web")}}`)),
    ).toEqual([]);
  });

  test.each([
    ["retry: {backoffBase: 1s}", "spec.retry.backoffBase", "longer than retry.backoffMax, which is 250ms"],
    ["circuit: {baseOpen: 60s}", "spec.circuit.baseOpen", "longer than circuit.maxOpen, which is 30000ms"],
    [
      "timeout: 1s, retry: {perTryTimeout: 2s}",
      "spec.retry.perTryTimeout",
      "longer than timeout, which is 1000ms",
    ],
  ])("does not contradict itself: %s", (spec, path, message) => {
    expectOne(
      together(...shop, policy("TrafficPolicy", "p", `{${target("web")}, ${spec}}`)),
      `error 7 ${path}`,
      message,
    );
  });
});

describe("callers", () => {
  const allow = (principals: string, action = "ALLOW") =>
    policy("AuthorizationPolicy", "p", `{action: ${action}, rules: [{from: [{source: {${principals}}}]}]}`);

  test("are missed where nobody is allowed", () => {
    const issues = together(service("web"), service("payments"));
    expect(issues).toEqual([
      "warning 3 metadata.name: Nobody is allowed to call default/payments: add an AuthorizationPolicy.",
      "warning 1 metadata.name: Nobody is allowed to call default/web: add an AuthorizationPolicy.",
    ]);
    expect(together(service("web", "{mode: PERMISSIVE}"))).toEqual([]);
    expect(together(service("web"), policy("MeshConfig", "mesh", "{defaults: {mode: PERMISSIVE}}"))).toEqual(
      [],
    );
    expect(together(...edge)).toEqual([]);
  });

  test("are not missed where a policy for the Service says on purpose that there are none", () => {
    const nobody = (spec: string) => together(service("web"), policy("AuthorizationPolicy", "nobody", spec));
    expect(nobody("{targetRefs: [{kind: Service, name: web}]}")).toEqual([]);
    expectOne(nobody("{}"), "warning 1 metadata.name", "Nobody is allowed");
  });

  test("that nobody is are told", () => {
    expectOne(
      together(service("web"), allow("principals: [mesh.local/ns/default/sa/wbe]")),
      "warning 3 spec.rules[0].from[0].source.principals[0]",
      'did you mean "spiffe://mesh.local/ns/default/sa/web"?',
    );
    expectOne(
      together(service("web"), allow("principals: [cluster.local/ns/default/sa/web]")),
      "warning 3",
      "not of this mesh's trust domain, mesh.local",
    );
    expectOne(
      together(service("web"), allow("namespaces: [default, defualt]")),
      "warning 3 spec.rules[0].from[0].source.namespaces[1]",
      'did you mean "default"?',
    );
    expect(
      together(
        service("web"),
        allow("principals: [mesh.local/ns/default/sa/web, mesh.local/*], namespaces: [de*]"),
      ),
    ).toEqual([]);
  });

  test("are never a virtual Service, which has no identity to show", () => {
    const v = [
      service("v", "{virtual: true}"),
      route("r", "name: v", "[{backendRefs: [{name: web, port: 80}]}]"),
    ];
    expectOne(together(service("web"), ...v, allow("principals: [mesh.local/ns/default/sa/v]")), "warning 7");
  });

  test("are not denied by a DENY policy without rules", () => {
    expectOne(
      together(...shop, policy("AuthorizationPolicy", "d", "{action: DENY}")),
      "warning 7 spec",
      "denies nothing",
    );
  });
});

test("evidence that nobody can give is told", () => {
  const url = "endpoint: {url: https://a.example}";
  expectOne(
    together(allowAll(), service("web", `{${url}, evidence: binding}`)),
    "warning 3 spec.evidence",
    "write evidence: signature",
  );
  expect(together(allowAll(), service("web", `{${url}}`))).toEqual([]);
});

describe("retries", () => {
  const chain = (hops: number) => {
    const names = Array.from({ length: hops + 1 }, (_, index) => `s${index}`);
    return names.flatMap((name, index) => [
      service(name),
      policy(
        "AuthorizationPolicy",
        name,
        `{targetRefs: [{kind: Service, name: ${name}}], rules: [{from: [{source: {principals: [mesh.local/ns/default/sa/${names[index - 1] ?? name}]}}]}]}`,
      ),
    ]);
  };

  test("that multiply along a chain of calls are told once, where it goes too far", () => {
    expect(together(...chain(4))).toEqual([]);
    expectOne(
      together(...chain(7)),
      "warning 21 metadata.name",
      "One request can become 32 attempts along default/s0 → default/s1",
    );
  });

  test("in a circle of callers end", () => {
    const pair = policy(
      "AuthorizationPolicy",
      "back",
      "{targetRefs: [{kind: Service, name: s0}], rules: [{from: [{source: {principals: [mesh.local/ns/default/sa/s3]}}]}]}",
    );
    expect(together(...chain(3), pair)).toEqual([]);
  });
});

test("documents with faults of form are not looked at together", () => {
  const text = [service("web"), service("web"), "kind: Nothing"].join("\n---\n");
  const { issues } = checkSources([{ source: "a", text }]);
  expect(issues.map(({ path }) => path)).toEqual(["kind"]);
});
