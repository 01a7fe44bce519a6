import {
  createExecutionContext,
  createScheduledController,
  reset,
  waitOnExecutionContext,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import type { ChangeAnswer, Revision, StoredDocument, SyncAnswer } from "../../control/api/contract.ts";
import worker from "../../control/index.ts";
import { type Kind, kindOf } from "../../control/policy-store/reconcile.ts";
import { api, apply, permission, route, service, store } from "./support.ts";

const key = (name: string, kind = "Service") => `policies/${kind}/default/${name}`;
const sync = async () => (await api<SyncAnswer>("POST", "/api/sync", {})).body;
const inForce = async (name: string, kind = "Service") =>
  (await api<StoredDocument>("GET", `/api/policies/${kind}/default/${name}`)).body.text;
const revisions = async () => (await api<Revision[]>("GET", "/api/policies/history")).body;

beforeEach(() => reset());

describe("reconcile", () => {
  test("a document put straight into KV becomes a revision by author kv, once", async () => {
    await apply(service("web"));
    await env.POLICIES.put(key("payments"), service("payments"));
    expect(await sync()).toMatchObject({
      revision: 2,
      adopted: [{ action: "created", name: "payments" }],
      invalid: [],
    });
    expect((await revisions())[0]).toMatchObject({ author: "kv", reason: "found in KV" });
    expect(await sync()).toMatchObject({ revision: 2, adopted: [] });
    expect(await env.POLICIES.get("heads/default/payments")).not.toBeNull();
  });

  test("a text that was edited in KV comes into force, and KV goes on showing it", async () => {
    await apply(service("web"));
    const edited = `${service("web")}# by hand\n`;
    await env.POLICIES.put(key("web"), edited);
    expect((await sync()).adopted).toMatchObject([{ action: "changed", name: "web" }]);
    expect(await inForce("web")).toBe(edited);
    expect(await env.POLICIES.get(key("web"))).toBe(edited);
  });

  test("an invalid text changes nothing, is reported with its line, and stays there for its author", async () => {
    await apply(service("web"));
    await env.POLICIES.put(key("web"), service("web", "  timeuot: 3s\n"));
    const { revision, adopted, invalid } = await sync();
    expect([revision, adopted]).toEqual([1, []]);
    expect(invalid).toMatchObject([{ key: key("web"), issues: [{ source: key("web"), line: 6 }] }]);
    expect(await inForce("web")).toBe(service("web"));
    expect(await env.POLICIES.get(key("web"))).toContain("timeuot");
    expect((await sync()).invalid).toHaveLength(1);
  });

  test("an invalid text is forgotten when it is mended, overruled by an apply, or deleted", async () => {
    await apply(service("a"), service("b"), service("c"));
    for (const name of ["a", "b", "c"]) await env.POLICIES.put(key(name), "nonsense: true");
    expect((await sync()).invalid).toHaveLength(3);
    await env.POLICIES.put(key("a"), `${service("a")}# mended\n`);
    await apply(`${service("b")}# overruled\n`);
    await env.POLICIES.delete(key("c"));
    const { invalid, adopted } = await sync();
    expect(invalid).toEqual([]);
    expect(adopted).toMatchObject([{ name: "a" }]);
    expect(await env.POLICIES.get(key("b"))).toContain("# overruled");
    expect(await env.POLICIES.get(key("c"))).toBe(service("c"));
  });

  test("documents that need each other may arrive in one go, and a bad one among them stops nobody", async () => {
    await env.POLICIES.put(key("r", "HTTPRoute"), route("r", "web", "payments"));
    await env.POLICIES.put(key("web"), service("web"));
    await env.POLICIES.put(key("payments"), service("payments"));
    await env.POLICIES.put(key("bad", "AuthorizationPolicy"), permission("bad", "web"));
    const { adopted, invalid } = await sync();
    expect(adopted.map(({ name }) => name).sort()).toEqual(["payments", "r", "web"]);
    expect(invalid.map((each) => each.key)).toEqual([key("bad", "AuthorizationPolicy")]);
  });

  test("a refused text is judged again when the rest has changed", async () => {
    await env.POLICIES.put(key("web", "AuthorizationPolicy"), permission("web", "web"));
    expect((await sync()).invalid).toHaveLength(1);
    await apply(service("web"));
    expect(await sync()).toMatchObject({ adopted: [{ name: "web" }], invalid: [] });
  });

  test("a route whose references do not resolve is adopted, and carries a condition", async () => {
    await env.POLICIES.put(key("r", "HTTPRoute"), route("r", "nobody", "web"));
    expect(await sync()).toMatchObject({ adopted: [{ name: "r" }], invalid: [] });
  });

  test("a key must name the document that it holds, and hold it alone", async () => {
    await env.POLICIES.put(key("web"), service("payments"));
    await env.POLICIES.put(key("two"), `${service("two")}---\n${service("three")}`);
    await env.POLICIES.put("policies/Service/web", service("web"));
    const { adopted, invalid } = await sync();
    expect(adopted).toEqual([]);
    expect(invalid.map((each) => each.key).sort()).toEqual(
      ["policies/Service/web", key("two"), key("web")].sort(),
    );
  });

  test("a key that is gone is written again: deleting in KV is no way to delete policy", async () => {
    await apply(service("web"));
    await env.POLICIES.delete(key("web"));
    expect(await sync()).toMatchObject({ revision: 1, adopted: [] });
    expect(await env.POLICIES.get(key("web"))).toBe(service("web"));
  });

  test("a stale read of this worker's own older text does not bring it back", async () => {
    await apply(service("web"));
    const { value, metadata } = await env.POLICIES.getWithMetadata(key("web"));
    await apply(`${service("web")}# newer\n`);
    await env.POLICIES.put(key("web"), value ?? "", { metadata });
    expect(await sync()).toMatchObject({ revision: 2, adopted: [], invalid: [] });
    expect(await env.POLICIES.get(key("web"))).toContain("# newer");
  });

  test("a stale read of a text that was adopted and overruled since does not bring it back either", async () => {
    await apply(service("web"));
    const byHand = `${service("web")}# by hand\n`;
    await env.POLICIES.put(key("web"), byHand);
    await sync();
    await apply(`${service("web")}# newer\n`);
    await env.POLICIES.put(key("web"), byHand);
    expect(await sync()).toMatchObject({ adopted: [], invalid: [] });
    expect(await inForce("web")).toContain("# newer");
    expect(await env.POLICIES.get(key("web"))).toContain("# newer");
  });

  test("the same text put again after KV has shown another one is news", async () => {
    await apply(service("web"));
    const byHand = `${service("web")}# by hand\n`;
    await env.POLICIES.put(key("web"), byHand);
    await sync();
    await apply(`${service("web")}# newer\n`);
    await sync();
    await env.POLICIES.put(key("web"), byHand);
    expect((await sync()).adopted).toMatchObject([{ action: "changed", name: "web" }]);
  });

  test("the schedule does the same", async () => {
    await env.POLICIES.put(key("web"), service("web"));
    const context = createExecutionContext();
    await worker.scheduled(createScheduledController({ scheduledTime: Date.UTC(2026, 10, 1, 0, 7) }), env);
    await waitOnExecutionContext(context);
    expect(await inForce("web")).toBe(service("web"));
  });

  test("what a crash left unpublished is published by the next run", async () => {
    const sources = [{ source: "a", text: service("web") }];
    await store().apply({ sources }, { actor: { name: "operator", role: "admin" }, reason: "" });
    expect(await env.POLICIES.get("heads/default/web")).toBeNull();
    expect(await store().state()).toMatchObject({ unpublishedHeads: 1, unwrittenDocuments: 1 });
    await store().reconcile(false);
    expect(await env.POLICIES.get("heads/default/web")).not.toBeNull();
    expect(await store().state()).toMatchObject({
      unsignedHeads: 0,
      unpublishedHeads: 0,
      unwrittenDocuments: 0,
    });
    expect(await store().publish()).toEqual({ written: 0, failed: 0, due: 0 });
  });

  test("an edit in KV is not lost when an apply of another document publishes in between", async () => {
    await apply(service("web"));
    const edited = `${service("web")}# by hand\n`;
    await env.POLICIES.put(key("web"), edited);
    await apply(service("payments"));
    expect(await env.POLICIES.get(key("web"))).toBe(edited);
    await sync();
    expect(await inForce("web")).toBe(edited);
  });

  test("undo takes an adopted text back like any other", async () => {
    await apply(service("web"));
    await env.POLICIES.put(key("web"), `${service("web")}# by hand\n`);
    await sync();
    expect((await api<ChangeAnswer>("POST", "/api/policies/undo", {})).body.applied).toBe(true);
    expect(await env.POLICIES.get(key("web"))).toBe(service("web"));
  });
});

describe("kindOf()", () => {
  const [a, b] = ["a".repeat(64), "b".repeat(64)];
  const judged = { written: b, foreign: a, judgedAt: 3 };
  test.each<[string, Parameters<typeof kindOf>, Kind]>([
    ["the text in force", [a, undefined, a, undefined, 3], "in-force"],
    ["an older text of this worker's", [a, { revision: 1, digest: a }, b, undefined, 3], "outdated"],
    ["a text beside copied metadata", [a, { revision: 1, digest: b }, b, undefined, 3], "news"],
    ["a text that nobody has judged", [a, undefined, b, undefined, 3], "news"],
    ["a text that was adopted before", [a, undefined, b, judged, 3], "outdated"],
    ["a text that was refused", [a, undefined, b, { ...judged, issues: [] }, 3], "refused"],
    ["a refused text after another change", [a, undefined, b, { ...judged, issues: [] }, 4], "news"],
    ["another text after a refused one", [a, undefined, b, { ...judged, foreign: b, issues: [] }, 3], "news"],
  ])("knows %s", (_, given, kind) => {
    expect(kindOf(...given)).toBe(kind);
  });
});
