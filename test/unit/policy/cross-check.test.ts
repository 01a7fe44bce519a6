import { describe, expect, test } from "vitest";
import { checkSources, crossCheck } from "../../../mesh-runtime/policy/cross-check.ts";
import { readDocuments } from "../../../mesh-runtime/policy/schema.ts";
import { edge, expectOne, shop } from "./checked.ts";
import { allowAll, entry, inShort, policy, route, service, together, written } from "./writing.ts";

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
