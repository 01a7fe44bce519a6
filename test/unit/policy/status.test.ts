import { describe, expect, test } from "vitest";
import { catalogOf } from "../../../mesh-runtime/policy/catalog.ts";
import { keyOf } from "../../../mesh-runtime/policy/documents.ts";
import { statuses, statusOf } from "../../../mesh-runtime/policy/status/status.ts";
import type { Condition, GatewayStatus, RouteStatus } from "../../../mesh-runtime/policy/status/words.ts";
import { documents, entry, gateway, route, service } from "./writing.ts";

const observed = { generation: 7, at: "2026-05-01T12:00:00.000Z" };

/** What the document of a kind and name has come to among others. */
function status(kind: "HTTPRoute" | "Gateway", key: string, texts: readonly string[]) {
  const all = documents(...texts);
  const document = all.find((one) => one.kind === kind && keyOf(one) === key);
  if (document === undefined) throw new Error(`no ${kind} ${key}`);
  return statusOf(catalogOf(all), document, observed);
}

const routeStatus = (texts: readonly string[], key = "default/r") =>
  status("HTTPRoute", key, texts) as RouteStatus;
const gatewayStatus = (texts: readonly string[], key = "default/public") =>
  status("Gateway", key, texts) as GatewayStatus;

const short = (conditions: readonly Condition[] = []): readonly string[] =>
  conditions.map((one) => `${one.type} ${one.status} ${one.reason}`);
/** The conditions of a route's parents, in short. */
const parents = (texts: readonly string[], key?: string) =>
  routeStatus(texts, key).parents.map(({ conditions }) => short(conditions));

const shop = [service("web"), service("payments"), service("gateway")] as const;
const listening = (listeners: string) => gateway("public", `listeners: ${listeners}`);
const http = listening("[{name: http, port: 80, protocol: HTTP}]");
const to = (...refs: readonly string[]) => `rules: [{backendRefs: [${refs.join(", ")}]}]`;
const atGateway = (spec: string, namespace?: string) =>
  entry("r", `parentRefs: [{name: public, namespace: default}], ${spec}`, namespace);
const namespace = (name: string, labels: string) =>
  `{apiVersion: v1, kind: Namespace, metadata: {name: ${name}, labels: ${labels}}}`;

describe("a route", () => {
  test("that is attached and whose references resolve says so, for which text and since when", () => {
    expect(routeStatus([...shop, http, atGateway(to("{name: web, port: 80}"))])).toEqual({
      parents: [
        {
          parentRef: {
            group: "gateway.networking.k8s.io",
            kind: "Gateway",
            namespace: "default",
            name: "public",
          },
          controllerName: "mesh.tulle.dev/gateway-controller",
          conditions: [
            {
              type: "Accepted",
              status: "True",
              reason: "Accepted",
              message: "",
              observedGeneration: 7,
              lastTransitionTime: observed.at,
            },
            {
              type: "ResolvedRefs",
              status: "True",
              reason: "ResolvedRefs",
              message: "",
              observedGeneration: 7,
              lastTransitionTime: observed.at,
            },
          ],
        },
      ],
    });
  });

  test.each([
    ["no Gateway of this name", "{name: other}", "", "NoMatchingParent"],
    ["no listener of this section", "{name: public, sectionName: tls}", "", "NoMatchingParent"],
    ["no listener on this port", "{name: public, port: 81}", "", "NoMatchingParent"],
    ["section and port of two listeners", "{name: public, sectionName: a, port: 81}", "", "NoMatchingParent"],
    ["no Service of this name", '{group: "", kind: Service, name: gone}', "", "NoMatchingParent"],
    ["no common hostname", "{name: public}", "hostnames: [x.example], ", "NoMatchingListenerHostname"],
  ])(
    "is not accepted where there is %s, and its references resolve all the same",
    (_why, ref, more, reason) => {
      const listeners = listening("[{name: a, port: 80, protocol: HTTP, hostname: a.example}]");
      expect(
        parents([
          ...shop,
          listeners,
          entry("r", `${more}parentRefs: [${ref}], ${to("{name: web, port: 80}")}`),
        ]),
      ).toEqual([[`Accepted False ${reason}`, "ResolvedRefs True ResolvedRefs"]]);
    },
  );

  test("is not accepted at a port that its Service does not name", () => {
    const texts = [...shop, service("api", "{ports: [{port: 80}]}")];
    const at = (port: number) =>
      route("r", `name: api, port: ${port}`, "[{backendRefs: [{name: web, port: 80}]}]");
    expect(parents([...texts, at(81)])).toEqual([
      ["Accepted False NoMatchingParent", "ResolvedRefs True ResolvedRefs"],
    ]);
    expect(parents([...texts, at(80)])).toEqual([
      ["Accepted True Accepted", "ResolvedRefs True ResolvedRefs"],
    ]);
  });

  test.each([
    ["from: Same", "{namespaces: {from: Same}}"],
    ["nothing said", "{}"],
    ["a selector that does not fit", "{namespaces: {from: Selector, selector: {matchLabels: {team: b}}}}"],
    ["other kinds alone", "{namespaces: {from: All}, kinds: [{kind: TLSRoute}]}"],
  ])("of another namespace is not allowed by %s", (_name, allowed) => {
    const listener = listening(`[{name: a, port: 80, protocol: HTTP, allowedRoutes: ${allowed}}]`);
    const texts = [...shop, namespace("team", "{team: a}"), service("api", "{}", "team"), listener];
    expect(parents([...texts, atGateway(to("{name: api, port: 80}"), "team")], "team/r")).toEqual([
      ["Accepted False NotAllowedByListeners", "ResolvedRefs True ResolvedRefs"],
    ]);
  });

  test.each([
    ["its labels", "{matchLabels: {team: a}}"],
    ["its name", "{matchLabels: {kubernetes.io/metadata.name: team}}"],
    ["In", "{matchExpressions: [{key: team, operator: In, values: [b, a]}]}"],
    ["NotIn", "{matchExpressions: [{key: team, operator: NotIn, values: [b]}]}"],
    ["NotIn of a label that it has not", "{matchExpressions: [{key: x, operator: NotIn, values: [b]}]}"],
    ["Exists", "{matchExpressions: [{key: team, operator: Exists}]}"],
    ["DoesNotExist", "{matchExpressions: [{key: x, operator: DoesNotExist}]}"],
    ["nothing, as an empty selector fits all", "{}"],
    ["both at once", "{matchLabels: {team: a}, matchExpressions: [{key: team, operator: Exists}]}"],
  ])("of another namespace is selected by %s", (_name, selector) => {
    const allowed = `{namespaces: {from: Selector, selector: ${selector}}}`;
    const listener = listening(`[{name: a, port: 80, protocol: HTTP, allowedRoutes: ${allowed}}]`);
    const texts = [...shop, namespace("team", "{team: a}"), service("api", "{}", "team"), listener];
    expect(parents([...texts, atGateway(to("{name: api, port: 80}"), "team")], "team/r")).toEqual([
      ["Accepted True Accepted", "ResolvedRefs True ResolvedRefs"],
    ]);
  });

  test.each([
    ["a Service that does not exist", "{name: gone, port: 80}", "BackendNotFound", "does not exist"],
    ["another kind", "{name: web, kind: Bucket}", "InvalidKind", "A backend is a Service"],
    ["another group", "{name: web, group: x.example}", "InvalidKind", "A backend is a Service"],
    [
      "another namespace without grant",
      "{name: api, port: 80, namespace: other}",
      "RefNotPermitted",
      "ReferenceGrant",
    ],
    ["a Service without worker", "{name: v, port: 80}", "BackendNotFound", "only routes to others"],
    ["a port that the Service does not name", "{name: ported, port: 81}", "BackendNotFound", "port 81"],
  ])("that goes to %s is accepted, and its references do not resolve", (_name, ref, reason, message) => {
    const texts = [
      ...shop,
      http,
      service("v", "{virtual: true}"),
      service("ported", "{ports: [{port: 80}]}"),
      service("api", "{}", "other"),
      atGateway(to("{name: web, port: 80}", ref)),
    ];
    const [parent] = routeStatus(texts).parents;
    expect(short(parent?.conditions)).toEqual(["Accepted True Accepted", `ResolvedRefs False ${reason}`]);
    const told = parent?.conditions[1]?.message;
    expect(told).toContain("spec.rules[0].backendRefs[1]: ");
    expect(told).toContain(message);
  });

  test("of a Service needs no grant, and of a Gateway beside it does: each parent has its own conditions", () => {
    const spec =
      'parentRefs: [{name: public}, {group: "", kind: Service, name: web}], rules: [{backendRefs: [{name: api, port: 80, namespace: other}]}]';
    expect(parents([...shop, http, service("api", "{}", "other"), entry("r", spec)])).toEqual([
      ["Accepted True Accepted", "ResolvedRefs False RefNotPermitted"],
      ["Accepted True Accepted", "ResolvedRefs True ResolvedRefs"],
    ]);
  });

  test("names at most three references that do not resolve, and how many there are besides", () => {
    const refs = ["a", "b", "c", "d", "e"].map((name) => `{name: gone-${name}, port: 80}`);
    const [parent] = routeStatus([...shop, http, atGateway(to(...refs))]).parents;
    expect(parent?.conditions[1]?.message.match(/backendRefs\[\d\]/g)).toHaveLength(3);
    expect(parent?.conditions[1]?.message).toMatch(/ And 2 more\.$/);
  });
});

describe("a Gateway", () => {
  const listener = (texts: readonly string[], index = 0, key?: string) =>
    gatewayStatus(texts, key).listeners[index];
  const ready = [
    "Accepted True Accepted",
    "Programmed True Programmed",
    "ResolvedRefs True ResolvedRefs",
    "Conflicted False NoConflicts",
  ];

  test("with a worker is accepted and programmed, with what each listener takes", () => {
    const made = gatewayStatus([...shop, http]);
    expect(short(made.conditions)).toEqual(["Accepted True Accepted", "Programmed True Programmed"]);
    expect(made.conditions[0]).toMatchObject({ observedGeneration: 7, lastTransitionTime: observed.at });
    expect(made.listeners).toMatchObject([
      {
        name: "http",
        supportedKinds: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute" }],
        attachedRoutes: 0,
      },
    ]);
    expect(short(made.listeners[0]?.conditions)).toEqual(ready);
  });

  test("without a worker is accepted and not programmed", () => {
    const made = gatewayStatus([http]);
    expect(short(made.conditions)).toEqual(["Accepted True Accepted", "Programmed False NoResources"]);
    expect(short(made.listeners[0]?.conditions)).toContain("Programmed False Pending");
  });

  test("whose worker no grant lets it have is not programmed", () => {
    const annotated = gateway(
      "public",
      "listeners: [{name: http, port: 80, protocol: HTTP}]",
      ", annotations: {mesh.tulle.dev/worker: infra/edge}",
    );
    expect(short(gatewayStatus([service("edge", "{}", "infra"), annotated]).conditions)).toContain(
      "Programmed False Invalid",
    );
  });

  test("counts the routes that each listener accepts, whether or not their references resolve", () => {
    const two = listening(
      "[{name: a, port: 80, protocol: HTTP, hostname: a.example}, {name: b, port: 80, protocol: HTTP, hostname: b.example}]",
    );
    const host = (name: string, hosts: string) =>
      entry(name, `hostnames: [${hosts}], parentRefs: [{name: public}], ${to("{name: gone, port: 80}")}`);
    const texts = [
      ...shop,
      two,
      host("r1", "a.example"),
      host("r2", '"*.example"'),
      host("r3", "c.example"),
      entry("r4", `parentRefs: [{name: public, sectionName: b}], ${to("{name: web, port: 80}")}`),
    ];
    expect(gatewayStatus(texts).listeners.map(({ attachedRoutes }) => attachedRoutes)).toEqual([2, 2]);
  });

  test.each([
    ["no kind that can be served", "[{kind: InvalidRoute}]", [], "Programmed False Invalid"],
    [
      "one that can and one that cannot",
      "[{kind: InvalidRoute}, {kind: HTTPRoute}]",
      [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute" }],
      "Programmed True Programmed",
    ],
    ["HTTPRoute of another group", "[{group: x.example, kind: HTTPRoute}]", [], "Programmed False Invalid"],
  ])("whose listener names %s says so there", (_name, kinds, supportedKinds, programmed) => {
    const one = listener([
      ...shop,
      listening(`[{name: a, port: 80, protocol: HTTP, allowedRoutes: {kinds: ${kinds}}}]`),
      atGateway(to("{name: web, port: 80}")),
    ]);
    expect(one?.supportedKinds).toEqual(supportedKinds);
    expect(one?.attachedRoutes).toBe(supportedKinds.length);
    expect(short(one?.conditions)).toEqual([
      "Accepted True Accepted",
      programmed,
      "ResolvedRefs False InvalidRouteKinds",
      "Conflicted False NoConflicts",
    ]);
  });

  test("that is younger gives way at a port and hostname that another has, and says to whom", () => {
    const older = gateway(
      "zebra",
      "listeners: [{name: http, port: 80, protocol: HTTP}]",
      ", creationTimestamp: 2020-01-01T00:00:00Z",
    );
    const texts = [...shop, http, older];
    expect(short(gatewayStatus(texts).conditions)).toEqual([
      "Accepted False ListenersNotValid",
      "Programmed False Invalid",
    ]);
    const lost = listener(texts);
    expect(short(lost?.conditions)).toEqual([
      "Accepted True Accepted",
      "Programmed False Invalid",
      "ResolvedRefs True ResolvedRefs",
      "Conflicted True HostnameConflict",
    ]);
    expect(lost?.conditions[3]?.message).toContain("Gateway/default/zebra, listener http");
    expect(short(listener(texts, 0, "default/zebra")?.conditions)).toEqual(ready);
  });

  test("with a worker of its own name collides with no other", () => {
    const second = gateway("second", "listeners: [{name: http, port: 80, protocol: HTTP}]");
    expect(
      short(listener([...shop, service("second"), http, second], 0, "default/second")?.conditions),
    ).toEqual(ready);
  });

  test("that speaks two protocols on one port speaks the first, and stays accepted", () => {
    const texts = [
      ...shop,
      listening(
        "[{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTPS, hostname: b.example}, {name: c, port: 80, protocol: HTTP, hostname: c.example}]",
      ),
    ];
    expect(short(gatewayStatus(texts).conditions)).toEqual([
      "Accepted True ListenersNotValid",
      "Programmed True Programmed",
    ]);
    expect(short(listener(texts, 1)?.conditions)).toContain("Conflicted True ProtocolConflict");
    expect(short(listener(texts, 2)?.conditions)).toEqual(ready);
  });
});

test("kinds that refer to nothing by Gateway API have no status", () => {
  const all = documents(...shop);
  const of = statuses(catalogOf(all));
  expect(all.map((document) => of(document, observed))).toEqual([undefined, undefined, undefined]);
});
