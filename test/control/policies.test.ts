import { evictAllDurableObjects, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import type { ChangeAnswer, Revision, StoredDocument } from "../../control/api/contract.ts";
import { api, apply, permission, route, service } from "./support.ts";

beforeEach(() => reset());

const get = (kind: string, name: string) =>
  api<StoredDocument>("GET", `/api/policies/${kind}/default/${name}`);
const history = async (query = "") => (await api<Revision[]>("GET", `/api/policies/history${query}`)).body;

describe("applying", () => {
  test("writes one revision for all documents of one call, and answers each change", async () => {
    const { status, body } = await apply(`${service("web")}---\n${service("payments")}`);
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body).toMatchObject({ revision: 1, applied: true });
    expect(body.changes.map(({ action, name }) => [action, name])).toEqual([
      ["created", "payments"],
      ["created", "web"],
    ]);
    expect(body.changes[0]?.diff).toContain("+kind: Service");
  });

  test("keeps each document as it was written, comments included", async () => {
    const text = `# who takes the money\n${service("payments")}# the end\n`;
    await apply(text);
    expect((await get("Service", "payments")).body.text).toBe(text);
    await apply(`${service("a")}---\n# second\n${service("b")}`);
    expect((await get("Service", "b")).body.text).toBe(`# second\n${service("b")}`);
  });

  test("the same again changes nothing", async () => {
    await apply(service("web"));
    const { body } = await apply(service("web"));
    expect(body).toMatchObject({ revision: 1, applied: false });
    expect(body.changes).toMatchObject([{ action: "unchanged", diff: "" }]);
  });

  test("an invalid document refuses all of them, names the line, and changes nothing", async () => {
    await apply(service("web"));
    const { status, body } = await apply(service("payments"), service("orders", "  timeuot: 3s\n"));
    expect(status).toBe(422);
    expect(body).toMatchObject({ revision: 1, applied: false });
    expect(body.issues[0]).toMatchObject({ severity: "error", source: "1.yaml", line: 6 });
    expect((await get("Service", "payments")).status).toBe(404);
    expect(await history()).toHaveLength(1);
  });

  test("a document that is right by itself and wrong with the rest is refused too", async () => {
    const { status, body } = await apply(service("web"), permission("nowhere", "web"));
    expect([status, body.applied]).toEqual([422, false]);
    expect((await api<StoredDocument[]>("GET", "/api/policies")).body).toEqual([]);
  });

  test("the same document twice in one call is refused", async () => {
    const { status, body } = await apply(service("web"), `${service("web")}# again\n`);
    expect(status).toBe(422);
    expect(body.issues[0]).toMatchObject({ source: "1.yaml", document: "Service/default/web" });
  });

  test("a dry run answers what would change and changes nothing", async () => {
    const sources = [{ source: "a", text: service("web") }];
    const { body } = await api<ChangeAnswer>("POST", "/api/policies", { sources, dryRun: true });
    expect(body).toMatchObject({ revision: 0, applied: false, changes: [{ action: "created" }] });
    expect(await history()).toEqual([]);
  });

  test("who expects another revision is refused with 409", async () => {
    await apply(service("web"));
    const sources = [{ source: "a", text: service("payments") }];
    const refused = await api("POST", "/api/policies", { sources, expectedRevision: 0 });
    expect(refused.status).toBe(409);
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    expect((await api("POST", "/api/policies", { sources, expectedRevision: 1 })).status).toBe(200);
  });

  test("of two who expect the same revision at once, one is refused", async () => {
    await apply(service("web"));
    const one = (name: string) =>
      api("POST", "/api/policies", { sources: [{ source: name, text: service(name) }], expectedRevision: 1 });
    const statuses = (await Promise.all([one("a"), one("b")])).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 409]);
    expect(await history()).toHaveLength(2);
  });

  test("many at once without expectation all come through, one after the other", async () => {
    const answers = await Promise.all(["a", "b", "c"].map((name) => apply(service(name))));
    expect(answers.map(({ body }) => body.revision).sort()).toEqual([1, 2, 3]);
  });
});

describe("deleting and taking back", () => {
  test("a deleted document is gone, and undo brings it back as it was", async () => {
    await apply(service("web"), service("payments"));
    const gone = await api<ChangeAnswer>(
      "DELETE",
      "/api/policies/Service/default/payments?expectedRevision=1",
    );
    expect(gone.body).toMatchObject({ revision: 2, applied: true, changes: [{ action: "deleted" }] });
    expect((await get("Service", "payments")).status).toBe(404);
    const back = await api<ChangeAnswer>("POST", "/api/policies/undo", {});
    expect(back.body).toMatchObject({ revision: 3, applied: true, changes: [{ action: "created" }] });
    expect((await get("Service", "payments")).body.text).toBe(service("payments"));
  });

  test("what a policy still needs is not deleted", async () => {
    await apply(service("web"), service("payments"), permission("web", "payments"));
    const { status, body } = await api<ChangeAnswer>("DELETE", "/api/policies/Service/default/web");
    expect([status, body.applied]).toEqual([422, false]);
  });

  test("what a route still refers to is deleted, and the route is told of", async () => {
    await apply(service("web"), service("payments"), route("r", "web", "payments"));
    const { status, body } = await api<ChangeAnswer>("DELETE", "/api/policies/Service/default/payments");
    expect([status, body.applied]).toEqual([200, true]);
    expect(body.issues).toContainEqual(
      expect.objectContaining({
        severity: "warning",
        unresolved: true,
        document: "HTTPRoute/default/r",
        path: "spec.rules[0].backendRefs[0].name",
      }),
    );
  });

  test("an older revision can be taken back alone, if nobody touched its documents since", async () => {
    await apply(service("web"));
    await apply(service("payments"));
    await apply(service("orders"));
    const undone = await api<ChangeAnswer>("POST", "/api/policies/undo", { revision: 2 });
    expect(undone.body).toMatchObject({ applied: true, changes: [{ action: "deleted", name: "payments" }] });
    const [newest] = await history();
    expect(newest).toMatchObject({
      revision: 4,
      parent: 3,
      author: "operator",
      reason: "undo of revision 2",
    });
  });

  test("taking back what was changed again since would undo that too, and is refused", async () => {
    await apply(service("web"));
    await apply(`${service("web")}# newer\n`);
    const { status, body } = await api<{ detail: string }>("POST", "/api/policies/undo", { revision: 1 });
    expect(status).toBe(409);
    expect(body.detail).toContain("revision 2");
  });

  test("what does not exist is answered with 404", async () => {
    expect((await api("DELETE", "/api/policies/Service/default/nobody")).status).toBe(404);
    expect((await api("POST", "/api/policies/undo", {})).status).toBe(404);
  });
});

describe("history", () => {
  test("tells newest first who changed what and why, and can be asked about one document", async () => {
    const sources = [{ source: "a", text: service("web") }];
    await api("POST", "/api/policies", { sources, reason: "first steps" });
    await apply(service("payments"));
    const [second, first] = await history();
    expect(second).toMatchObject({ revision: 2, parent: 1 });
    expect(first).toMatchObject({
      revision: 1,
      parent: 0,
      author: "operator",
      reason: "first steps",
      changes: [{ kind: "Service", namespace: "default", name: "web", action: "created" }],
    });
    expect(first?.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(Number.isNaN(Date.parse(first?.at ?? ""))).toBe(false);
    expect(await history("?kind=Service&name=web")).toHaveLength(1);
  });

  test("survives the object's eviction", async () => {
    await apply(service("web"));
    await evictAllDurableObjects();
    expect((await get("Service", "web")).body).toMatchObject({ revision: 1, text: service("web") });
    expect((await apply(service("payments"))).body.revision).toBe(2);
  });
});

describe("publishing", () => {
  test("KV holds the document as written, the snapshot by its digest, the signed head and the bundle", async () => {
    await apply(service("web"));
    expect(await env.POLICIES.get("policies/Service/default/web")).toBe(service("web"));
    const head = await env.POLICIES.get("heads/default/web");
    const claims = JSON.parse(
      atob((head ?? "").split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? ""),
    );
    expect(claims).toMatchObject({ workload: "default/web", epoch: 1 });
    const snapshot = await env.POLICIES.get(`snapshots/${claims.digest}`);
    expect(JSON.parse(snapshot ?? "")).toMatchObject({
      workload: "default/web",
      trustDomain: env.TRUST_DOMAIN,
    });
    expect(await env.POLICIES.get("bundle")).toMatch(/^ey/);
  });

  test("what was deleted is deleted in KV", async () => {
    await apply(service("web"));
    await api("DELETE", "/api/policies/Service/default/web");
    expect(await env.POLICIES.get("policies/Service/default/web")).toBeNull();
  });

  test("every service's head moves to the newest epoch, also where its snapshot stays", async () => {
    await apply(service("web"));
    await apply(service("payments"));
    const head = await env.POLICIES.get("heads/default/web");
    expect(atob((head ?? "").split(".")[1] ?? "")).toContain('"epoch":2');
  });
});
