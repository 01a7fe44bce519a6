import { describe, expect, test } from "vitest";
import { edge, expectOne, http, shop } from "./checked.ts";
import { allowAll, gateway, route, service, together } from "./writing.ts";

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

  test("may name labels and annotations for what is made for it, which have no effect", () => {
    const named = (infrastructure: string) =>
      gateway(
        "public",
        `infrastructure: ${infrastructure}, listeners: [{name: http, port: 80, protocol: HTTP}]`,
        ", annotations: {mesh.tulle.dev/worker: web}",
      );
    expectOne(
      together(...shop, named("{labels: {team: a}, annotations: {}}")),
      "warning 7 spec.infrastructure.labels",
      "these labels have no effect",
    );
    expectOne(
      together(...shop, named("{annotations: {a.example/b: c}}")),
      "warning 7 spec.infrastructure.annotations",
      "these annotations have no effect",
    );
    expect(together(...shop, named("{}"))).toEqual([]);
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
