import { evictDurableObject, reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import type {
  ChangeAnswer,
  ExplainAnswer,
  RoutesAnswer,
  StoredDocument,
  SyncAnswer,
} from "../../control/api/contract.ts";
import { api, apply, service, store, storeObject } from "./support.ts";

beforeEach(() => reset());

/** A route of everything that callers send to `web`. */
const route = (name: string, backend: string, created = ""): string =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: ${name}${created === "" ? "" : `, creationTimestamp: "${created}"`}}, spec: {parentRefs: [{kind: Service, group: "", name: web}], rules: [{backendRefs: [{name: ${backend}, port: 80}]}]}}`;

/** What says first, of routes with one match, whose it is. */
async function decides(): Promise<string | undefined> {
  const { body } = await api<RoutesAnswer>("GET", "/api/routes?service=web");
  return body.views[0]?.rules[0]?.rule;
}
const stored = async (name: string): Promise<StoredDocument> =>
  (await api<StoredDocument>("GET", `/api/policies/HTTPRoute/default/${name}`)).body;
const created = async (name: string): Promise<string | undefined> => (await stored(name)).creationTimestamp;
const remove = (name: string) => api("DELETE", `/api/policies/HTTPRoute/default/${name}`);
const undo = () => api<ChangeAnswer>("POST", "/api/policies/undo", {});
const ofB = "HTTPRoute/default/b/0";
const ofA = "HTTPRoute/default/a/0";

/** Route `b` stands first, and `a`, which is first by name, comes after it. */
async function bThenA(): Promise<void> {
  await apply(service("web"), service("one"), service("two"));
  await apply(route("b", "two"));
  const { status, body } = await apply(route("a", "one"));
  expect(status, JSON.stringify(body.issues)).toBe(200);
}

describe("of two routes with one match", () => {
  test("the one that was here first decides, not the first by name, and everybody says so", async () => {
    await bThenA();
    expect(await decides()).toBe(ofB);
    const explained = await api<ExplainAnswer>("POST", "/api/explain", {
      from: "web",
      method: "GET",
      url: "http://web/",
      headers: [],
    });
    expect(explained.body.rule).toBe(ofB);
    expect(explained.body.candidates.find(({ rule }) => rule === ofA)?.fate).toMatchObject({
      kind: "lower precedence",
      text: expect.stringMatching(/^as specific, but its route is younger: created 2/),
    });
    const { body } = await api<RoutesAnswer>("GET", "/api/routes?service=web");
    expect(body.views[0]?.rules[1]?.behind).toMatchObject({
      rule: ofB,
      because: expect.stringMatching(/^its route is younger/),
    });
  });

  test("a newcomer is told at once that it never decides, also by a dry run, which makes it no older", async () => {
    await apply(service("web"), service("one"), service("two"), route("b", "two"));
    const { body } = await api<ChangeAnswer>("POST", "/api/policies", {
      sources: [{ source: "a.yaml", text: route("a", "one") }],
      dryRun: true,
    });
    expect(body.issues).toContainEqual(
      expect.objectContaining({
        source: "a.yaml",
        document: "HTTPRoute/default/a",
        message: expect.stringContaining(
          "HTTPRoute/default/b (HTTPRoute/default/b:1) has this match already and is older",
        ),
      }),
    );
    await apply(route("b2", "one"));
    await apply(route("a", "one"));
    expect(Date.parse((await created("a")) ?? "")).toBeGreaterThan(Date.parse((await created("b2")) ?? ""));
  });

  test("its edits make a document no younger, and an eviction changes nothing", async () => {
    await bThenA();
    const before = await created("b");
    await apply(route("b", "one"));
    await evictDurableObject(storeObject());
    expect(await created("b")).toBe(before);
    expect((await stored("b")).revision).toBe(4);
    expect(await decides()).toBe(ofB);
  });

  test("one that is deleted and created again is new", async () => {
    await bThenA();
    await remove("b");
    await apply(route("b", "two"));
    expect(await decides()).toBe(ofA);
  });

  test("an undo that brings it back brings back its age, as often as it is done", async () => {
    await bThenA();
    const before = await created("b");
    await remove("b");
    expect(await decides()).toBe(ofA);
    expect((await undo()).body).toMatchObject({ applied: true });
    expect([await decides(), await created("b")]).toEqual([ofB, before]);
    await undo();
    await undo();
    expect([await decides(), await created("b")]).toEqual([ofB, before]);
  });

  test("one that KV brings is as old as its adoption", async () => {
    await apply(service("web"), service("one"), service("two"), route("b", "two"));
    await env.POLICIES.put("policies/HTTPRoute/default/a", route("a", "one"));
    const { body } = await api<SyncAnswer>("POST", "/api/sync", {});
    expect(body.adopted).toMatchObject([{ kind: "HTTPRoute", name: "a", action: "created" }]);
    expect(await decides()).toBe(ofB);
    const before = await created("b");
    await env.POLICIES.put("policies/HTTPRoute/default/b", `${route("b", "one")}# by hand\n`);
    await api("POST", "/api/sync", {});
    expect([await created("b"), await decides()]).toEqual([before, ofB]);
  });
});

describe("a creationTimestamp in a document", () => {
  const old = "2020-01-01T00:00:00Z";

  test("is its age when it is new here, so that what is brought from a cluster keeps its order", async () => {
    await apply(service("web"), service("one"), service("two"), route("b", "two"), route("a", "one", old));
    expect(await created("a")).toBe("2020-01-01T00:00:00.000Z");
    await apply(route("c", "one", "2010-01-01T00:00:00Z"));
    expect(await decides()).toBe("HTTPRoute/default/c/0");
  });

  test("of the future is none", async () => {
    const { body } = await apply(service("web"), service("one"), route("b", "one", "2999-01-01T00:00:00Z"));
    expect(Date.parse((await created("b")) ?? "")).toBeLessThan(Date.parse("2999-01-01"));
    expect(body.issues).toContainEqual(
      expect.objectContaining({ severity: "warning", path: "metadata.creationTimestamp" }),
    );
  });

  test("written later changes nothing, and a warning says so", async () => {
    await bThenA();
    const { status, body } = await apply(route("a", "one", old));
    expect(status).toBe(200);
    expect(body.issues).toContainEqual(
      expect.objectContaining({
        severity: "warning",
        path: "metadata.creationTimestamp",
        message: expect.stringContaining("HTTPRoute/default/a has been here since"),
      }),
    );
    expect(await decides()).toBe(ofB);
  });

  test("copied from another document with everything else makes it no older than that one", async () => {
    await apply(service("web"), service("one"), service("two"), route("b", "two", old));
    await apply(route("a", "one", old));
    expect(await created("a")).toBe(await created("b"));
    expect(await decides()).toBe(ofB);
  });

  test("as it was answered is applied again without a word", async () => {
    await bThenA();
    const { body } = await apply(route("a", "one", (await created("a")) ?? ""));
    expect(body.applied).toBe(true);
    expect(body.issues.filter(({ path }) => path === "metadata.creationTimestamp")).toEqual([]);
  });
});

describe("other conflicts", () => {
  const gateway = (name: string): string =>
    `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: ${name}}, spec: {gatewayClassName: tulle, listeners: [{name: http, protocol: HTTP, port: 80}]}}`;
  const budget = (name: string, percent: number): string =>
    `{apiVersion: gateway.networking.x-k8s.io/v1alpha1, kind: XBackendTrafficPolicy, metadata: {name: ${name}}, spec: {targetRefs: [{group: "", kind: Service, name: web}], retryConstraint: {budget: {percent: ${percent}}}}}`;
  const traffic = (name: string): string =>
    `{apiVersion: mesh.tulle.dev/v1, kind: TrafficPolicy, metadata: {name: ${name}}, spec: {targetRefs: [{kind: Service, name: web}], timeout: 5s}}`;

  test("of listeners and of policies of a backend are decided by age alike, and their conditions say so", async () => {
    await apply(service("web"), service("gateway"), gateway("z"), budget("z", 40));
    await apply(gateway("a"), budget("a", 50));
    const { body } = await api<StoredDocument[]>("GET", "/api/policies");
    const status = (kind: string, name: string) =>
      JSON.stringify(body.find((one) => one.kind === kind && one.name === name)?.status);
    expect(status("Gateway", "a")).toContain("Gateway/default/z, listener http, which is older");
    expect(status("Gateway", "z")).not.toContain("HostnameConflict");
    expect(status("XBackendTrafficPolicy", "a")).toContain("XBackendTrafficPolicy/default/z is older");
    const loaded = JSON.parse((await store().snapshot("default/web"))?.text ?? "{}");
    expect(loaded.destinations["default/web"].traffic.retryConstraint.percent).toBe(40);
    expect(loaded.listeners).toEqual([]);
  });

  test("that refuse are the newcomer's fault: what KV brings is refused for it, and nothing else with it", async () => {
    await apply(service("web"), traffic("z"));
    await env.POLICIES.put("policies/TrafficPolicy/default/a", traffic("a"));
    await env.POLICIES.put("policies/Service/default/other", service("other"));
    const { body } = await api<SyncAnswer>("POST", "/api/sync", {});
    expect(body.adopted).toMatchObject([{ kind: "Service", name: "other" }]);
    expect(body.invalid).toMatchObject([{ key: "policies/TrafficPolicy/default/a" }]);
  });
});

describe("a store of a version that kept no ages", () => {
  test("gets them from its history: the first revision of what is there now, or what a document said itself", async () => {
    await bThenA();
    await remove("b");
    await apply(route("b", "two"), route("c", "one"));
    await apply(route("c", "two", "2015-05-05T05:05:05Z"));
    const history = (await api<{ revision: number; at: string }[]>("GET", "/api/policies/history")).body;
    const made = (revision: number) => history.find((one) => one.revision === revision)?.at;
    await runInDurableObject(storeObject(), async (_object, state) => {
      state.storage.sql.exec("DROP TABLE ages");
      state.storage.sql.exec("DELETE FROM migrations WHERE version = (SELECT MAX(version) FROM migrations)");
    });
    await evictDurableObject(storeObject());
    expect(await created("a")).toBe(made(3));
    expect(await created("b")).toBe(made(5));
    expect(await created("c")).toBe("2015-05-05T05:05:05.000Z");
    await apply(service("later"));
    expect(await decides()).toBe("HTTPRoute/default/c/0");
  });
});
