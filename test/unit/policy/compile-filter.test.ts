import { describe, expect, test } from "vitest";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { readSnapshot } from "../../../mesh-runtime/policy/snapshot-shape.ts";
import type { Filter, Rule } from "../../../mesh-runtime/routing/words.ts";
import { cors, forBackend, mirror, modifier, redirect, rewrite, withFilters } from "./filter-texts.ts";
import { documents, entry, gateway, route, service } from "./writing.ts";

/** A snapshot with all filters in it, read by a worker; `change` is what became of one of them on the way. */
function reading(type: Filter["type"], change: Readonly<Record<string, unknown>> = {}) {
  const every = [
    modifier("set: [{name: a, value: b}], remove: [c]"),
    modifier("add: [{name: a, value: b}]", "Response"),
    mirror("backendRef: {name: copies, port: 80}"),
    mirror("backendRef: {name: gone, port: 80}, fraction: {numerator: 1, denominator: 1000}"),
    cors('allowOrigins: ["*"]'),
  ];
  const rules = `[${withFilters(...every, rewrite("hostname: a.b"))}, ${withFilters(...every, redirect("port: 81"))}]`;
  const mesh = documents(service("s"), service("copies"), route("r", "name: s", rules));
  const text = JSON.stringify(compile(mesh).get("default/s"), (_name, value) =>
    value?.type === type ? { ...value, ...change } : value,
  );
  return readSnapshot(JSON.parse(text));
}

describe("read by a worker", () => {
  test("every filter is known", () => {
    expect(reading("CORS")).toMatchObject({ ok: true });
  });

  test.each([
    ["RequestMirror", { service: undefined }, "service must be a text"],
    ["RequestMirror", { numerator: -1 }, "numerator must be a whole number of 0 or more"],
    ["RequestMirror", { denominator: 0 }, "denominator must be a whole number above 0"],
    ["RequestMirror", { sampled: true }, "sampled is not known to this runtime"],
    ["CORS", { allowOrigins: undefined }, "allowOrigins must be a list"],
    ["CORS", { allowMethods: [1] }, "allowMethods[0] must be a text"],
    ["CORS", { allowHeaders: "*" }, "allowHeaders must be a list"],
    ["CORS", { exposeHeaders: null }, "exposeHeaders must be a list"],
    ["CORS", { allowCredentials: "true" }, "allowCredentials must be true or false"],
    ["CORS", { maxAgeSeconds: 0 }, "maxAgeSeconds must be a whole number above 0"],
    ["CORS", { allowPrivateNetwork: true }, "allowPrivateNetwork is not known to this runtime"],
    ["URLRewrite", { type: "ExternalAuth" }, "type must be one of"],
  ] as const)("%s with %j is refused, never read as less than it says", (type, change, expected) => {
    expect(reading(type, change)).toEqual({ ok: false, reason: expect.stringContaining(expected) });
  });
});

describe("compiled", () => {
  const mesh = [service("s"), service("copies"), service("edge"), service("far", "{}", "elsewhere")];

  const ruleOf = (rule: string): Rule | undefined =>
    compile(documents(...mesh, route("r", "name: s", `[${rule}]`))).get("default/s")?.destinations[
      "default/s"
    ]?.rules?.[0];
  const filterOf = (filter: string): Filter | undefined => ruleOf(withFilters(filter))?.filters[0];

  test.each([
    ["", { numerator: 100, denominator: 100 }],
    [", percent: 0", { numerator: 0, denominator: 100 }],
    [", percent: 35", { numerator: 35, denominator: 100 }],
    [", fraction: {numerator: 25, denominator: 50}", { numerator: 25, denominator: 50 }],
    [", fraction: {numerator: 7}", { numerator: 7, denominator: 100 }],
  ])("a mirror with %j", (share, expected) => {
    expect(filterOf(mirror(`backendRef: {name: copies, port: 80}${share}`))).toEqual({
      type: "RequestMirror",
      service: "default/copies",
      ...expected,
    });
  });

  test("a mirror that leads nowhere stays with its reason, for a rule and for a backend", () => {
    const nowhere = mirror("backendRef: {name: gone, port: 80}");
    const expected = { service: "default/gone", unusable: "BackendNotFound" };
    expect(filterOf(nowhere)).toMatchObject(expected);
    expect(ruleOf(forBackend(nowhere))?.backends[0]?.filters).toMatchObject([expected]);
    expect(filterOf(mirror("backendRef: {name: copies, kind: Pod}"))).toMatchObject({
      unusable: "InvalidKind",
    });
  });

  test("a mirror in another namespace: a route of a Service may, one of a Gateway is asked for a ReferenceGrant", () => {
    const far = mirror("backendRef: {name: far, port: 80, namespace: elsewhere}");
    expect(filterOf(far)).not.toHaveProperty("unusable");
    const entrance = [
      gateway(
        "g",
        "listeners: [{name: http, port: 80, protocol: HTTP}]",
        ", annotations: {mesh.tulle.dev/worker: edge}",
      ),
      entry("r", `parentRefs: [{name: g}], rules: [${withFilters(far)}]`),
    ];
    const grant = `{apiVersion: gateway.networking.k8s.io/v1, kind: ReferenceGrant, metadata: {name: g, namespace: elsewhere}, spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}], to: [{group: "", kind: Service}]}}`;
    const atGateway = (...more: readonly string[]) =>
      compile(documents(...mesh, ...entrance, ...more)).get("default/edge")?.listeners[0]?.hosts[0]?.rules[0]
        ?.filters[0];
    expect(atGateway()).toMatchObject({ service: "elsewhere/far", unusable: "RefNotPermitted" });
    expect(atGateway(grant)).not.toHaveProperty("unusable");
  });

  test("CORS has every default, and origins in the form in which they are compared", () => {
    expect(filterOf(cors(""))).toEqual({
      type: "CORS",
      allowOrigins: [],
      allowCredentials: false,
      allowMethods: [],
      allowHeaders: [],
      exposeHeaders: [],
      maxAgeSeconds: 5,
    });
    expect(
      filterOf(
        cors(
          'allowOrigins: ["https://WWW.foo.com:443", "http://*.Bar.com:80", "http://a.b:443"], allowHeaders: [X-A], maxAge: 60',
        ),
      ),
    ).toMatchObject({
      allowOrigins: ["https://www.foo.com", "http://*.bar.com", "http://a.b:443"],
      allowHeaders: ["X-A"],
      maxAgeSeconds: 60,
    });
  });

  test("filters keep the order in which they are listed", () => {
    const listed = [
      cors(""),
      modifier("remove: [a]"),
      mirror("backendRef: {name: copies, port: 80}"),
      rewrite(),
    ];
    expect(ruleOf(withFilters(...listed))?.filters.map(({ type }) => type)).toEqual([
      "CORS",
      "RequestHeaderModifier",
      "RequestMirror",
      "URLRewrite",
    ]);
  });
});
