import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readAgain, standIn } from "../../../control/policy-store/in-force.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { catalogOf } from "../../../mesh-runtime/policy/catalog.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { nameOf } from "../../../mesh-runtime/policy/documents.ts";
import { load } from "../../../mesh-runtime/policy/load.ts";
import { parseDocuments } from "../../../mesh-runtime/policy/parse.ts";
import { warningOf } from "../../../mesh-runtime/policy/refused/salvage.ts";
import { complaints } from "../../../mesh-runtime/policy/status/complaints.ts";
import { statuses } from "../../../mesh-runtime/policy/status/status.ts";
import type { GatewayStatus, PolicyStatus, RouteStatus } from "../../../mesh-runtime/policy/status/words.ts";
import { withRefused } from "./refusing.ts";
import { allowAll, documents, entry, gateway, policy, route, service } from "./writing.ts";

const base = documents(allowAll(), service("web"), service("admin"), service("gateway"));
const http = gateway("public", "listeners: [{name: http, port: 80, protocol: HTTP}]");
const toWeb = "backendRefs: [{name: web, port: 80}]";
const strange = "filters: [{type: ExtensionRef, extensionRef: {group: a.example, kind: Auth, name: a}}]";
const both =
  "filters: [{type: RequestRedirect, requestRedirect: {hostname: a.example}}, {type: URLRewrite, urlRewrite: {hostname: b.example}}]";

/** The status of the refused document among others. */
function statusOf(text: string, ...others: readonly string[]) {
  const mixed = withRefused([...base, ...documents(...others)], [text]);
  const [name = ""] = mixed.refused.keys();
  const document = [...mixed.documents, ...mixed.shown].find((one) => nameOf(one) === name);
  if (document === undefined) throw new Error(`nothing is left of ${name}`);
  const catalog = catalogOf(mixed.documents, { refused: mixed.refused });
  return statuses(catalog)(document, { generation: 7, at: "2026-05-01T12:00:00.000Z" });
}

const ofRoute = (text: string, ...others: readonly string[]) =>
  (statusOf(text, ...others) as RouteStatus).parents.map(({ conditions }) =>
    conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`),
  );
const message = (text: string, type: string): string | undefined =>
  (statusOf(text, http) as RouteStatus).parents[0]?.conditions.find((one) => one.type === type)?.message;
const atPublic = (rules: string) => entry("r", `parentRefs: [{name: public}], rules: ${rules}`);

describe("the status of a route of which rules are refused", () => {
  const some = atPublic(`[{${toWeb}}, {${strange}, ${toWeb}}, {${both}}]`);

  test("is accepted, and says which rules are dropped, why, and what becomes of their requests", () => {
    expect(ofRoute(some, http)).toEqual([
      ["Accepted True Accepted", "ResolvedRefs True ResolvedRefs", "PartiallyInvalid True UnsupportedValue"],
    ]);
    expect(message(some, "PartiallyInvalid")).toMatch(
      /^Dropped Rules 1 and 2\. spec\.rules\[1\]: .*ExtensionRef.* spec\.rules\[2\]: .*What rules 1 and 2 would take is answered with 500; the others hold\.$/,
    );
    expect(complaints(statusOf(some, http) ?? { parents: [] })).toMatchObject([
      { of: "parent Gateway/public", condition: { type: "PartiallyInvalid" } },
    ]);
  });

  test("begins as GEP-1364 demands for one rule too", () => {
    expect(message(atPublic(`[{${toWeb}}, {${strange}}]`), "PartiallyInvalid")).toMatch(/^Dropped Rule 1\. /);
  });

  test("does not say so where the route is not accepted anyway", () => {
    expect(ofRoute(some)).toEqual([["Accepted False NoMatchingParent", "ResolvedRefs True ResolvedRefs"]]);
  });

  test("names rules that are wrong only beside each other", () => {
    const named = atPublic(`[{name: a, ${toWeb}}, {name: a, ${toWeb}}, {name: b, ${toWeb}}]`);
    expect(message(named, "PartiallyInvalid")).toMatch(/^Dropped Rule 1\. /);
  });
});

describe("the status of a route that is refused as a whole", () => {
  test.each([
    ["every rule has a value that cannot be", atPublic(`[{${strange}}]`), "UnsupportedValue"],
    [
      "every rule has filters that cannot be combined",
      atPublic(`[{${both}}, {${both}}]`),
      "IncompatibleFilters",
    ],
    ["one rule is the one and one the other", atPublic(`[{${both}}, {${strange}}]`), "UnsupportedValue"],
    [
      "something outside its rules is wrong",
      entry("r", `parentRefs: [{name: public}], useDefaultGateways: All, rules: [{${toWeb}}]`),
      "UnsupportedValue",
    ],
    [
      "something outside its rules is wrong beside their filters",
      entry("r", `parentRefs: [{name: public}], useDefaultGateways: All, rules: [{${both}}]`),
      "UnsupportedValue",
    ],
    [
      "it has more rules than a route may have",
      atPublic(`[${Array(17).fill(`{${toWeb}}`).join(", ")}]`),
      "UnsupportedValue",
    ],
  ])("because %s says so", (_why, text, reason) => {
    expect(ofRoute(text, http)).toEqual([[`Accepted False ${reason}`, "ResolvedRefs True ResolvedRefs"]]);
    expect(message(text, "Accepted")).toMatch(/Every request that its matches take is answered with 500\.$/);
  });
});

describe("the status of a route to a port that speaks what a worker cannot", () => {
  test("says that its references do not resolve, with the reason that Gateway API has for it", () => {
    const grpc = service("grpc", "{ports: [{name: a, port: 81, appProtocol: kubernetes.io/h2c}]}");
    const text = documents(http, atPublic("[{backendRefs: [{name: grpc, port: 81}]}]"));
    const { documents: all, refused } = withRefused([...base, ...text], [grpc]);
    const found = all.find(({ kind }) => kind === "HTTPRoute");
    if (found === undefined) throw new Error("a route");
    const status = statuses(catalogOf(all, { refused }))(found, { generation: 1, at: "" }) as RouteStatus;
    expect(status.parents[0]?.conditions[1]).toMatchObject({
      type: "ResolvedRefs",
      status: "False",
      reason: "UnsupportedProtocol",
      message: expect.stringMatching(
        /^spec\.rules\[0\]\.backendRefs\[0\]: A worker cannot speak to default\/grpc, port 81: /,
      ),
    });
  });
});

describe("a Service that asks for larger bodies to be compared than anybody has room for", () => {
  test("has the largest compared that can be: none goes on uncompared that was compared", () => {
    const large = service("large", "{maxDigestBytes: 50000000, largeBody: unsigned}");
    const { documents: all, refused } = withRefused(base, [large]);
    const { inbound, destinations } = compile(all, { refused }).get("default/large") ?? fail();
    expect([inbound.maxDigestBytes, inbound.largeBody]).toEqual([16_777_216, "unsigned"]);
    expect(destinations["default/large"]).toMatchObject({ maxDigestBytes: 16_777_216 });
  });
});

describe("the status of a Gateway of which listeners are refused", () => {
  const listeners = (text: string, ...others: readonly string[]) => {
    const status = statusOf(text, ...others) as GatewayStatus;
    return {
      gateway: status.conditions.map(({ type, status: is, reason }) => `${type} ${is} ${reason}`),
      listeners: status.listeners.map(({ name, attachedRoutes, conditions }) => [
        name,
        attachedRoutes,
        ...conditions.slice(0, 2).map(({ type, status: is, reason }) => `${type} ${is} ${reason}`),
      ]),
    };
  };
  const mixed = gateway(
    "public",
    "listeners: [{name: raw, port: 9000, protocol: TCP}, {name: http, port: 80, protocol: HTTP}, {name: strange, hostname: b.example, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Friends}}}]",
  );

  test("tells each in its place: which are not served and why, and that the others are", () => {
    expect(listeners(mixed, atPublic(`[{${toWeb}}]`))).toEqual({
      gateway: ["Accepted True ListenersNotValid", "Programmed True Programmed"],
      listeners: [
        ["raw", 0, "Accepted False UnsupportedProtocol", "Programmed False Invalid"],
        ["http", 1, "Accepted True Accepted", "Programmed True Programmed"],
        ["strange", 0, "Accepted False UnsupportedValue", "Programmed False Invalid"],
      ],
    });
  });

  test("is not accepted without a listener that is left", () => {
    const tcp = gateway("public", "listeners: [{name: raw, port: 9000, protocol: TCP}]");
    expect(listeners(tcp).gateway).toEqual(["Accepted False ListenersNotValid", "Programmed False Invalid"]);
  });

  test("is invalid where more than listeners is wrong", () => {
    const whole = gateway(
      "public",
      "addresses: [{value: 1.2.3.4}], listeners: [{name: http, port: 80, protocol: HTTP}]",
    );
    expect(listeners(whole)).toEqual({
      gateway: ["Accepted False Invalid", "Programmed False Invalid"],
      listeners: [["http", 0, "Accepted False UnsupportedValue", "Programmed False Invalid"]],
    });
  });

  test("does not lose its worker, nor takes another's where that cannot be read", () => {
    const worker = (annotations: string) =>
      gateway(
        "public",
        "addresses: [], listeners: [{name: http, port: 80, protocol: HTTP}]",
        `, annotations: ${annotations}`,
      );
    const served = (annotations: string) => {
      const { documents: all, refused } = withRefused(base, [worker(annotations)]);
      return [...compile(all, { refused })].flatMap(([key, { listeners: its }]) =>
        its.length > 0 ? [key] : [],
      );
    };
    expect(served("{mesh.tulle.dev/worker: web}")).toEqual(["default/web"]);
    expect(served("{mesh.tulle.dev/worker: 5}")).toEqual([]);
    expect(served("[web]")).toEqual([]);
  });
});

describe("the status of a policy of a backend that is refused", () => {
  const wrong = `{apiVersion: gateway.networking.x-k8s.io/v1alpha1, kind: XBackendTrafficPolicy, metadata: {name: b}, spec: {targetRefs: [{group: "", kind: Service, name: web}], retryConstraint: {budget: {percent: 400}}}}`;

  test("says that it is invalid, and it holds for nobody", () => {
    const { ancestors } = statusOf(wrong) as PolicyStatus;
    expect(ancestors).toMatchObject([
      {
        ancestorRef: { name: "web" },
        conditions: [{ type: "Accepted", status: "False", reason: "Invalid" }],
      },
    ]);
    const { documents: all, refused } = withRefused(base, [wrong]);
    expect(
      compile(all, { refused }).get("default/web")?.destinations["default/web"]?.traffic,
    ).not.toHaveProperty("retryConstraint");
  });
});

describe("whoever changes something else", () => {
  test("is told of each, with the line, what holds meanwhile, and what to do", () => {
    const { refused } = withRefused(base, [atPublic(`[\n {${toWeb}},\n {${strange}}]`)]);
    const warning = warningOf([...refused.values()][0] ?? fail());
    expect(warning).toMatchObject({
      severity: "warning",
      document: "HTTPRoute/default/r",
      line: 3,
      path: "spec.rules[1].filters[0].type",
      message: expect.stringMatching(
        /^HTTPRoute\/default\/r is in force, and this version of Tulle refuses it: .*What rule 1 would take is answered with 500; the others hold\. Mend it and apply it, or delete it\.$/,
      ),
    });
  });
});

describe("a MeshConfig that is refused", () => {
  const proofs = (spec: string) => {
    const { documents: all, refused } = withRefused(base, [policy("MeshConfig", "mesh", spec)]);
    return compile(all, { refused }).get("default/web")?.inbound.sessionProofs;
  };

  test("leaves sessions refused where it refused them, or where nobody can tell", () => {
    expect(proofs("{defaults: {sessionProofs: refused, accessLog: 5}}")).toBe("refused");
    expect(proofs("{defaults: {sessionProofs: rarely}}")).toBe("refused");
    expect(proofs("5")).toBe("refused");
    expect(proofs("{defaults: {sessionProofs: allowed, accessLog: 5}}")).toBeUndefined();
    expect(proofs("{defaults: {accessLog: 5}}")).toBeUndefined();
  });
});

describe("a document of a name that nothing can have here", () => {
  test.each(["HTTPRoute", "Gateway", "Service"])("stops no other, as a %s", (kind) => {
    for (const name of [
      `${kind}/default/UPPER`,
      `${kind}/Default/web`,
      `${kind}/default/${"a".repeat(300)}`,
    ]) {
      const read = readAgain(name, "spec: {mode: STRICT}");
      const { refused, written } = standIn(name, read.ok ? fail() : read, new Map());
      expect(refused.meanwhile).toBe("Nothing can have this name here, and nothing of it holds.");
      expect(written).toBeUndefined();
    }
  });

  test("denies what it could deny, as a policy", () => {
    const name = "AuthorizationPolicy/default/UPPER";
    const read = readAgain(name, "spec: {action: DENY, rules: [{}]}");
    const { refused, written } = standIn(
      name,
      read.ok ? fail() : read,
      new Map([["Service/default/web", ""]]),
    );
    const all = [...base, written?.document ?? fail()];
    expect(
      compile(all, { refused: new Map([[name, refused]]) }).get("default/web")?.inbound.authorization,
    ).toContainEqual({ name: `${name}/0`, action: "DENY" });
  });
});

const fail = (): never => {
  throw new Error("nothing is refused");
};

describe("whatever is wrong with a document", () => {
  const texts = [
    atPublic(
      `[{name: a, matches: [{path: {value: /a}, method: GET, headers: [{name: x, value: y}]}], ${toWeb}, timeouts: {request: 5s}}, {${toWeb}}]`,
    ),
    route("i", "name: web", `[{${toWeb}, retry: {attempts: 1}}]`),
    gateway(
      "public",
      "listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}, {name: b, hostname: b.example, port: 80, protocol: HTTP}]",
    ),
    service("s", "{mode: STRICT, ports: [{port: 80, name: a}], endpoint: {binding: S}}"),
    policy(
      "AuthorizationPolicy",
      "p",
      "{targetRefs: [{kind: Service, name: web}], action: DENY, rules: [{from: [{source: {namespaces: [a]}}]}]}",
    ),
    policy("TrafficPolicy", "t", "{targetRefs: [{kind: Service, name: web}], timeout: 5s}"),
  ];
  const values = texts.flatMap((text) =>
    parseDocuments([{ source: "", text }]).parsed.map(({ value }) => value),
  );
  const junk = fc.oneof(
    fc.constantFrom(null, "", "x", "*", -1, 0, 70_000, true, [], {}, [null], [{}], { x: 1 }, [[]], "/..%2f"),
    fc.array(fc.constantFrom({}, 1, "a", null), { maxLength: 3 }),
  );

  /** Puts junk somewhere: `where` chooses a member at each level. */
  function spoiled(value: unknown, where: readonly number[], with_: unknown): unknown {
    const [here, ...further] = where;
    if (here === undefined || typeof value !== "object" || value === null) return with_;
    const keys = Object.keys(value);
    const key = keys[here % (keys.length + 1)] ?? "unknownMember";
    const inner = spoiled((value as Record<string, unknown>)[key], further, with_);
    if (Array.isArray(value)) return value.map((one, index) => (String(index) === key ? inner : one));
    return { ...value, [key]: inner };
  }

  test("something stands for it, the mesh is compiled, and every workload can load it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...values),
        fc.array(fc.nat(9), { minLength: 1, maxLength: 6 }),
        junk,
        async (value, where, with_) => {
          const { kind, metadata } = value as { kind: string; metadata: { name: string } };
          const name = `${kind}/default/${metadata.name}`;
          const read = readAgain(name, JSON.stringify(spoiled(value, where, with_)));
          if (read.ok) return;
          const instead = standIn(name, read, new Map([["Service/default/web", ""]]));
          const refused = new Map([[name, instead.refused]]);
          const all = [...base, ...(instead.written === undefined ? [] : [instead.written.document])];
          const catalog = catalogOf(all, { refused });
          for (const document of all) statuses(catalog)(document, { generation: 1, at: "" });
          for (const [workload, snapshot] of compile(all, { refused })) {
            const text = canonicalJson(snapshot);
            const loaded = await load(text, { epoch: 1, digest: await digestOf(text) }, workload);
            expect(loaded).toMatchObject({ ok: true });
          }
          expect(instead.refused.issues.length).toBeGreaterThan(0);
          // A policy that denied goes on denying.
          if (kind === "AuthorizationPolicy" && instead.written !== undefined)
            expect(
              JSON.stringify(compile(all, { refused }).get("default/web")?.inbound.authorization),
            ).toMatch(/"DENY"|"from":\[\]/);
        },
      ),
      { seed: 20261123, numRuns: 400 },
    );
  });
});
