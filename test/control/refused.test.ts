import { evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { Snapshot } from "@tulle/mesh-runtime/policy/snapshot.ts";
import { decodeJwt } from "jose";
import { beforeEach, describe, expect, test } from "vitest";
import type {
  ChangeAnswer,
  CheckAnswer,
  ExplainAnswer,
  IdentitiesAnswer,
  RoutesAnswer,
  StatusAnswer,
  StoredDocument,
  SyncAnswer,
} from "../../control/api/contract.ts";
import { meshOf } from "../unit/journeys/small-mesh.ts";
import {
  api,
  apply,
  joined,
  joinRequest,
  permission,
  service,
  store,
  storeObject,
  workload,
} from "./support.ts";

beforeEach(() => reset());

const rules = (...paths: readonly [path: string, more: string][]): string =>
  paths
    .map(
      ([path, more]) => `{matches: [{path: {value: ${path}}}], backendRefs: [{name: web, port: 80}]${more}}`,
    )
    .join(", ");
const route = (...paths: readonly [path: string, more: string][]): string =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r}, spec: {parentRefs: [{kind: Service, group: "", name: shop}], rules: [${rules(...paths)}]}}`;
const strange = ", filters: [{type: ExtensionRef, extensionRef: {group: a.example, kind: Auth, name: a}}]";
const shop = service("shop", "  virtual: true\n");
const denial = (spec: string): string =>
  `{apiVersion: mesh.tulle.dev/v1, kind: AuthorizationPolicy, metadata: {name: d}, spec: {targetRefs: [{kind: Service, name: web}], ${spec}}}`;

/** Puts a text into the store that this version would not take, as an older or newer one has left it there. */
async function leftBehind(name: string, text: string): Promise<void> {
  await runInDurableObject(storeObject(), (_object, { storage }) => {
    const { rowsWritten } = storage.sql.exec("UPDATE documents SET text = ? WHERE name = ?", text, name);
    expect(rowsWritten).toBeGreaterThan(0);
  });
  await evictDurableObject(storeObject());
}

const call = async (path: string) =>
  (
    await api<ExplainAnswer>("POST", "/api/explain", {
      from: "other",
      method: "GET",
      url: `http://shop${path}`,
      headers: [],
    })
  ).body;
/** The journeys of workloads, by the snapshots that control gives them. */
async function running(...workloads: readonly string[]) {
  const snapshots = new Map<string, Snapshot>();
  for (const workload of workloads)
    snapshots.set(workload, JSON.parse((await store().snapshot(workload))?.text ?? "{}"));
  return meshOf(snapshots);
}
const stored = async (kind: string, name: string) =>
  (await api<StoredDocument>("GET", `/api/policies/${kind}/default/${name}`)).body;
const checks = async () => (await api<CheckAnswer>("GET", "/api/check")).body.checks;
/** What KV says that a service shall run. */
const publishedEpoch = async (name: string): Promise<number> => {
  const [, claims = ""] = ((await env.POLICIES.get(`heads/default/${name}`)) ?? "").split(".");
  return JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))).epoch;
};

describe("a route in force of which this version refuses a rule", () => {
  beforeEach(async () => {
    const texts = [shop, service("web"), service("other"), permission("web", "other")];
    const { status, body } = await apply(...texts, route(["/", ""], ["/admin", ""]));
    expect(status, JSON.stringify(body.issues)).toBe(200);
    await leftBehind("HTTPRoute/default/r", route(["/", ""], ["/admin", strange]));
  });

  test("stops nobody: another change comes into force, is published, and tells of it", async () => {
    const { status, body } = await apply(service("later"));
    expect([status, body.applied]).toEqual([200, true]);
    expect(body.issues).toContainEqual(
      expect.objectContaining({
        severity: "warning",
        document: "HTTPRoute/default/r",
        path: "spec.rules[1].filters[0].type",
        message: expect.stringContaining(
          "HTTPRoute/default/r is in force, and this version of Tulle refuses it",
        ),
      }),
    );
    expect(await publishedEpoch("web")).toBe(2);
    expect(await publishedEpoch("later")).toBe(2);
  });

  test("answers what the rule matches with 500, and serves the others", async () => {
    await apply(service("later"));
    const mesh = await running("default/other");
    expect(await mesh.call("http://shop/cart", { from: "default/other" })).toEqual({
      status: 200,
      to: "WEB",
    });
    expect(await mesh.call("http://shop/admin/x", { from: "default/other" })).toEqual({
      status: 500,
      problem: "no-backend",
    });
    expect(await call("/cart")).toMatchObject({ rule: "HTTPRoute/default/r/0", served: 1 });
    expect(await call("/admin/x")).toMatchObject({
      rule: "HTTPRoute/default/r/1",
      served: 0,
      endings: [{ fate: { kind: "refused", status: 500, problem: "no-backend" } }],
    });
    const { body } = await api<RoutesAnswer>("GET", "/api/routes?service=shop");
    expect(body.views[0]?.rules[0]).toMatchObject({
      rule: "HTTPRoute/default/r/1",
      backends: [{ unusable: "the rule is refused (UnsupportedValue)" }],
    });
  });

  test("says so in its status, in the check, in the status of the mesh and in a metric", async () => {
    const { status, refused } = await stored("HTTPRoute", "r");
    expect(status).toMatchObject({
      parents: [
        {
          conditions: [
            { type: "Accepted", status: "True" },
            { type: "ResolvedRefs", status: "True" },
            {
              type: "PartiallyInvalid",
              status: "True",
              reason: "UnsupportedValue",
              message: expect.stringMatching(/^Dropped Rule 1\. /),
              observedGeneration: 1,
            },
          ],
        },
      ],
    });
    const meanwhile = "What rule 1 would take is answered with 500; the others hold.";
    expect(refused).toMatchObject({ meanwhile, issues: [{ path: "spec.rules[1].filters[0].type" }] });
    expect(await checks()).toContainEqual({
      name: "HTTPRoute/default/r",
      result: "failed",
      detail: expect.stringMatching(/^This version of Tulle refuses it, line 1: .*ExtensionRef/),
      remedy: expect.stringContaining(meanwhile),
    });
    const { body } = await api<StatusAnswer>("GET", "/api/status");
    expect(body.refused).toMatchObject([{ document: "HTTPRoute/default/r", meanwhile }]);
    expect((await api<string>("GET", "/metrics")).body).toContain("\ntulle_documents_refused 1\n");
  });

  test("is as it was once it is mended, or gone", async () => {
    expect((await apply(route(["/", ""], ["/admin", ""]))).body.applied).toBe(true);
    expect(await stored("HTTPRoute", "r")).not.toHaveProperty("refused");
    expect(await call("/admin")).toMatchObject({ served: 1 });
    expect(await checks()).toContainEqual(expect.objectContaining({ name: "documents", result: "ok" }));
    expect((await api<string>("GET", "/metrics")).body).toContain("\ntulle_documents_refused 0\n");
    await leftBehind("HTTPRoute/default/r", route(["/", strange]));
    expect((await api("DELETE", "/api/policies/HTTPRoute/default/r")).status).toBe(200);
    expect((await api<StatusAnswer>("GET", "/api/status")).body).not.toHaveProperty("refused");
  });

  test("is refused when it is applied as it stands there, and nothing changes", async () => {
    const { status, body } = await apply(route(["/", ""], ["/admin", strange]));
    expect([status, body.applied, body.revision]).toEqual([422, false, 1]);
  });

  test("is not brought back by an undo", async () => {
    await apply(route(["/", ""]));
    await runInDurableObject(storeObject(), (_object, { storage }) => {
      storage.sql.exec(
        "UPDATE changes SET text = ? WHERE revision = 1 AND name = 'HTTPRoute/default/r'",
        route(["/", strange]),
      );
    });
    const { status, body } = await api<ChangeAnswer>("POST", "/api/policies/undo", {});
    expect([status, body.applied]).toEqual([422, false]);
  });

  test("does not keep KV from being adopted, and what KV brings is refused as before", async () => {
    await env.POLICIES.put("policies/Service/default/later", service("later"));
    await env.POLICIES.put("policies/HTTPRoute/default/r", `${route(["/", strange])}# by hand\n`);
    const { body } = await api<SyncAnswer>("POST", "/api/sync", {});
    expect(body.adopted).toMatchObject([{ kind: "Service", name: "later" }]);
    expect(body.invalid).toMatchObject([{ key: "policies/HTTPRoute/default/r" }]);
    expect(await publishedEpoch("later")).toBe(2);
  });
});

describe("what decides about access and is in force, and is refused by this version", () => {
  const access = async () =>
    (await store().view(-1)).services?.find((one) => one.service === "default/web")?.access;

  test("denies what it is for from the next change on, and stops no change", async () => {
    await apply(
      service("web"),
      service("other"),
      permission("web", "other"),
      denial("action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]"),
    );
    await leftBehind(
      "AuthorizationPolicy/default/d",
      denial("action: DENY, rules: [{to: [{operation: {ports: [80]}}]}]"),
    );
    expect((await apply(service("later"))).body.applied).toBe(true);
    expect((await access())?.rules).toContainEqual({
      name: "AuthorizationPolicy/default/d/0",
      action: "DENY",
    });
    expect(await checks()).toContainEqual(
      expect.objectContaining({
        name: "AuthorizationPolicy/default/d",
        result: "failed",
        remedy: expect.stringContaining("Every call of default/web is denied."),
      }),
    );
  });

  test("denies also where its text is not even YAML, and an emergency's policy still comes into force", async () => {
    await apply(service("web"), service("other"), permission("web", "other"));
    await leftBehind("AuthorizationPolicy/default/web", "{ no: yaml");
    expect((await apply(denial("action: DENY, rules: [{}]"))).body.applied).toBe(true);
    expect((await access())?.rules.map(({ name }) => name)).toEqual([
      "AuthorizationPolicy/default/d/0",
      "AuthorizationPolicy/default/web/0",
    ]);
  });
});

describe("a Gateway in force of which this version refuses a listener", () => {
  const gateway = (listeners: string): string =>
    `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: public}, spec: {gatewayClassName: tulle, listeners: [${listeners}]}}`;
  const http = "{name: http, protocol: HTTP, port: 80}";

  test("serves the others, and says which it does not", async () => {
    await apply(service("gateway"), gateway(http));
    await leftBehind(
      "Gateway/default/public",
      gateway(`{name: raw, protocol: TLS, port: 443, tls: {mode: Passthrough}}, ${http}`),
    );
    expect((await apply(service("later"))).body.applied).toBe(true);
    const { listeners } = JSON.parse((await store().snapshot("default/gateway"))?.text ?? "{}");
    expect(listeners.map(({ name }: { name: string }) => name)).toEqual(["default/public/http"]);
    expect((await stored("Gateway", "public")).status).toMatchObject({
      conditions: [
        { type: "Accepted", status: "True", reason: "ListenersNotValid" },
        { type: "Programmed", status: "True" },
      ],
      listeners: [
        {
          name: "raw",
          conditions: [{ type: "Accepted", status: "False", reason: "UnsupportedProtocol" }, {}, {}, {}],
        },
        { name: "http", conditions: [{ type: "Accepted", status: "True" }, {}, {}, {}] },
      ],
    });
  });
});

describe("a Service in force whose identity this version cannot read", () => {
  const frontend = "spiffe://mesh.local/ns/default/sa/frontend";
  const join = async () => workload({ service: "web" }).join(await joinRequest());
  const left = async (text: string): Promise<string | undefined> => {
    await apply(service("web", `  identity: ${frontend}\n`), service("other"), permission("web", "other"));
    await leftBehind("Service/default/web", text);
    expect((await apply(service("later"))).body.applied).toBe(true);
    const answer = await join();
    return answer.ok ? String(decodeJwt(answer.wit).sub) : answer.reason;
  };

  test.each([
    ["identity", service("web", "  identity: spiffe://mesh.local/frontend\n")],
    ["identity, of another kind", service("web", "  identity: { name: frontend }\n")],
    ["trust domain", service("web", "  trustDomain: { name: other }\n")],
    ["spec", service("web", "  - identity\n")],
    ["text, which is no YAML", "{ no: yaml"],
  ])("gives nobody the one that it would have by default: its %s is refused", async (_, text) => {
    expect(await left(text)).toBe("not-ready");
    expect(await join()).toMatchObject({ remedy: expect.stringContaining("tulle check") });
    for (const path of ["/api/identity/tokens", "/api/identity/entries"])
      expect((await api("POST", path, { service: "web", attestor: "binding" })).status).toBe(400);
    const { body } = await api<IdentitiesAnswer>("GET", "/api/identity");
    expect(body.identities.filter(({ issued }) => issued > 0)).toEqual([]);
    expect(await checks()).toContainEqual(
      expect.objectContaining({
        name: "Service/default/web",
        remedy: expect.stringContaining("nobody is given its identity"),
      }),
    );
  });

  test("goes on having it where something else of it cannot be read, and its default where it had that", async () => {
    expect(await left(service("web", `  identity: ${frontend}\n  color: green\n`))).toBe(frontend);
    await leftBehind("Service/default/other", service("other", "  color: green\n"));
    await apply(service("later", "  evidence: signature\n"));
    const other = joined(await workload({ service: "other" }).join(await joinRequest()));
    expect(decodeJwt(other.wit).sub).toBe("spiffe://mesh.local/ns/default/sa/other");
  });
});

describe("a Service in force of which this version refuses a port", () => {
  test("is no backend at that port, and the route says why", async () => {
    const ported = (more: string) => service("web", `  ports: [{ name: a, port: 80${more} }]\n`);
    await apply(shop, ported(""), service("other"), permission("web", "other"), route(["/", ""]));
    await leftBehind("Service/default/web", ported(", appProtocol: kubernetes.io/h2c"));
    expect((await apply(service("later"))).body.applied).toBe(true);
    expect(await call("/")).toMatchObject({ served: 0, endings: [{ fate: { status: 500 } }] });
    expect((await stored("HTTPRoute", "r")).status).toMatchObject({
      parents: [
        {
          conditions: [
            { type: "Accepted", status: "True" },
            { status: "False", reason: "UnsupportedProtocol" },
          ],
        },
      ],
    });
  });
});
