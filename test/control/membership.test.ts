import { evictAllDurableObjects } from "cloudflare:test";
import { generateKeys } from "@tulle/mesh-runtime/identity/credential.ts";
import { importPublicJwk } from "@tulle/mesh-runtime/identity/public-jwk.ts";
import { openDocument } from "@tulle/mesh-runtime/identity/signed-document.ts";
import { verifyWit } from "@tulle/mesh-runtime/identity/svid.ts";
import { loadBundle } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import { load } from "@tulle/mesh-runtime/policy/load.ts";
import type { Head } from "@tulle/mesh-runtime/policy/snapshot.ts";
import { describe, expect, test } from "vitest";
import type { StatusAnswer } from "../../control/api/contract.ts";
import { api, apply, joined, joinRequest, reportRequest, route, service, workload } from "./support.ts";
import { inMeshOfTwo, props, verbs } from "./verbs.ts";

inMeshOfTwo();

describe("joining over the binding", () => {
  test("brings all that an isolate needs, and all of it verifies", async () => {
    const keys = await generateKeys();
    const answer = joined(await workload(props).join(await joinRequest({ keys })));
    const root = await importPublicJwk(answer.rootJwk);
    if (!root.ok) throw new Error(root.reason);
    const now = Date.now();
    const bundle = await loadBundle(answer.bundle, root.value, undefined, now);
    if (!bundle.ok) throw new Error(bundle.reason);
    const wit = await verifyWit(answer.wit, bundle.value, now);
    expect(wit).toMatchObject({ ok: true, value: { id: { uri: "spiffe://mesh.local/ns/default/sa/web" } } });
    const head = await openDocument<Head>(answer.head, "tulle-head+jwt", root.value);
    if (!head.ok) throw new Error(head.reason);
    expect(head.value).toMatchObject({ workload: "default/web", epoch: 1 });
    const loaded = await load(answer.snapshot ?? "", head.value, "default/web");
    expect(loaded.ok && loaded.value.snapshot.trustDomain).toBe(answer.trustDomain);
  });

  test("does not send a snapshot that the isolate runs already", async () => {
    const { join } = verbs();
    const first = joined(await join());
    const { digest } = JSON.parse(
      atob(first.head.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? ""),
    );
    expect(joined(await join({ digest })).snapshot).toBeUndefined();
  });

  test("without props nobody is anybody, and the answer shows the lines to write", async () => {
    for (const none of [{}, { namespace: "default" }, { service: "" }, { service: "../web" }]) {
      const answer = await workload(none).join(await joinRequest());
      expect(answer).toMatchObject({ ok: false, reason: "not-attested" });
      expect(answer.ok ? "" : answer.remedy).toContain(
        '[[services]]\nbinding = "MESH"\nservice = "tulle-control"\nentrypoint = "Workload"\nprops = {',
      );
    }
  });

  test("nobody becomes what the binding does not say", async () => {
    const answer = await workload(props).join(await joinRequest({ workload: "default/payments" }));
    expect(answer).toMatchObject({ ok: false, reason: "not-attested" });
    const report = await workload(props).report(reportRequest("default/payments"));
    expect(report).toMatchObject({ ok: false, reason: "not-attested" });
  });

  test("a service that no document registers is told how to register", async () => {
    const answer = await workload({ service: "orders" }).join(await joinRequest());
    expect(answer).toMatchObject({ ok: false, reason: "unregistered" });
    expect(answer.ok ? "" : answer.remedy).toContain("tulle apply -f - <<EOF");
    expect(answer.ok ? "" : answer.remedy).toContain("kind: Service\nmetadata:\n  name: orders");
  });

  test("the text that registers is one that control takes", async () => {
    const answer = await workload({ service: "orders-2" }).join(await joinRequest());
    const text = (answer.ok ? "" : answer.remedy).split("<<EOF\n")[1]?.split("EOF")[0] ?? "";
    expect((await apply(text)).body).toMatchObject({ applied: true, changes: [{ name: "orders-2" }] });
  });

  test("a proof of possession by another key, for another workload, or of another minute is refused", async () => {
    const { join } = verbs();
    const other = await generateKeys();
    expect(await join({ publicJwk: other.publicJwk })).toMatchObject({ reason: "bad-possession" });
    expect(await join({ now: Date.now() - 120_000 })).toMatchObject({ reason: "bad-possession" });
    expect(await join({ trustDomain: "other.mesh" })).toMatchObject({ reason: "bad-possession" });
  });

  test("a proof of possession works once", async () => {
    const request = await joinRequest();
    expect((await workload(props).join(request)).ok).toBe(true);
    expect(await workload(props).join(request)).toMatchObject({ ok: false, reason: "bad-possession" });
  });

  test("a key that comes with its private half is refused", async () => {
    const request = await joinRequest();
    const spilled = { ...request, publicJwk: { ...request.publicJwk, d: "x".repeat(43) } };
    expect(await workload(props).join(spilled)).toMatchObject({ ok: false, reason: "bad-possession" });
  });

  test("a newer version of the contract and a request of another form are declined, not guessed at", async () => {
    const { join } = verbs();
    expect(await join({ version: 2 })).toMatchObject({ reason: "unsupported-version" });
    expect(await join({ isolate: "x".repeat(65) })).toMatchObject({ reason: "malformed" });
  });

  test("keys survive the issuer's eviction", async () => {
    const before = joined(await workload(props).join(await joinRequest()));
    await evictAllDurableObjects();
    const after = joined(await workload(props).join(await joinRequest()));
    expect(after.rootJwk).toEqual(before.rootJwk);
    expect(after.bundle).toBe(before.bundle);
  });

  test("a Service with an identity of its own gets that one", async () => {
    await apply(service("web", "  identity: spiffe://mesh.local/ns/shop/sa/front\n"));
    const { wit } = joined(await workload(props).join(await joinRequest()));
    expect(atob(wit.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "")).toContain(
      '"sub":"spiffe://mesh.local/ns/shop/sa/front"',
    );
  });

  test("a Service whose identity is of another trust domain than control issues for gets none", async () => {
    const { join } = verbs(undefined, "elsewhere.example");
    expect(await join()).toMatchObject({
      ok: false,
      reason: "not-ready",
      detail: expect.stringContaining("spiffe://mesh.local/ns/default/sa/web is not of the trust domain"),
    });
  });

  test("a virtual service is nobody's", async () => {
    await apply(service("shop", "  virtual: true\n"), route("r", "shop", "web"));
    expect(await workload({ service: "shop" }).join(await joinRequest())).toMatchObject({
      reason: "unregistered",
    });
  });
});

describe("status", () => {
  const states = async () =>
    Object.fromEntries(
      (await api<StatusAnswer>("GET", "/api/status")).body.services.map((each) => [each.service, each.state]),
    );

  test("tells who runs the newest policy, who does not yet, and who was never seen", async () => {
    const { report } = verbs();
    expect(await states()).toEqual({ "default/payments": "NOT SEEN", "default/web": "NOT SEEN" });
    await report({ epoch: 1 });
    expect(await states()).toMatchObject({ "default/web": "SYNCED" });
    await apply(service("orders"));
    expect(await states()).toMatchObject({ "default/web": "STALE" });
    await report({ epoch: 2 });
    expect(await states()).toMatchObject({ "default/web": "SYNCED" });
  });

  test("one isolate that lags makes its service stale", async () => {
    const { report } = verbs();
    await apply(service("orders"));
    await report({ isolate: "a", epoch: 2 });
    await report({ isolate: "b", epoch: 1 });
    const { body } = await api<StatusAnswer>("GET", "/api/status");
    expect(body).toMatchObject({ trustDomain: "mesh.local", revision: 2, epoch: 2 });
    expect(body.services.find((each) => each.service === "default/web")).toMatchObject({
      state: "STALE",
      epoch: 1,
      isolates: 2,
      virtual: false,
      spiffeId: "spiffe://mesh.local/ns/default/sa/web",
    });
  });

  test("who was seen last is remembered over an eviction", async () => {
    await verbs().report({ epoch: 1 });
    await evictAllDurableObjects();
    expect(await states()).toMatchObject({ "default/web": "SYNCED" });
  });

  test("a virtual service is marked and never missed", async () => {
    await apply(service("shop", "  virtual: true\n"), route("r", "shop", "web"));
    const { body } = await api<StatusAnswer>("GET", "/api/status");
    expect(body.services.find((each) => each.service === "default/shop")).toMatchObject({
      virtual: true,
      state: "SYNCED",
    });
  });
});
