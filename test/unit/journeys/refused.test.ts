import { describe, expect, test } from "vitest";
import { allowAll, entry, gateway, policy, route, service } from "../policy/writing.ts";
import { smallMesh } from "./small-mesh.ts";

/*
 * What a request comes to where a document is in force that this version of Tulle refuses: an older one took it, or a
 * newer one wrote it. Nothing that it kept out is let in, and the rest of the mesh goes on.
 */

const base = [allowAll(), service("web"), service("payments"), service("admin"), service("gateway")] as const;
const http = gateway("public", "listeners: [{name: http, port: 80, protocol: HTTP}]");
const to = (name: string) => `backendRefs: [{name: ${name}, port: 80}]`;
const at = (path: string) => `matches: [{path: {type: PathPrefix, value: ${path}}}]`;
/** A filter of another implementation, as older documents may have it. */
const strange = "filters: [{type: ExtensionRef, extensionRef: {group: a.example, kind: Auth, name: a}}]";
const both =
  "filters: [{type: RequestRedirect, requestRedirect: {hostname: a.example}}, {type: URLRewrite, urlRewrite: {hostname: b.example}}]";

const noBackend = { status: 500, problem: "no-backend" };
const noRoute = { status: 404, problem: "no-route" };
const unreachable = { status: 503, problem: "unreachable" };
const answered = (binding: string) => ({ status: 200, to: binding });

describe("a route of which a rule is refused", () => {
  const rules = `[{${at("/")}, ${to("web")}}, {${at("/admin")}, ${strange}, ${to("admin")}}]`;
  const atGateway = entry("r", `parentRefs: [{name: public}], rules: ${rules}`);
  const inside = route("r", "name: payments", rules);

  test("answers what that rule matches with 500, and does not let a wider rule have it", async () => {
    const mesh = smallMesh([...base, http], [], [atGateway]);
    expect(await mesh.enter("http://shop.example/")).toEqual(answered("WEB"));
    expect(await mesh.enter("http://shop.example/admin/users")).toEqual(noBackend);
  });

  test("does the same inside the mesh", async () => {
    const mesh = smallMesh([...base], [], [inside]);
    expect(await mesh.call("http://payments/")).toEqual(answered("WEB"));
    expect(await mesh.call("http://payments/admin")).toEqual(noBackend);
  });

  test("does not let the rules of another route have it either", async () => {
    const other = entry("z", `parentRefs: [{name: public}], rules: [{${at("/admin")}, ${to("payments")}}]`);
    const mesh = smallMesh([...base, http, other], [], [atGateway]);
    expect(await mesh.enter("http://shop.example/admin")).toEqual(noBackend);
  });

  test("goes without what matches cannot be read, and leaves the other matches closed", async () => {
    const unread = `{matches: [{path: {type: Glob, value: /x}}, {path: {value: /y}}], ${to("admin")}}`;
    const text = entry("r", `parentRefs: [{name: public}], rules: [{${at("/")}, ${to("web")}}, ${unread}]`);
    const mesh = smallMesh([...base, http], [], [text]);
    expect(await mesh.enter("http://shop.example/x")).toEqual(answered("WEB"));
    expect(await mesh.enter("http://shop.example/y")).toEqual(noBackend);
  });

  test("of which nothing can be read takes no request, least of all every one", async () => {
    const unread = `{matches: [{path: {type: Glob, value: /x}}], ${to("admin")}}`;
    const text = entry("r", `parentRefs: [{name: public}], rules: [${unread}, {${at("/a")}, ${to("web")}}]`);
    const mesh = smallMesh([...base, http], [], [text]);
    expect(await mesh.enter("http://shop.example/x")).toEqual(noRoute);
    expect(await mesh.enter("http://shop.example/a")).toEqual(answered("WEB"));
    expect(mesh.snapshot("default/gateway")?.listeners[0]?.hosts[0]?.rules.map(({ name }) => name)).toEqual([
      "HTTPRoute/default/r/1",
    ]);
  });

  test("keeps the names of its rules by their place", async () => {
    const mesh = smallMesh([...base, http], [], [atGateway]);
    expect(mesh.snapshot("default/gateway")?.listeners[0]?.hosts[0]?.rules.map(({ name }) => name)).toEqual([
      "HTTPRoute/default/r/0",
      "HTTPRoute/default/r/1",
    ]);
  });
});

describe("a route that is refused as a whole", () => {
  test.each([
    ["all of its rules are", `rules: [{${at("/admin")}, ${both}}]`],
    ["something outside its rules is", `useDefaultGateways: All, rules: [{${at("/admin")}, ${to("admin")}}]`],
  ])("because %s answers what its matches take with 500", async (_why, spec) => {
    const other = entry("z", `parentRefs: [{name: public}], rules: [{${at("/")}, ${to("web")}}]`);
    const mesh = smallMesh([...base, http, other], [], [entry("r", `parentRefs: [{name: public}], ${spec}`)]);
    expect(await mesh.enter("http://shop.example/admin")).toEqual(noBackend);
    expect(await mesh.enter("http://shop.example/")).toEqual(answered("WEB"));
  });

  test("does not give a Service its own backend back, which the route had replaced", async () => {
    const text = route("r", "name: payments", "[{matches: [{path: {type: Glob, value: /x}}], timeouts: 5}]");
    const mesh = smallMesh([...base], [], [text]);
    expect(await mesh.call("http://payments/")).toEqual(noBackend);
  });

  test("keeps to hosts that can be read, and takes those of nobody else", async () => {
    const some = entry("r", `parentRefs: [{name: public}], hostnames: [a.example, "*"], rules: [{}]`);
    const none = entry("q", `parentRefs: [{name: public}], hostnames: ["*"], rules: [{}]`);
    const other = entry("z", `parentRefs: [{name: public}], rules: [{${to("web")}}]`);
    const mesh = smallMesh([...base, http, other], [], [some, none]);
    expect(await mesh.enter("http://a.example/")).toEqual(noBackend);
    expect(await mesh.enter("http://b.example/")).toEqual(answered("WEB"));
  });

  test("of which nothing but its name is known is attached to nothing", async () => {
    const other = entry("z", `parentRefs: [{name: public}], rules: [{${to("web")}}]`);
    const mesh = smallMesh([...base, http, other], [], ["# HTTPRoute/default/r\n{ no: yaml"]);
    expect(await mesh.enter("http://a.example/")).toEqual(answered("WEB"));
  });
});

describe("a Gateway of which a listener is refused", () => {
  const all = `parentRefs: [{name: public}], rules: [{${to("web")}}]`;

  test("because of its protocol serves the others", async () => {
    const text = gateway(
      "public",
      "listeners: [{name: raw, port: 9000, protocol: TCP}, {name: http, port: 80, protocol: HTTP}]",
    );
    const mesh = smallMesh([...base, entry("r", all)], [], [text]);
    expect(await mesh.enter("http://shop.example/")).toEqual(answered("WEB"));
    expect(mesh.snapshot("default/gateway")?.listeners.map(({ name }) => name)).toEqual([
      "default/public/http",
    ]);
  });

  test("because of anything else keeps its host, and answers there with 404 rather than with a wider one's routes", async () => {
    const text = gateway(
      "public",
      "listeners: [{name: http, port: 80, protocol: HTTP}, {name: admin, hostname: admin.example, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Friends}}}]",
    );
    const mesh = smallMesh([...base, entry("r", all)], [], [text]);
    expect(await mesh.enter("http://shop.example/")).toEqual(answered("WEB"));
    expect(await mesh.enter("http://admin.example/")).toEqual(noRoute);
  });

  test("and that is refused as a whole takes no routes at any of them", async () => {
    const text = gateway(
      "public",
      "addresses: [{value: 1.2.3.4}], listeners: [{name: http, port: 80, protocol: HTTP}]",
    );
    const mesh = smallMesh([...base, entry("r", all)], [], [text]);
    expect(await mesh.enter("http://shop.example/")).toEqual(noRoute);
  });
});

describe("a Service that is refused", () => {
  test("because a port speaks what a worker cannot is no backend at that port, and one at the others", async () => {
    const text = service(
      "grpc",
      "{ports: [{port: 80}, {port: 81, appProtocol: kubernetes.io/h2c}, {port: 82, appProtocol: kubernetes.io/ws}]}",
    );
    const rule = (port: number) =>
      `{${at(`/${port}`)}, backendRefs: [{name: grpc, port: ${port}, weight: 1}, {name: web, port: 80, weight: 1}]}`;
    const mesh = smallMesh(
      [
        ...base,
        http,
        entry("r", `parentRefs: [{name: public}], rules: [${[80, 81, 82].map(rule).join(", ")}]`),
      ],
      [],
      [text],
    );
    expect(await mesh.enter("http://shop.example/80", { point: 0 })).toEqual(answered("GRPC"));
    expect(await mesh.enter("http://shop.example/81", { point: 0 })).toEqual(noBackend);
    expect(await mesh.enter("http://shop.example/81", { point: 0.9 })).toEqual(answered("WEB"));
    expect(await mesh.enter("http://shop.example/82", { point: 0 })).toEqual(answered("GRPC"));
  });

  test("in a member that decides about access has its strictest value, in a harmless one its default", async () => {
    const mesh = smallMesh(
      [...base],
      [],
      [service("old", "{mode: LENIENT, evidence: hearsay, largeBody: eat, timeout: soon}")],
    );
    expect(await mesh.call("http://old/")).toEqual(answered("OLD"));
    expect(mesh.snapshot("default/old")?.inbound).toMatchObject({
      mode: "STRICT",
      evidence: "signature",
      largeBody: "reject",
      timeoutMs: mesh.snapshot("default/web")?.inbound.timeoutMs,
    });
  });

  test.each([
    ["in where it is", service("old", "{mode: PERMISSIVE, endpoint: {tunnel: a}}")],
    ["in a member that nobody knows", service("old", "{mode: PERMISSIVE, allow: all}")],
    ["as a whole", "# Service/default/old\n{ no: yaml"],
  ])("%s is reached by nobody and lets nobody in, also from outside", async (_what, text) => {
    const outside = gateway("old", "listeners: [{name: http, port: 80, protocol: HTTP}]");
    const mesh = smallMesh(
      [...base, outside, entry("r", `parentRefs: [{name: old}], rules: [{${to("web")}}]`)],
      [],
      [text],
    );
    expect(await mesh.call("http://old/")).toEqual(unreachable);
    const { inbound } = mesh.snapshot("default/old") ?? {};
    expect(inbound).toMatchObject({ mode: "STRICT", evidence: "signature" });
    expect(inbound?.authorization).toEqual([{ name: "Service/default/old (refused)", action: "DENY" }]);
    expect(await mesh.enter("http://shop.example/", { from: "default/old" })).toMatchObject({ status: 403 });
  });
});

describe("what decides about access and is refused", () => {
  const rules = (mesh: ReturnType<typeof smallMesh>, of: string) =>
    mesh.snapshot(of)?.inbound.authorization.map(({ name, action, from }) => [action, name, from]);
  const targets = "targetRefs: [{kind: Service, name: payments}]";
  const wrong = "rules: [{from: [{source: {serviceAccounts: [a]}}]}]";

  test("allows nobody where it allowed somebody, and leaves what others allow", async () => {
    const mesh = smallMesh([...base], [], [policy("AuthorizationPolicy", "p", `{${targets}, ${wrong}}`)]);
    expect(rules(mesh, "default/payments")).toEqual([
      ["ALLOW", "AuthorizationPolicy/default/all/0", undefined],
      ["ALLOW", "AuthorizationPolicy/default/p", []],
    ]);
    expect(rules(mesh, "default/web")).toEqual([["ALLOW", "AuthorizationPolicy/default/all/0", undefined]]);
  });

  test.each([
    [
      "denies everything where it denied something",
      `{${targets}, action: DENY, ${wrong}}`,
      "default/payments",
    ],
    ["denies everything where nobody knows what it does", `{${targets}, action: CUSTOM}`, "default/payments"],
    ["does so in its namespace where it says so", `{action: DENY, ${wrong}}`, "default/web"],
    [
      "does so at every Service where its targets cannot be read",
      `{targetRefs: 5, action: DENY}`,
      "default/gateway",
    ],
    [
      "does so at every Service where something else than Services is among its targets",
      `{targetRefs: [{kind: Service, name: payments}, {group: gateway.networking.k8s.io, kind: Gateway, name: web}], action: DENY}`,
      "default/gateway",
    ],
    [
      "does so at every Service where its target is another group's",
      `{targetRefs: [{group: a.example, kind: Service, name: web}], action: DENY}`,
      "default/payments",
    ],
  ])("%s", async (_what, spec, of) => {
    const mesh = smallMesh([...base, http], [], [policy("AuthorizationPolicy", "p", spec)]);
    expect(rules(mesh, of)).toContainEqual(["DENY", "AuthorizationPolicy/default/p/0", undefined]);
  });

  test("does so from outside as well where its targets cannot be read", async () => {
    const open = entry("r", `parentRefs: [{name: public}], rules: [{${to("web")}}]`);
    const mesh = smallMesh([...base, http, open], [], ["# AuthorizationPolicy/default/p\n{ no: yaml"]);
    expect(await mesh.enter("http://shop.example/")).toMatchObject({ status: 403, problem: "denied" });
  });

  test.each([
    "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: public}]",
    "selector: {matchLabels: {app: gateway}}",
    "targetRef: {group: gateway.networking.k8s.io, kind: Gateway, name: public}",
  ])("does so from outside where it could be for a Gateway: %s", async (what) => {
    const open = entry("r", `parentRefs: [{name: public}], rules: [{${to("web")}}]`);
    const deny = policy("AuthorizationPolicy", "p", `{${what}, action: DENY, rules: [{}]}`);
    const mesh = smallMesh([...base, http, open], [], [deny]);
    expect(await mesh.enter("http://shop.example/")).toMatchObject({ status: 403, problem: "denied" });
  });

  test("decides nothing where it decided nothing: on a dry run, or to audit", async () => {
    const dry = policy("AuthorizationPolicy", "d", `{${targets}, action: DENY, ${wrong}}`).replace(
      "{name: d,",
      '{name: d, annotations: {mesh.tulle.dev/dry-run: "true"},',
    );
    const audit = policy("AuthorizationPolicy", "a", `{${targets}, action: AUDIT, ${wrong}}`);
    const mesh = smallMesh([...base], [], [dry, audit]);
    expect(rules(mesh, "default/payments")).toHaveLength(1);
  });

  test("of a kind that this version does not know denies what it names", async () => {
    const mesh = smallMesh([...base], [], [policy("Quarantine", "q", `{${targets}}`)]);
    expect(rules(mesh, "default/payments")).toContainEqual([
      "DENY",
      "AuthorizationPolicy/default/q.quarantine.refused/0",
      undefined,
    ]);
    expect(rules(mesh, "default/web")).toHaveLength(1);
  });

  test("of which tokens of end users are good lets nobody in where it holds, also from outside", async () => {
    const open = entry("r", `parentRefs: [{name: public}], rules: [{${to("web")}}]`);
    const tokens = policy("RequestAuthentication", "jwt", "{jwtRules: [{issuer: a.example, jwks: 5}]}");
    const mesh = smallMesh([...base, http, open], [], [tokens]);
    expect(await mesh.enter("http://shop.example/")).toMatchObject({ status: 403, problem: "denied" });
    expect(rules(mesh, "default/payments")).toContainEqual([
      "DENY",
      "AuthorizationPolicy/default/jwt.requestauthentication.refused/0",
      undefined,
    ]);
  });

  test("grants nothing, as a ReferenceGrant", async () => {
    const api = service("api", "{}", "other");
    const grant = `{apiVersion: gateway.networking.k8s.io/v1, kind: ReferenceGrant, metadata: {name: g, namespace: other}, spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}], to: [{group: "", kind: Service, port: 80}]}}`;
    const text = entry(
      "r",
      "parentRefs: [{name: public}], rules: [{backendRefs: [{name: api, namespace: other, port: 80}]}]",
    );
    const mesh = smallMesh([...base, http, api, text], [], [grant]);
    expect(await mesh.enter("http://shop.example/")).toEqual(noBackend);
  });

  test("is selected by nobody, as a Namespace, whatever labels are asked not to be there", async () => {
    const selecting = gateway(
      "public",
      "listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchExpressions: [{key: banned, operator: DoesNotExist}]}}}}]",
    );
    const text = entry(
      "r",
      "parentRefs: [{name: public, namespace: default}], rules: [{backendRefs: [{name: api, port: 80}]}]",
      "other",
    );
    const texts = [...base, selecting, service("api", "{}", "other"), text];
    const namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: other, labels: {banned: 1}}}";
    expect(await smallMesh(texts).enter("http://shop.example/")).toEqual(answered("API"));
    expect(await smallMesh(texts, [], [namespace]).enter("http://shop.example/")).toEqual(noRoute);
  });
});
