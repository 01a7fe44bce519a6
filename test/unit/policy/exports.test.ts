import { describe, expect, test } from "vitest";
import { catalogOf } from "../../../mesh-runtime/policy/catalog.ts";
import type { DocumentOf } from "../../../mesh-runtime/policy/documents.ts";
import { routeStatus } from "../../../mesh-runtime/policy/status/route-status.ts";
import { documents, entry, gateway, inShort, read, service, together, written } from "./writing.ts";

const exported = `apiVersion: v1
kind: List
metadata: { resourceVersion: "" }
items:
- apiVersion: gateway.networking.k8s.io/v1
  kind: HTTPRoute
  metadata:
    creationTimestamp: "2026-01-31T12:00:00Z"
    finalizers: [a.example/b]
    generation: 3
    managedFields: [{ manager: kubectl, operation: Update, fieldsV1: { "f:spec": {} } }]
    name: shop
    namespace: default
    ownerReferences: [{ apiVersion: v1, kind: Pod, name: p, uid: u }]
    deletionTimestamp: "2026-02-01T12:00:00Z"
    selfLink: /apis/x
    resourceVersion: "4711"
    uid: 0b5e4f0e-0000-0000-0000-000000000000
  spec: { parentRefs: [{ group: "", kind: Service, name: shop }], rules: [{ backendRefs: [{ name: shop, port: 80 }] }] }
- apiVersion: v1
  kind: Namespace
  metadata: { creationTimestamp: null, name: default, uid: x }
  spec: { finalizers: [kubernetes] }
  status: { phase: Active }
`;

describe("what kubectl printed is read", () => {
  test("and one warning for each document names what a cluster wrote, and that it is not read", () => {
    const warnings = together(exported, service("shop", "{binding: SHOP}"));
    expect(warnings.filter((warning) => warning.includes("a cluster writes"))).toEqual([
      "warning 18 items[0].metadata.uid: What a cluster writes into a document is not read (uid, resourceVersion, generation, managedFields, finalizers, ownerReferences, selfLink, deletionTimestamp); it can stay, or be removed.",
      "warning 22 items[1].metadata.uid: What a cluster writes into a document is not read (uid, spec); it can stay, or be removed.",
    ]);
    expect(warnings.filter((warning) => warning.includes("The status is written"))).toHaveLength(1);
  });

  test("also of the mesh's own kinds", () => {
    const own = "{apiVersion: mesh.tulle.dev/v1, kind: Service, metadata: {name: a, uid: x}, spec: {}}";
    expect(together(own).join()).toContain("not read (uid)");
  });
});

const specOf = (spec: string): DocumentOf<"HTTPRoute">["spec"] => {
  const [found] = documents(entry("a", spec));
  if (found?.kind !== "HTTPRoute") throw new Error("no route");
  return found.spec;
};

describe("in a document of Gateway API", () => {
  test.each([
    ["hostnames: null", ""],
    ["hostnames: []", ""],
    ["rules: null", ""],
    ["parentRefs: null", ""],
    ["parentRefs: []", ""],
    ["useDefaultGateways: null", ""],
    ["rules: [{matches: null, filters: null, timeouts: null, retry: null}]", "rules: [{}]"],
    ["rules: [{matches: []}]", "rules: [{}]"],
    ["rules: [{matches: [{path: {type: null, value: /a}}]}]", "rules: [{matches: [{path: {value: /a}}]}]"],
    ["rules: [{retry: {codes: []}}]", "rules: [{retry: {}}]"],
    [
      "rules: [{backendRefs: [{name: b, port: 80, weight: null}]}]",
      "rules: [{backendRefs: [{name: b, port: 80}]}]",
    ],
  ])("%j says as little as its absence", (said, plain) => {
    expect(specOf(said)).toEqual(specOf(plain));
  });

  test("a creationTimestamp that is null makes it as young as one without", () => {
    const text = gateway(
      "g",
      "listeners: [{name: a, port: 80, protocol: HTTP}]",
      ", creationTimestamp: null, annotations: null",
    );
    expect(written(text)[0]?.document.metadata).toEqual({ name: "g", namespace: "default" });
  });

  test.each([
    ["rules: []", "spec.rules: an empty list could mean none or all"],
    ["rules: [null]", "spec.rules[0] must be an object"],
    ["rules: [{backendRefs: [{name: null, port: 80}]}]", "spec.rules[0].backendRefs[0].name must be a name"],
    ["hostnams: null", "spec.hostnams is not a member that exists here"],
  ])("%j is still refused", (spec, message) => {
    expect(read(entry("a", spec)).issues.map(inShort).join()).toContain(message);
  });

  test("but a policy of the mesh opens nothing by a name that nothing follows", () => {
    const text =
      "{apiVersion: mesh.tulle.dev/v1, kind: AuthorizationPolicy, metadata: {name: a}, spec: {rules: [{from: null}]}}";
    expect(read(text).issues.map(inShort).join()).toContain("spec.rules[0].from must be a list");
  });
});

describe("a route without parents", () => {
  test.each(["rules: [{backendRefs: [{name: shop, port: 80}]}]", "parentRefs: [], hostnames: [a.example]"])(
    "takes no requests, which a warning says: %s",
    (spec) => {
      const told = together(entry("a", spec), service("shop", "{binding: SHOP}"));
      expect(told).toContain(
        "warning 1 spec.parentRefs: The route is attached to nothing and takes no requests; name a parent.",
      );
      expect(told.join()).not.toContain("GEP-1294");
    },
  );

  test("has no parents in its status", () => {
    const catalog = catalogOf(documents(entry("a", "")));
    const [route] = catalog.routes;
    if (route === undefined) throw new Error("no route");
    expect(routeStatus(catalog, route, { generation: 1, at: "" })).toEqual({ parents: [] });
  });
});
