import { describe, expect, test } from "vitest";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { load } from "../../../mesh-runtime/policy/load.ts";
import type { Loaded } from "../../../mesh-runtime/policy/loaded.ts";
import type { Destination, Snapshot } from "../../../mesh-runtime/policy/snapshot.ts";
import { allowAll, documents, policy, read, route, service, together } from "./writing.ts";

const workers = [service("web"), service("v1", "{evidence: binding}"), service("v2", "{maxDigestBytes: 7}")];

function snapshotOf(...texts: readonly string[]): Snapshot {
  const snapshot = compile(documents(...texts)).get("default/web");
  if (snapshot === undefined) throw new Error("web has no snapshot");
  return snapshot;
}

function destination(spec: string): Destination {
  const found = snapshotOf(...workers, service("echo", spec)).destinations["default/echo"];
  if (found === undefined) throw new Error("echo is nowhere");
  return found;
}

async function loaded(snapshot: Snapshot): Promise<Loaded> {
  const text = canonicalJson(snapshot);
  const result = await load(text, { epoch: 1, digest: await digestOf(text) }, "default/web");
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

/** The faults of form of a Service with this spec, as `path: message`. */
const faults = (spec: string): readonly string[] =>
  read(service("echo", spec)).issues.map(({ path, message }) => `${path}: ${message}`);

describe("a Service with several endpoints", () => {
  test("has each of them in the snapshot, with what signing must know where another answers", () => {
    const { endpoints } = destination(
      `{endpoints: [
        {service: v1},
        {service: v2, name: two, weight: 9, priority: 1, locality: {region: eu, zone: FRA}},
        {binding: ECHO, url: "https://echo.example/"},
        {url: "https://echo.example:8443", weight: 0},
        {dispatch: {binding: TENANTS, worker: acme}}
      ]}`,
    );
    expect(endpoints).toEqual([
      {
        name: "v1",
        address: { kind: "binding", binding: "V1" },
        weight: 1,
        priority: 0,
        recipient: {
          spiffeId: "spiffe://mesh.local/ns/default/sa/v1",
          evidence: "binding",
          largeBody: "reject",
          maxDigestBytes: 1_048_576,
        },
      },
      {
        name: "two",
        address: { kind: "binding", binding: "V2" },
        weight: 9,
        priority: 1,
        locality: { region: "eu", zone: "FRA" },
        recipient: {
          spiffeId: "spiffe://mesh.local/ns/default/sa/v2",
          evidence: "signature",
          largeBody: "reject",
          maxDigestBytes: 7,
        },
      },
      {
        name: "ECHO",
        address: { kind: "binding", binding: "ECHO", url: "https://echo.example" },
        weight: 1,
        priority: 0,
      },
      {
        name: "echo.example:8443",
        address: { kind: "url", url: "https://echo.example:8443" },
        weight: 0,
        priority: 0,
      },
      {
        name: "TENANTS/acme",
        address: { kind: "dispatch", binding: "TENANTS", worker: "acme" },
        weight: 1,
        priority: 0,
      },
    ]);
  });

  test("has no worker of its own if all of them are other Services, and can be routed to all the same", () => {
    const all = [...workers, service("echo", "{endpoints: [{service: v1}, {service: v2}]}"), allowAll()];
    expect([...compile(documents(...all)).keys()]).toEqual(["default/v1", "default/v2", "default/web"]);
    expect(together(...all)).toEqual([]);
    const routed = snapshotOf(...all, route("r", "name: web", "[{backendRefs: [{name: echo, port: 80}]}]"));
    expect(routed.destinations["default/web"]?.rules?.[0]?.backends).toEqual([
      { service: "default/echo", weight: 1, filters: [] },
    ]);
    const mixed = [...workers, service("echo", "{endpoints: [{service: v1}, {binding: ECHO}]}")];
    expect(compile(documents(...mixed)).has("default/echo")).toBe(true);
  });

  test("means a binding of its own, or that of its first endpoint that has one", () => {
    expect(destination("{endpoints: [{service: v1}]}")).not.toHaveProperty("binding");
    expect(destination("{binding: ECHO, endpoints: [{service: v1}]}").binding).toBe("ECHO");
    expect(destination('{endpoints: [{url: "https://a.example"}, {binding: B}, {binding: C}]}').binding).toBe(
      "B",
    );
  });

  test("signs for whoever answers at the endpoint, and keeps one circuit and one policy", async () => {
    const spec = "{endpoints: [{service: v1}, {binding: ECHO}]}";
    const echo = (await loaded(snapshotOf(...workers, service("echo", spec)))).destination("default/echo");
    expect(
      echo?.choice.map(({ id, settings, endpoint }) => [id.uri, settings.evidence, endpoint?.name]),
    ).toEqual([
      ["spiffe://mesh.local/ns/default/sa/v1", "binding", "v1"],
      ["spiffe://mesh.local/ns/default/sa/echo", "signature", "ECHO"],
    ]);
    expect(echo?.choice.map(({ settings }) => settings.key)).toEqual(["default/echo", "default/echo"]);
    expect(echo?.id).toBe(echo?.choice[0]?.id);
  });

  test("with one entry is as cheap as one with endpoint: nothing is chosen", async () => {
    const two = await loaded(snapshotOf(...workers, service("echo", "{endpoints: [{service: v2}]}")));
    const echo = two.destination("default/echo");
    expect(echo?.choice).toEqual([]);
    expect([echo?.id.uri, echo?.settings.maxDigestBytes]).toEqual([
      "spiffe://mesh.local/ns/default/sa/v2",
      7,
    ]);
  });

  test("is not loaded with an identity of another trust domain at an endpoint", async () => {
    const snapshot = snapshotOf(...workers, service("echo", "{endpoints: [{service: v1}]}"));
    const text = canonicalJson(snapshot).replaceAll(
      "mesh.local/ns/default/sa/v1",
      "evil.example/ns/default/sa/v1",
    );
    const result = await load(text, { epoch: 1, digest: await digestOf(text) }, "default/web");
    expect(result.ok ? "" : result.reason).toContain("must be in the trust domain mesh.local");
  });
});

describe("endpoints are refused", () => {
  test.each([
    ["{endpoints: []}", "spec.endpoints: an empty list"],
    ["{endpoint: {binding: A}, endpoints: [{binding: B}]}", "spec.endpoint: endpoint is the only place"],
    ["{virtual: true, endpoints: [{binding: B}]}", "spec.endpoints: a virtual Service has no worker"],
    ["{endpoints: [{}]}", "spec.endpoints[0]: an endpoint without an address leads nowhere"],
    ["{endpoints: [{name: a}]}", "spec.endpoints[0]: an endpoint without an address leads nowhere"],
    ["{endpoints: [{binding: B, service: v1}]}", "spec.endpoints[0]: an endpoint leads to one place"],
    [
      '{endpoints: [{url: "https://a.example", dispatch: {binding: B, worker: w}}]}',
      "spec.endpoints[0]: an endpoint leads to one place, and url and dispatch are 2",
    ],
    ["{endpoints: [{binding: MESH}]}", "spec.endpoints[0].binding: MESH is the binding to the control plane"],
    ['{endpoints: [{url: "http://a.example"}]}', "spec.endpoints[0].url must be an origin"],
    ["{endpoints: [{dispatch: {binding: B}}]}", "spec.endpoints[0].dispatch.worker is missing"],
    ["{endpoints: [{dispatch: {binding: B, worker: a/b}}]}", "spec.endpoints[0].dispatch.worker must be"],
    ["{endpoints: [{service: a/b}]}", "spec.endpoints[0].service must be a name"],
    ["{endpoints: [{binding: B, weight: -1}]}", "spec.endpoints[0].weight must be a whole number"],
    ["{endpoints: [{binding: B, weight: 0}]}", "spec.endpoints: no endpoint would be used"],
    [
      "{endpoints: [{binding: B, priority: 128}]}",
      "spec.endpoints[0].priority must be a whole number from 0 to 127",
    ],
    ["{endpoints: [{binding: B, locality: {zone: a}}]}", "spec.endpoints[0].locality.region is missing"],
    [
      "{endpoints: [{binding: B, locality: {region: a/b}}]}",
      "spec.endpoints[0].locality.region must be a name",
    ],
    ["{endpoints: [{binding: B}, {binding: B}]}", 'spec.endpoints[1]: entry 0 is called "B" as well'],
    [
      "{endpoints: [{binding: B, name: x}, {service: x}]}",
      'spec.endpoints[1]: entry 0 is called "x" as well',
    ],
    ["{endpoints: [{binding: B, port: 80}]}", "spec.endpoints[0].port is not a member"],
  ])("%s", (spec, expected) => {
    const found = faults(spec);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  test("beyond 64", () => {
    const many = (count: number) =>
      `{endpoints: [${Array.from({ length: count }, (_, index) => `{binding: B${index}}`).join(", ")}]}`;
    expect(faults(many(64))).toEqual([]);
    expect(faults(many(65))[0]).toContain("must be a list of 1 to 64, found a list of 65");
  });

  test.each([
    ["{endpoints: [{service: v3}]}", "The Service default/v3 does not exist"],
    ["{endpoints: [{service: echo}]}", "default/echo cannot be an endpoint of itself"],
    ["{endpoints: [{service: empty}]}", "default/empty only routes to others"],
    ["{endpoints: [{service: chain}]}", "default/chain has endpoints itself"],
    ["{endpoints: [{binding: V1}]}", "The binding V1 means"],
  ])("together with others: %s", (spec, expected) => {
    const others = [
      ...workers,
      service("empty", "{virtual: true}"),
      service("chain", "{endpoints: [{service: v1}]}"),
      route("r", "name: empty", "[{backendRefs: [{name: v1, port: 80}]}]"),
      allowAll(),
    ];
    expect(together(...others)).toEqual([]);
    const found = together(...others, service("echo", spec));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
    expect(found[0]).toMatch(/^error /);
  });

  test("as targets of a policy about callers, where no worker would be asked", () => {
    const echo = service("echo", "{endpoints: [{service: v1}]}");
    const target = "targetRefs: [{kind: Service, name: echo}]";
    const found = together(
      ...workers,
      echo,
      allowAll(),
      policy("AuthorizationPolicy", "p", `{${target}, rules: [{}]}`),
      policy("TrafficPolicy", "t", `{${target}, timeout: 1s}`),
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toContain("default/echo only leads to others");
  });

  test("with a warning where the platform vouches for nobody", () => {
    const found = together(
      ...workers,
      allowAll(),
      service(
        "echo",
        "{evidence: binding, endpoints: [{binding: ECHO}, {dispatch: {binding: T, worker: w}}]}",
      ),
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toContain("reached by a dispatch namespace");
  });
});
