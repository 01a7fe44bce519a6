import { describe, expect, test } from "vitest";
import { crossCheck } from "../../../mesh-runtime/policy/cross-check.ts";
import { edge, expectOne, shop } from "./checked.ts";
import { allowAll, entry, gateway, route, service, together, written } from "./writing.ts";

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

describe("regular expressions at one place", () => {
  const to = "[{backendRefs: [{name: web, port: 80}]}]";
  const matches = (kind: string, count: number) =>
    Array.from(
      { length: count },
      (_, n) =>
        `{path: {type: RegularExpression, value: "/[ab]{980}"}, headers: [{name: x, value: ${kind}-${n}}]}`,
    ).join(", ");
  const large = (name: string, parent: string, count = 128) => {
    const backends = `backendRefs: [{name: ${parent}, port: 80}]`;
    const rules = [matches(name, 64), matches(`${name}x`, count - 64)].map(
      (its) => `{matches: [${its}], ${backends}}`,
    );
    return route(name, `name: ${parent}`, `[${rules.join(", ")}]`);
  };

  test("are together no larger than one table may have", () => {
    const issues = together(
      ...shop,
      large("a", "payments"),
      route("c", "name: web", to),
      large("b", "payments"),
    );
    const message =
      "The regular expressions of this route and the others at Service default/payments come to more than 250000 instructions";
    expect(issues.map((issue) => issue.split(", which")[0])).toEqual(
      ["7", "11"].map((line) => `error ${line} spec.rules: ${message}`),
    );
  });

  test("are counted by the place that they are at, and as large as they come out", () => {
    expect(together(...shop, large("a", "payments"), large("b", "web"))).toEqual([]);
    expect(together(...shop, large("a", "payments"), large("b", "payments", 120))).toEqual([]);
  });
});
