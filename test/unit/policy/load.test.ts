import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { load, maxSnapshotBytes } from "../../../mesh-runtime/policy/load.ts";
import type { Loaded } from "../../../mesh-runtime/policy/loaded.ts";
import type { Snapshot } from "../../../mesh-runtime/policy/snapshot.ts";
import { tokenRule } from "../identity/users.ts";
import { anyMesh } from "./meshes.ts";
import { documents, entry, gateway, policy, route, service } from "./writing.ts";

const texts = [
  service("web"),
  service("payments", "{virtual: true}"),
  service("payments-v1"),
  service("gateway"),
  service("web", "{binding: WEB}", "other"),
  route(
    "canary",
    "name: payments",
    "[{matches: [{path: {value: /charge}}], backendRefs: [{name: payments-v1, port: 80}]}]",
  ),
  gateway("public", 'listeners: [{name: http, port: 8080, protocol: HTTP, hostname: "*.example.com"}]'),
  entry(
    "web",
    "hostnames: [shop.example.com], parentRefs: [{name: public}], rules: [{backendRefs: [{name: web, port: 80}]}]",
  ),
  policy(
    "AuthorizationPolicy",
    "gw",
    "{targetRefs: [{kind: Service, name: web}], rules: [{from: [{source: {principals: [mesh.local/ns/default/sa/gateway]}}], to: [{operation: {paths: [/a*]}}]}]}",
  ),
];
const snapshots = compile(documents(...texts));

function textOf(key: string): string {
  const snapshot = snapshots.get(key);
  if (snapshot === undefined) throw new Error(`no snapshot of ${key}`);
  return canonicalJson(snapshot);
}

async function loaded(key: string): Promise<Loaded> {
  const text = textOf(key);
  const result = await load(text, { epoch: 7, digest: await digestOf(text) }, key);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

/** Loads a text as if a head named it. */
const loadAs = async (text: string, workload = "default/web") =>
  load(text, { epoch: 7, digest: await digestOf(text) }, workload);

describe("a loaded snapshot", () => {
  test("says what it is", async () => {
    const { epoch, digest, self, snapshot } = await loaded("default/web");
    expect({ epoch, digest, self: self.uri, workload: snapshot.workload }).toEqual({
      epoch: 7,
      digest: await digestOf(textOf("default/web")),
      self: "spiffe://mesh.local/ns/default/sa/web",
      workload: "default/web",
    });
  });

  test("finds destinations by key, host and binding", async () => {
    const web = await loaded("default/web");
    expect(web.destination("default/payments")?.id.uri).toBe("spiffe://mesh.local/ns/default/sa/payments");
    expect(web.destination("default/nothing")).toBeUndefined();
    expect(web.destinationByHost("payments")?.destination).toBe("default/payments");
    expect(web.destinationByHost("web.other.mesh")?.destination).toBe("other/web");
    expect(web.destinationByHost("constructor")).toBeUndefined();
    expect(web.destinationByBinding("PAYMENTS_V1")?.destination).toBe("default/payments-v1");
    expect(web.destinationByBinding("MESH")).toBeUndefined();
  });

  test("takes a binding that two namespaces claim for the own one", async () => {
    expect((await loaded("default/web")).destinationByBinding("WEB")?.destination).toBe("default/web");
    expect((await loaded("other/web")).destinationByBinding("WEB")?.destination).toBe("other/web");
    expect((await loaded("other/web")).destinationByHost("web")?.destination).toBe("other/web");
  });

  test("routes: with a table where routes are attached, without where not", async () => {
    const web = await loaded("default/web");
    const find = (path: string) =>
      web
        .destination("default/payments")
        ?.table?.find({ url: new URL(path, "http://payments"), method: "GET", headers: new Headers() })?.rule
        .name;
    expect(find("/charge/1")).toBe("HTTPRoute/default/canary/0");
    expect(find("/other")).toBeUndefined();
    expect(web.destination("default/payments-v1")).not.toHaveProperty("table");
  });

  test("judges access", async () => {
    const { decide } = (await loaded("default/web")).inbound;
    const caller = await loaded("default/gateway");
    const principal = {
      id: caller.self,
      namespace: "default",
      service: "gateway",
      evidence: "signature",
    } as const;
    expect(decide({ principal, method: "GET", path: "/a/b" })).toEqual({
      allowed: true,
      rule: "AuthorizationPolicy/default/gw/0",
    });
    expect(decide({ principal, method: "GET", path: "/b" }).allowed).toBe(false);
    expect(decide({ principal: undefined, method: "GET", path: "/a" }).allowed).toBe(false);
  });

  test("takes in what its listeners are for", async () => {
    const edge = await loaded("default/gateway");
    const target = edge.listenerFor("shop.example.com", 8080);
    expect(target).toMatchObject({ destination: "default/public/http", listenerPort: 8080 });
    expect(
      target?.table?.find({ url: new URL("http://shop.example.com/"), method: "GET", headers: new Headers() })
        ?.rule.name,
    ).toBe("HTTPRoute/default/web/0");
    expect(edge.listenerFor("shop.example.org", 8080)).toBeUndefined();
    expect((await loaded("default/web")).listenerFor("shop.example.com", undefined)).toBeUndefined();
  });

  test("comes out as it went in, whatever the mesh", async () => {
    await fc.assert(
      fc.asyncProperty(anyMesh, async (mesh) => {
        for (const [key, snapshot] of compile(documents(...mesh))) {
          const result = await loadAs(canonicalJson(snapshot), key);
          expect(result.ok && canonicalJson(result.value.snapshot)).toBe(canonicalJson(snapshot));
        }
      }),
      { seed: 1, numRuns: 20 },
    );
  });
});

describe("a snapshot is refused", () => {
  const text = textOf("default/web");

  test("if any byte of it is another", async () => {
    const digest = await digestOf(text);
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.integer({ min: 32, max: 126 }), async (place, code) => {
        const other = String.fromCharCode(code);
        const corrupt = text.slice(0, place) + other + text.slice(place + 1);
        const result = await load(corrupt, { epoch: 1, digest }, "default/web");
        expect(result.ok).toBe(corrupt === text);
      }),
      { seed: 2, numRuns: 200 },
    );
    for (const corrupt of [text.slice(1), text.slice(0, -1), `${text} `, "", text.toUpperCase()]) {
      expect((await load(corrupt, { epoch: 1, digest }, "default/web")).ok).toBe(false);
    }
  });

  test("with a reason that names the digests", async () => {
    const result = await load(text, { epoch: 41, digest: "0".repeat(64) }, "default/web");
    expect(result).toEqual({
      ok: false,
      reason: `Cannot load snapshot 41: its digest must be ${"0".repeat(64)}, the one its head names, found ${await digestOf(text)}`,
    });
  });

  test("if it is for somebody else", async () => {
    expect(await loadAs(text, "default/cart")).toEqual({
      ok: false,
      reason: "Cannot load snapshot 7: it must be for default/cart, found default/web",
    });
  });

  test("if it is too large, before anything is made of it", async () => {
    const result = await load(" ".repeat(maxSnapshotBytes + 1), { epoch: 1, digest: "" }, "default/web");
    expect(result).toMatchObject({ reason: "Cannot load snapshot 1: it is larger than 8388608 bytes" });
  });

  test.each([
    ["is not JSON", () => "{", "it is not JSON"],
    ["is not an object", () => "[]", "snapshot must be an object"],
    ["is null", () => "null", "snapshot must be an object"],
    ["is of a version to come", (s: Snapshot) => ({ ...s, version: 2 }), "snapshot.version must be one of 1"],
    [
      "has another identity's domain",
      (s: Snapshot) => ({ ...s, trustDomain: "x.example" }),
      "must be in the trust domain x.example",
    ],
    [
      "has an identity that is none",
      (s: Snapshot) => ({ ...s, spiffeId: "web" }),
      "an identity must be a SPIFFE ID",
    ],
    [
      "has an unknown mode",
      (s: Snapshot) => ({ ...s, inbound: { ...s.inbound, mode: "OPEN" } }),
      "snapshot.inbound.mode must be one of STRICT, PERMISSIVE",
    ],
    [
      "lacks its rules",
      (s: Snapshot) => ({ ...s, inbound: { ...s.inbound, authorization: undefined } }),
      "snapshot.inbound.authorization must be a list",
    ],
    [
      "has an action to come",
      (s: Snapshot) => withRule(s, { action: "CUSTOM" }),
      "authorization[0].action must be one of ALLOW, DENY, AUDIT",
    ],
    [
      "has a condition to come in a rule",
      (s: Snapshot) => withRule(s, { where: [] }),
      "authorization[0].where is not known to this runtime",
    ],
    [
      "has a condition to come in a source",
      (s: Snapshot) => withRule(s, { from: [{ devices: [] }] }),
      "from[0].devices is not known to this runtime",
    ],
    [
      "has a block of addresses that is none",
      (s: Snapshot) => withRule(s, { from: [{ ipBlocks: ["10.0.0.1/8"] }] }),
      "from[0].ipBlocks[0] must be a block of addresses",
    ],
    [
      "has a condition that is about something to come",
      (s: Snapshot) => withRule(s, { when: [{ type: "device", name: "id", values: [] }] }),
      "when[0].type must be one of principal, namespace, evidence, requestPrincipal, audiences, presenter, claim, header",
    ],
    [
      "has a way to verify tokens that is to come",
      (s: Snapshot) => ({ ...s, inbound: { ...s.inbound, users: [{ ...tokenRule(), dpop: true }] } }),
      "inbound.users[0].dpop is not known to this runtime",
    ],
    [
      "finds keys in a way to come",
      (s: Snapshot) => ({
        ...s,
        inbound: { ...s.inbound, users: [{ ...tokenRule(), keys: { type: "discovery" } }] },
      }),
      "inbound.users[0].keys.type must be one of url, inline",
    ],
    [
      "has a rule that is on another sort of dry run",
      (s: Snapshot) => withRule(s, { dryRun: false }),
      "dryRun must be one of true",
    ],
    [
      "has more to say about entries than this runtime reads",
      (s: Snapshot) => ({ ...s, entry: { authorization: [], claims: [] } }),
      "entry.claims is not known to this runtime",
    ],
    [
      "has a condition to come in an operation",
      (s: Snapshot) => withRule(s, { to: [{ ports: [] }] }),
      "to[0].ports is not known to this runtime",
    ],
    [
      "compares in a way to come",
      (s: Snapshot) => withRule(s, { from: [{ principals: [{ type: "regex", value: "." }] }] }),
      "principals[0].type must be one of exact, prefix, suffix, present",
    ],
    [
      "has a destination under another key",
      (s: Snapshot) => ({ ...s, destinations: { "default/x": s.destinations["default/web"] } }),
      "destination default/x calls itself default/web",
    ],
    [
      "has a match to come",
      (s: Snapshot) => withMatch(s, { port: 80 }),
      "matches[0].port is not known to this runtime",
    ],
    [
      "has a path match to come",
      (s: Snapshot) => withMatch(s, { path: { type: "Suffix", value: "/" } }),
      "path.type must be one of Exact, PathPrefix, RegularExpression",
    ],
    [
      "has a regular expression that is not compiled",
      (s: Snapshot) => withMatch(s, { path: { type: "RegularExpression", value: "/" } }),
      "path.pattern must be an object",
    ],
    [
      "has a pattern whose program is none",
      (s: Snapshot) =>
        withMatch(s, {
          headers: [{ name: "a", value: "a", pattern: { prefix: "", program: ["accept"] } }],
        }),
      "headers[0].pattern.program must be a text",
    ],
    [
      "has headers that are no list",
      (s: Snapshot) => withMatch(s, { headers: {} }),
      "headers must be a list",
    ],
    [
      "has a filter to come",
      (s: Snapshot) => withRoute(s, { filters: [{ type: "ExternalAuth" }] }),
      "filters[0].type must be one of RequestHeaderModifier",
    ],
    [
      "has a negative weight",
      (s: Snapshot) => withRoute(s, { backends: [{ service: "a", weight: -1, filters: [] }] }),
      "backends[0].weight must be a whole number of 0 or more",
    ],
    [
      "has a timeout that is a text",
      (s: Snapshot) => withRoute(s, { requestTimeoutMs: "1" }),
      "requestTimeoutMs must be a number of 0 or more",
    ],
    [
      "has an endpoint to come",
      (s: Snapshot) => withDestination(s, { endpoints: [{ name: "a", address: { kind: "pigeon" } }] }),
      "endpoints[0].address.kind must be one of binding, url, dispatch",
    ],
    [
      "has an endpoint whose recipient demands what nobody knows",
      (s: Snapshot) =>
        withDestination(s, {
          endpoints: [
            {
              name: "a",
              address: { kind: "url", url: "https://a.example" },
              weight: 1,
              priority: 0,
              recipient: { spiffeId: "spiffe://mesh.local/ns/default/sa/a", evidence: "none" },
            },
          ],
        }),
      "endpoints[0].recipient.evidence must be one of binding, signature",
    ],
    [
      "balances by what is to come",
      (s: Snapshot) =>
        withDestination(s, { balancing: { algorithm: "Maglev", slowStartMs: 0, preferLocal: true } }),
      "balancing.algorithm must be one of LeastRequest, RoundRobin, Random, RingHash",
    ],
    [
      "keeps requests together by what is to come",
      (s: Snapshot) =>
        withDestination(s, {
          balancing: { algorithm: "RingHash", hashOn: { type: "path" }, slowStartMs: 0, preferLocal: true },
        }),
      "balancing.hashOn.type must be one of header, cookie, query, sourceAddress",
    ],
    [
      "has sessions of a form to come",
      (s: Snapshot) =>
        withRoute(s, { session: { type: "Cookie", name: "a", lifetime: "Session", idleTimeoutMs: 1 } }),
      "session.idleTimeoutMs is not known to this runtime",
    ],
    [
      "has no traffic settings",
      (s: Snapshot) => withDestination(s, { traffic: {} }),
      "traffic.timeoutMs must be a number of 0 or more",
    ],
    [
      "has listeners without hosts",
      (s: Snapshot) => ({ ...s, listeners: [{ name: "a", port: 80, protocol: "HTTP" }] }),
      "listeners[0].hosts must be a list",
    ],
  ])("if it %s", async (_name, change, reason) => {
    const changed = change(JSON.parse(text) as Snapshot);
    const result = await loadAs(typeof changed === "string" ? changed : JSON.stringify(changed));
    expect(result.ok).toBe(false);
    expect(result.ok ? "" : result.reason).toContain(reason);
  });

  test("not if it says more than this runtime reads, where that narrows nothing", async () => {
    const more = { ...(JSON.parse(text) as Snapshot), later: 1 };
    expect((await loadAs(JSON.stringify(withDestination(more, { locality: "weur" })))).ok).toBe(true);
  });

  function withRule(s: Snapshot, change: object): unknown {
    return {
      ...s,
      inbound: {
        ...s.inbound,
        authorization: s.inbound.authorization.map((rule) => ({ ...rule, ...change })),
      },
    };
  }
  function withDestination(s: Snapshot, change: object): unknown {
    const key = "default/payments";
    return { ...s, destinations: { ...s.destinations, [key]: { ...s.destinations[key], ...change } } };
  }
  function withRoute(s: Snapshot, change: object): unknown {
    const rules = s.destinations["default/payments"]?.rules?.map((rule) => ({ ...rule, ...change }));
    return withDestination(s, { rules });
  }
  function withMatch(s: Snapshot, change: object): unknown {
    const [rule] = s.destinations["default/payments"]?.rules ?? [];
    return withRoute(s, { matches: rule?.matches.map((match) => ({ ...match, ...change })) });
  }
});
