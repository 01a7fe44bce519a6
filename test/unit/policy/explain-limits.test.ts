import { describe, expect, test } from "vitest";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { canonicalJson, digestOf } from "../../../mesh-runtime/policy/canonical.ts";
import { explainCall, explainEntry } from "../../../mesh-runtime/policy/explain.ts";
import type { Explanation, Surroundings } from "../../../mesh-runtime/policy/explanation.ts";
import { load } from "../../../mesh-runtime/policy/load.ts";
import { entering } from "../../../mesh-runtime/routing/listeners.ts";
import { value } from "../identity/fixture.ts";
import { snapshotOf } from "./compiling.ts";
import { allowAll, entry, gateway, policy, route, service } from "./writing.ts";

const surroundings: Surroundings = { now: 0, access: () => undefined, circuit: () => undefined };
const mesh = [
  allowAll(),
  service("web"),
  service("gateway"),
  service("a"),
  service("shop", "{virtual: true}"),
  gateway("public", "listeners: [{name: http, port: 80, protocol: HTTP}]"),
  entry("r", "parentRefs: [{name: public}], rules: [{backendRefs: [{name: a, port: 80}]}]"),
  route("s", "name: shop", "[{timeouts: {request: 2s}, backendRefs: [{name: a, port: 80}]}]"),
];
const traffic = (name: string, spec: string) =>
  policy("TrafficPolicy", name, `{targetRefs: [{kind: Service, name: ${name}}], ${spec}}`);

const loadedBy = async (workload: string, texts: readonly string[]) => {
  const text = canonicalJson(snapshotOf(workload, ...mesh, ...texts));
  return value(await load(text, { epoch: 1, digest: await digestOf(text) }, workload));
};
const asked = (url: string) => ({ url: new URL(url), method: "GET", headers: new Fields(new Headers()) });

async function entered(...texts: readonly string[]): Promise<Explanation> {
  const loaded = await loadedBy("default/gateway", texts);
  const question = asked("http://shop.example/");
  const target = entering(loaded.listenerFor, question.url);
  if (target === undefined) throw new Error("nobody listens");
  return explainEntry(loaded, target, question, surroundings);
}

async function called(...texts: readonly string[]): Promise<Explanation> {
  const loaded = await loadedBy("default/web", texts);
  const question = asked("http://shop/");
  const destination = loaded.destinationByHost("shop");
  if (destination === undefined) throw new Error("there is no shop");
  return explainCall(loaded, destination, question, surroundings);
}

describe("what bounds a request is explained with who said it", () => {
  const spoken = traffic("a", "timeout: 400ms, retry: {attempts: 2, perTryTimeout: 300ms}, maxInFlight: 5");

  test("at a gateway the policies of the backends, where they speak of it", async () => {
    const { limits, backends } = await entered(spoken);
    expect(limits).toMatchObject({
      requestTimeoutMs: { value: 400, from: "backends" },
      tryTimeoutMs: { value: 300, from: "backends" },
      retry: {
        attempts: { value: 2, from: "backends" },
        codes: { value: [502, 503, 504], from: "backends" },
      },
      maxInFlight: 1_024,
    });
    expect(backends.map(({ maxInFlight }) => maxInFlight)).toEqual([5]);
  });

  test("the mesh's defaults, where nobody does", async () => {
    const { limits, backends } = await entered(traffic("a", "circuit: {enabled: false}"));
    expect(limits).toMatchObject({
      requestTimeoutMs: { value: 15_000, from: "mesh" },
      retry: { attempts: { value: 1, from: "mesh" } },
    });
    expect(backends[0]).not.toHaveProperty("maxInFlight");
  });

  test("the route, then the Service that is called, then its backends", async () => {
    const { limits, backends } = await called(spoken, traffic("shop", "retry: {attempts: 4}"));
    expect(limits).toMatchObject({
      requestTimeoutMs: { value: 2_000, from: "route" },
      tryTimeoutMs: { value: 0, from: "destination" },
      retry: { attempts: { value: 4, from: "destination" } },
    });
    expect(backends.map(({ maxInFlight }) => maxInFlight)).toEqual([5]);
  });
});
