import { expect, test } from "vitest";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { explainCall, explainEntry } from "../../../mesh-runtime/policy/explain.ts";
import type { Explanation } from "../../../mesh-runtime/policy/explanation.ts";
import { load } from "../../../mesh-runtime/policy/load.ts";
import { value } from "../identity/fixture.ts";
import { documents, entry, gateway, policy, service } from "./writing.ts";

const demand = (name: string) =>
  policy(
    "AuthorizationPolicy",
    `users-of-${name}`,
    `{targetRefs: [{kind: Service, name: ${name}}], rules: [{from: [{source: {requestPrincipals: ["https://id.example/*"], notRequestPrincipals: ["*/mallory"]}}],
      when: [{key: "request.auth.claims[realm][roles]", values: [staff]}, {key: request.auth.audiences, values: [shop]}, {key: request.auth.principal, notValues: ["*/bob"]}]}]}`,
  );
const all = compile(
  documents(
    service("web"),
    service("pay"),
    service("gateway"),
    gateway("public", "listeners: [{name: http, protocol: HTTP, port: 80}]"),
    entry(
      "shop",
      'parentRefs: [{name: public}], rules: [{backendRefs: [{name: web, port: 80}]}, {matches: [{path: {value: /api}}], filters: [{type: CORS, cors: {allowOrigins: ["https://app.example"]}}], backendRefs: [{name: web, port: 80}]}]',
    ),
    demand("pay"),
    demand("gateway"),
    policy("AuthorizationPolicy", "open", "{targetRefs: [{kind: Service, name: web}], rules: [{}]}"),
  ),
);

async function asked(
  from: string,
  url: string,
  method = "GET",
  headers: Readonly<Record<string, string>> = {},
): Promise<Explanation> {
  const text = canonicalJson(all.get(from));
  const loaded = value(await load(text, { epoch: 1, digest: await digestOf(text) }, from));
  const question = { url: new URL(url), method, headers: new Fields(new Headers(headers)) };
  const around = {
    now: 0,
    circuit: () => undefined,
    access: (spiffeId: string) => {
      const inbound = [...all.values()].find((one) => one.spiffeId === spiffeId)?.inbound;
      return inbound && { mode: inbound.mode, rules: inbound.authorization };
    },
  };
  const { hostname } = question.url;
  const destination = loaded.destinationByHost(hostname);
  if (from !== "default/gateway" && destination !== undefined)
    return explainCall(loaded, destination, question, around);
  const listener = loaded.listenerFor(hostname, 80);
  if (listener === undefined) throw new Error(`nobody is ${hostname}`);
  return explainEntry(loaded, listener, question, around);
}

const said = "ask for the end user: what is told here is what becomes of a request without a token.";

test("of rules about end users it is told that they were asked without a token", async () => {
  expect((await asked("default/web", "http://pay/")).notes).toEqual([`At default/pay: Its rules ${said}`]);
  const out = await asked("default/gateway", "http://shop.example/");
  expect(out.notes).toContain(`Its rules ${said}`);
  expect(out.served).toBe(0);
  expect((await asked("default/pay", "http://web/")).notes).toEqual([]);
});

test("a preflight is answered before the gateway's rules are asked, where a rule with CORS is for it", async () => {
  const asks = { origin: "https://app.example", "access-control-request-method": "GET" };
  const at = (path: string, method: string) =>
    asked("default/gateway", `http://shop.example${path}`, method, asks);
  expect((await at("/api", "OPTIONS")).endings).toMatchObject([{ fate: { kind: "answered", status: 204 } }]);
  expect((await at("/", "OPTIONS")).served).toBe(0);
  expect((await at("/api", "GET")).served).toBe(0);
});
