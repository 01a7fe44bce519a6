import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import {
  defaultCircuit,
  defaultInbound,
  defaultRetry,
  defaultTelemetry,
  meshTraffic,
} from "../../../mesh-runtime/policy/defaults.ts";
import type { PolicyDocument } from "../../../mesh-runtime/policy/documents.ts";
import { destination, onePlace, shop, snapshotOf } from "./compiling.ts";
import { anyMesh } from "./meshes.ts";
import { allowAll, documents, gateway, policy, route, service } from "./writing.ts";

describe("compiling", () => {
  test("makes a snapshot for each Service that has a worker, in order of keys", () => {
    const made = compile(
      documents(service("web"), service("v", "{virtual: true}"), service("cart", "{}", "a")),
    );
    expect([...made.keys()]).toEqual(["a/cart", "default/web"]);
    expect(Object.keys(made.get("default/web")?.destinations ?? {})).toEqual([
      "a/cart",
      "default/v",
      "default/web",
    ]);
  });

  test("fills in every default", () => {
    const snapshot = snapshotOf("default/web", ...shop);
    expect(snapshot).toMatchObject({
      version: 1,
      trustDomain: "mesh.local",
      workload: "default/web",
      spiffeId: "spiffe://mesh.local/ns/default/sa/web",
      inbound: { mode: "STRICT", evidence: "signature", authorization: [], ...defaultInbound },
      listeners: [],
      telemetry: defaultTelemetry,
    });
    expect(snapshot.destinations["default/payments"]).toEqual({
      key: "default/payments",
      spiffeId: "spiffe://mesh.local/ns/default/sa/payments",
      hosts: ["payments", "payments.default", "payments.default.mesh"],
      binding: "PAYMENTS",
      endpoints: [onePlace("PAYMENTS", { kind: "binding", binding: "PAYMENTS" })],
      evidence: "signature",
      largeBody: "reject",
      maxDigestBytes: 1_048_576,
      traffic: meshTraffic,
    });
  });

  test("does not depend on the order of the documents", () => {
    fc.assert(
      fc.property(
        anyMesh.chain((texts) =>
          fc.tuple(fc.constant(texts), fc.shuffledSubarray([...texts], { minLength: texts.length })),
        ),
        ([texts, shuffled]) => {
          const bytes = (given: readonly string[]) =>
            [...compile(documents(...given))].map(([key, one]) => key + canonicalJson(one));
          expect(bytes(shuffled)).toEqual(bytes(texts));
        },
      ),
      { seed: 1, numRuns: 60 },
    );
  });

  test("takes the trust domain from MeshConfig, or from the control plane first", () => {
    const config = policy("MeshConfig", "mesh", "{trustDomain: shop.example}");
    const given = documents(...shop, config);
    expect(compile(given).get("default/web")?.spiffeId).toBe("spiffe://shop.example/ns/default/sa/web");
    expect(compile(given, { meshTrustDomain: "x.example" }).get("default/web")?.trustDomain).toBe(
      "x.example",
    );
  });

  test("makes what snapshots of one namespace have in common once, for any number of them", () => {
    const many: PolicyDocument[] = [];
    const [one, way] = documents(
      service("s"),
      route("s", "name: s", "[{backendRefs: [{name: s, port: 80}]}]"),
    );
    for (let index = 0; index < 5_000; index++) {
      const metadata = { name: `s${index}`, namespace: "default" };
      if (one !== undefined) many.push({ ...one, metadata } as PolicyDocument);
      if (way !== undefined) many.push({ ...way, metadata } as PolicyDocument);
    }
    const made = compile(many);
    expect(made.size).toBe(5_000);
    const [first, second] = [...made.values()];
    expect(first?.destinations).toBe(second?.destinations);
  });
});

describe("a Service", () => {
  test("is reached by its binding, a URL, or both", () => {
    const endpoint = (spec: string) =>
      destination("default/api", "default/web", ...shop, service("api", spec));
    expect(endpoint("{endpoint: {binding: X}}")).toMatchObject({
      binding: "X",
      endpoints: [{ address: { kind: "binding", binding: "X" } }],
    });
    expect(endpoint("{binding: Y, endpoint: {binding: X}}")).toMatchObject({
      binding: "Y",
      endpoints: [{ address: { binding: "X" } }],
    });
    expect(endpoint("{binding: Y}")).toMatchObject({
      binding: "Y",
      endpoints: [{ address: { binding: "Y" } }],
    });
    expect(endpoint("{endpoint: {binding: X, url: 'https://a.example/'}}").endpoints).toEqual([
      onePlace("X", { kind: "binding", binding: "X", url: "https://a.example" }),
    ]);
    const url = endpoint("{endpoint: {url: 'https://a.example'}}");
    expect(url.endpoints).toEqual([onePlace("a.example", { kind: "url", url: "https://a.example" })]);
    expect(url).not.toHaveProperty("binding");
    expect(endpoint("{binding: Z, endpoint: {url: 'https://a.example'}}").binding).toBe("Z");
    const virtual = endpoint("{virtual: true}");
    expect(virtual.endpoints).toEqual([]);
    expect(virtual.binding).toBe("API");
  });

  test("has its name in capitals as binding", () => {
    expect(destination("default/payments-v2", "default/web", ...shop, service("payments-v2")).binding).toBe(
      "PAYMENTS_V2",
    );
    expect(destination("default/2fast", "default/web", ...shop, service("2fast")).binding).toBe("_2FAST");
  });

  test("has its bare name as host within its own namespace alone", () => {
    const other = [...shop, service("api", "{}", "other")];
    expect(destination("other/api", "default/web", ...other).hosts).toEqual(["api.other", "api.other.mesh"]);
    expect(destination("other/api", "other/api", ...other).hosts).toEqual([
      "api",
      "api.other",
      "api.other.mesh",
    ]);
  });

  test("says what it demands, and callers learn it", () => {
    const spec =
      "{mode: PERMISSIVE, evidence: binding, timeout: 2s, maxInFlight: 5, maxDigestBytes: 10, largeBody: unsigned}";
    const texts = [service("web", spec), service("cart")];
    expect(snapshotOf("default/web", ...texts).inbound).toEqual({
      mode: "PERMISSIVE",
      evidence: "binding",
      timeoutMs: 2_000,
      maxInFlight: 5,
      maxDigestBytes: 10,
      largeBody: "unsigned",
      authorization: [],
    });
    expect(destination("default/web", "default/cart", ...texts)).toMatchObject({
      evidence: "binding",
      largeBody: "unsigned",
      maxDigestBytes: 10,
    });
  });

  test("takes mode, evidence and telemetry from MeshConfig where it says nothing", () => {
    const config = policy(
      "MeshConfig",
      "mesh",
      "{defaults: {mode: PERMISSIVE, evidence: binding, sampleRatio: 1}}",
    );
    const { inbound, telemetry } = snapshotOf("default/web", ...shop, config);
    expect(inbound).toMatchObject({ mode: "PERMISSIVE", evidence: "binding" });
    expect(telemetry).toEqual({ ...defaultTelemetry, sampleRatio: 1 });
    expect(snapshotOf("default/web", service("web", "{mode: STRICT}"), config).inbound.mode).toBe("STRICT");
  });

  test("has the identity that it says", () => {
    const texts = [service("web", "{identity: spiffe://mesh.local/ns/default/sa/front}"), service("cart")];
    expect(snapshotOf("default/web", ...texts).spiffeId).toBe("spiffe://mesh.local/ns/default/sa/front");
    expect(destination("default/web", "default/cart", ...texts).spiffeId).toBe(
      "spiffe://mesh.local/ns/default/sa/front",
    );
  });
});

describe("policies", () => {
  const target = "targetRefs: [{kind: Service, name: web}]";

  test("of access become rules with names, for their targets alone", () => {
    const spec = `{${target}, action: DENY, rules: [{from: [{source: {principals: [mesh.local/ns/default/sa/x, "*"], notNamespaces: [a*]}}], to: [{operation: {methods: [GET], notPaths: ["*.png", /café]}}]}, {}]}`;
    const texts = [...shop, policy("AuthorizationPolicy", "p", spec)];
    expect(snapshotOf("default/web", ...texts).inbound.authorization).toEqual([
      {
        name: "AuthorizationPolicy/default/p/0",
        action: "DENY",
        from: [
          {
            principals: [
              { type: "exact", value: "spiffe://mesh.local/ns/default/sa/x" },
              { type: "present" },
            ],
            notNamespaces: [{ type: "prefix", value: "a" }],
          },
        ],
        to: [
          {
            methods: [{ type: "exact", value: "GET" }],
            notPaths: [
              { type: "suffix", value: ".png" },
              { type: "exact", value: "/caf%C3%A9" },
            ],
          },
        ],
      },
      { name: "AuthorizationPolicy/default/p/1", action: "DENY" },
    ]);
    expect(snapshotOf("default/payments", ...texts).inbound.authorization).toEqual([]);
  });

  test("of access without targets are for the whole namespace and no other", () => {
    const texts = [...shop, service("api", "{}", "other"), allowAll()];
    expect(snapshotOf("default/web", ...texts).inbound.authorization).toHaveLength(1);
    expect(snapshotOf("default/payments", ...texts).inbound.authorization).toHaveLength(1);
    expect(snapshotOf("other/api", ...texts).inbound.authorization).toEqual([]);
  });

  test("of access keep everything that they ask for", () => {
    const spec = `{${target}, rules: [{from: [{source: {principals: ["*"]}}], to: [{operation: {hosts: [Shop.Example., "*.example"], paths: ["/u/{*}/%6beys", "/{**}"]}}], when: [{key: "request.headers[X-Team]", values: [a*], notValues: [ab]}, {key: mesh.evidence, values: [signature]}, {key: source.principal, notValues: [mesh.local/ns/default/sa/x]}, {key: source.namespace, values: [default]}]}]}`;
    expect(
      snapshotOf("default/web", ...shop, policy("AuthorizationPolicy", "p", spec)).inbound.authorization,
    ).toEqual([
      {
        name: "AuthorizationPolicy/default/p/0",
        action: "ALLOW",
        from: [{ principals: [{ type: "present" }] }],
        to: [
          {
            hosts: [
              { type: "exact", value: "shop.example" },
              { type: "suffix", value: ".example" },
            ],
            paths: [
              { type: "template", value: "/u/{*}/keys" },
              { type: "template", value: "/{**}" },
            ],
          },
        ],
        when: [
          {
            type: "header",
            name: "x-team",
            values: [{ type: "prefix", value: "a" }],
            notValues: [{ type: "exact", value: "ab" }],
          },
          { type: "evidence", values: [{ type: "exact", value: "signature" }] },
          {
            type: "principal",
            notValues: [{ type: "exact", value: "spiffe://mesh.local/ns/default/sa/x" }],
          },
          { type: "namespace", values: [{ type: "exact", value: "default" }] },
        ],
      },
    ]);
  });

  test.each(["mesh.tulle.dev/dry-run", "istio.io/dry-run"])("of access with %s decide nothing", (name) => {
    const tried = (value: string) =>
      `{apiVersion: mesh.tulle.dev/v1, kind: AuthorizationPolicy, metadata: {name: p, annotations: {${name}: "${value}"}}, spec: {action: DENY, rules: [{}]}}`;
    const rules = (value: string) => snapshotOf("default/web", ...shop, tried(value)).inbound.authorization;
    const rule = { name: "AuthorizationPolicy/default/p/0", action: "DENY" };
    expect(rules("true")).toEqual([{ ...rule, dryRun: true }]);
    expect(rules("false")).toEqual([rule]);
  });

  test("of access that name a gateway's Service are for what comes in there, and others are not", () => {
    const texts = [
      ...shop,
      service("edge"),
      gateway("edge", "listeners: [{name: http, port: 80, protocol: HTTP}]"),
      allowAll(),
    ];
    const named = policy(
      "AuthorizationPolicy",
      "p",
      "{action: DENY, targetRefs: [{kind: Service, name: edge}], rules: [{from: [{source: {ipBlocks: [192.0.2.0/24], notRemoteIpBlocks: [192.0.2.1]}}]}]}",
    );
    const rule = {
      name: "AuthorizationPolicy/default/p/0",
      action: "DENY",
      from: [{ ipBlocks: ["192.0.2.0/24"], notIpBlocks: ["192.0.2.1"] }],
    };
    expect(snapshotOf("default/edge", ...texts)).not.toHaveProperty("entry");
    expect(snapshotOf("default/edge", ...texts, named).entry).toEqual({ authorization: [rule] });
    expect(snapshotOf("default/web", ...texts, named)).not.toHaveProperty("entry");
  });

  test("of access that allow nobody do not vanish", () => {
    const texts = [...shop, policy("AuthorizationPolicy", "nobody", "{}")];
    expect(snapshotOf("default/web", ...texts).inbound.authorization).toEqual([
      { name: "AuthorizationPolicy/default/nobody", action: "ALLOW", from: [] },
    ]);
  });

  test("of traffic change what they name and leave the defaults elsewhere", () => {
    const spec = `{${target}, timeout: 3s, maxInFlight: 7, retry: {attempts: 0, backoffMax: 1s}, circuit: {enabled: false, window: 5s}}`;
    const texts = [...shop, policy("TrafficPolicy", "p", spec)];
    expect(destination("default/web", "default/payments", ...texts).traffic).toEqual({
      timeoutMs: 3_000,
      maxInFlight: 7,
      retry: { ...defaultRetry, attempts: 0, backoffMaxMs: 1_000 },
      circuit: { ...defaultCircuit, enabled: false, windowMs: 5_000 },
    });
    expect(destination("default/payments", "default/payments", ...texts).traffic).toEqual(meshTraffic);
  });

  test("of telemetry count by nearness: the Service's, its namespace's, the mesh's", () => {
    const texts = [
      ...shop,
      policy("Telemetry", "all", "{sampleRatio: 0.5, accessLog: true}"),
      policy("Telemetry", "web", `{${target}, sampleRatio: 1}`),
      policy("MeshConfig", "mesh", "{defaults: {sampleRatio: 0, otlpEndpoint: 'https://o.example'}}"),
    ];
    expect(snapshotOf("default/web", ...texts).telemetry).toEqual({
      sampleRatio: 1,
      accessLog: true,
      otlpEndpoint: "https://o.example",
    });
    expect(snapshotOf("default/payments", ...texts).telemetry.sampleRatio).toBe(0.5);
  });
});
