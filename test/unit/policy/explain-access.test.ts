import { describe, expect, test } from "vitest";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { explainCall, explainEntry } from "../../../mesh-runtime/policy/explain.ts";
import type { Explanation, Surroundings } from "../../../mesh-runtime/policy/explanation.ts";
import { load } from "../../../mesh-runtime/policy/load.ts";
import { endings, question, surroundings, texts } from "./explaining.ts";
import { documents, policy, service } from "./writing.ts";

describe("access", () => {
  const watched = (more: readonly string[]) => compile(documents(...texts, ...more));
  const rules = [
    policy(
      "AuthorizationPolicy",
      "only-team-a",
      '{targetRefs: [{kind: Service, name: alone}], rules: [{from: [{source: {principals: ["*"], notNamespaces: [x]}}], to: [{operation: {methods: [GET], paths: ["/a*", "/{*}/b"]}}], when: [{key: "request.headers[X-Team]", values: [a]}]}]}',
    ),
    policy(
      "AuthorizationPolicy",
      "watch",
      "{action: AUDIT, targetRefs: [{kind: Service, name: alone}], rules: [{to: [{operation: {paths: [/a/secret]}}]}]}",
    ),
    '{apiVersion: mesh.tulle.dev/v1, kind: AuthorizationPolicy, metadata: {name: trial, annotations: {istio.io/dry-run: "true"}}, spec: {action: DENY, targetRefs: [{kind: Service, name: alone}], rules: [{}]}}',
    policy(
      "AuthorizationPolicy",
      "outside",
      '{action: DENY, targetRefs: [{kind: Service, name: gateway}], rules: [{from: [{source: {ipBlocks: [192.0.2.0/24]}}], to: [{operation: {hosts: ["*.example.com"]}}]}]}',
    ),
  ];

  async function asked(from: string, url: string, headers: HeadersInit = {}): Promise<Explanation> {
    const all = watched(rules);
    const text = canonicalJson(all.get(from));
    const result = await load(text, { epoch: 7, digest: await digestOf(text) }, from);
    if (!result.ok) throw new Error(result.reason);
    const question = { url: new URL(url), method: "GET", headers: new Fields(new Headers(headers)) };
    const around: Surroundings = {
      ...surroundings,
      access: (spiffeId) => {
        const inbound = [...all.values()].find((one) => one.spiffeId === spiffeId)?.inbound;
        return inbound && { mode: inbound.mode, rules: inbound.authorization };
      },
    };
    const { hostname } = question.url;
    const destination = result.value.destinationByHost(hostname);
    const listener = result.value.listenerFor(hostname, 80);
    if (from !== "default/gateway" && destination !== undefined)
      return explainCall(result.value, destination, question, around);
    if (listener === undefined) throw new Error(`nobody is ${hostname}`);
    return explainEntry(result.value, listener, question, around);
  }

  test("is told with all that the deciding rule asks for, and what audits and dry runs say", async () => {
    const answer = await asked("default/web", "http://alone/a/secret", { "x-team": "a" });
    expect(answer.backends[0]?.endpoints[0]).toMatchObject({
      access: {
        allowed: true,
        rule: "AuthorizationPolicy/default/only-team-a/0",
        audited: "AuthorizationPolicy/default/watch/0",
        dryRun: { allowed: false, rule: "AuthorizationPolicy/default/trial/0" },
      },
      because: "from * and not namespace x; GET and /a*, /{*}/b; header x-team is a",
    });
    expect(answer.notes).toEqual([
      "At default/alone: It is marked in the access log, by AuthorizationPolicy/default/watch/0.",
      "At default/alone: With the rules on a dry run it would be denied: AuthorizationPolicy/default/trial/0.",
    ]);
  });

  test("depends on the headers that are told", async () => {
    const answer = await asked("default/web", "http://alone/a", { "x-team": "b" });
    expect(endings(answer)).toEqual(["1 default/alone 403 denied: default: no ALLOW rule matched"]);
  });

  test("at a gateway depends on the address", async () => {
    const at = (headers: HeadersInit) => asked("default/gateway", "http://shop.example.com/buy", headers);
    const out = await at({ "x-forwarded-for": "192.0.2.7" });
    expect(out.endings).toMatchObject([
      { share: 1, fate: { kind: "refused", status: 403, detail: "AuthorizationPolicy/default/outside/0" } },
    ]);
    expect([out.served, out.backends]).toEqual([0, []]);
    expect(out.notes).toEqual([
      "The gateway keeps it out: AuthorizationPolicy/default/outside/0 (from address 192.0.2.0/24; host *.example.com).",
    ]);
    const within = await at({ "x-forwarded-for": "198.51.100.7" });
    expect(within.notes).toEqual(["The gateway lets it in: default: no ALLOW rule."]);
    expect(within.backends).toHaveLength(1);
    expect((await at({})).notes).toContainEqual(expect.stringContaining("with the header cf-connecting-ip"));
  });
});

describe("several endpoints", () => {
  const several = compile(
    documents(
      service("web"),
      service("here"),
      service("there"),
      service(
        "both",
        "{endpoints: [{service: here, weight: 3}, {service: there, priority: 1, locality: {region: weur}}]}",
      ),
      policy("AuthorizationPolicy", "here", "{targetRefs: [{kind: Service, name: here}], rules: [{}]}"),
      policy(
        "TrafficPolicy",
        "both",
        "{targetRefs: [{kind: Service, name: both}], loadBalancing: {algorithm: RingHash, hashOn: {header: X-User}}}",
      ),
    ),
  );

  test("are told each with who answers there and whether it lets the caller in, and how one is chosen", async () => {
    const text = canonicalJson(several.get("default/web"));
    const result = await load(text, { epoch: 1, digest: await digestOf(text) }, "default/web");
    if (!result.ok) throw new Error(result.reason);
    const both = result.value.destination("default/both");
    if (both === undefined) throw new Error("there is no service with two endpoints");
    const answer = explainCall(result.value, both, question("http://both/"), {
      ...surroundings,
      access: (spiffeId) => {
        const inbound = [...several.values()].find((one) => one.spiffeId === spiffeId)?.inbound;
        return inbound && { mode: inbound.mode, rules: inbound.authorization };
      },
    });
    expect(answer.backends).toMatchObject([
      {
        balancing: "RingHash by the header x-user, the nearest first",
        endpoints: [
          {
            name: "here",
            weight: 3,
            spiffeId: "spiffe://mesh.local/ns/default/sa/here",
            access: { allowed: true, rule: "AuthorizationPolicy/default/here/0" },
          },
          { name: "there", priority: 1, locality: { region: "weur" }, access: { allowed: false } },
        ],
      },
    ]);
    expect(endings(answer)).toEqual(["1 default/both reached"]);
    expect(answer.notes).toEqual(["Of default/both, there would not let the caller in."]);
  });
});
