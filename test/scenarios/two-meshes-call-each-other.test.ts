import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePorts } from "../../bench/support.ts";
import type { FederationLine, IdentitiesAnswer, KeysAnswer } from "../../control/api/contract.ts";
import type { Hop } from "./hop.ts";

/*
 * Two meshes of two owners, each with a control plane, an issuer and a trust domain of its own. Both have a `web` and a
 * `store` in a namespace of the same name. They reach each other over HTTP, and fetch each other's bundles so.
 */

const entry = fileURLToPath(new URL("workers/relay.ts", import.meta.url));
const [alphaPort = 0, betaPort = 0] = await freePorts(2);
const domains = { alpha: "alpha.example", beta: "beta.example" } as const;
type Name = keyof typeof domains;
const ports = { alpha: alphaPort, beta: betaPort };

const documents = (other: Name, demands = ""): string => `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: far-store }
spec:
  trustDomain: ${domains[other]}
  identity: spiffe://${domains[other]}/ns/default/sa/store
  endpoint: { url: "http://127.0.0.1:${ports[other]}" }
  ${demands}
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: store }
spec:
  targetRefs: [{ kind: Service, name: store }]
  rules: [{ from: [{ source: { principals: [${domains[other]}/ns/default/sa/web] } }] }]
`;

const start = (own: Name, other: Name): Promise<TestMesh> =>
  startMesh({
    services: { web: { entry }, store: { entry, port: ports[own] } },
    policies: [documents(other)],
    controlVars: { TRUST_DOMAIN: domains[own] },
  });

let meshes: Record<Name, TestMesh>;
beforeAll(async () => {
  const [alpha, beta] = await Promise.all([start("alpha", "beta"), start("beta", "alpha")]);
  meshes = { alpha, beta };
});
afterAll(() => Promise.all(Object.values(meshes ?? {}).map((mesh) => mesh.dispose())));

const bundleOf = (name: Name): string => `${meshes[name].operator.url}/.well-known/tulle/jwks.json`;

/** Lets the workers of both meshes hear what is new; their clocks go alike. */
async function passed(): Promise<void> {
  for (const time of ["1s", "2s"]) await Promise.all(Object.values(meshes).map((mesh) => mesh.advance(time)));
}

/** Tells a mesh's control something, and lets its workers hear what came of it. */
async function told<Answer>(name: Name, path: string, body: object = {}, method = "POST"): Promise<Answer> {
  const init = { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await meshes[name].api(path, init);
  expect(response.status).toBe(200);
  await passed();
  return (await response.json()) as Answer;
}
async function asked<Answer>(name: Name, path: string): Promise<Answer> {
  return (await (await meshes[name].api(path)).json()) as Answer;
}
const federate = (own: Name, other: Name): Promise<FederationLine> =>
  told(own, "/api/federation", {
    trustDomain: domains[other],
    bundleEndpoint: { url: bundleOf(other), profile: "https_web" },
  });

const call = (from: Name, service = "web"): Promise<Response> =>
  meshes[from].from(service).fetch("http://far-store/");
const problemOf = async (response: Response): Promise<string> =>
  `${response.status} ${((await response.json()) as { type: string }).type.split("/").at(-1)}`;

test("strangers are refused until an operator says whom to believe, and then each knows the other by name", async () => {
  expect(await problemOf(await call("alpha"))).toBe("400 unidentified");
  expect(await federate("beta", "alpha")).toMatchObject({ state: "ok", keys: [expect.any(String)] });
  const response = await call("alpha");
  expect(response.status).toBe(200);
  const hop = (await response.json()) as Hop;
  expect(hop).toMatchObject({ caller: "spiffe://alpha.example/ns/default/sa/web", evidence: "signature" });
  expect(
    hop.headers.filter((name) => /^(?:workload-identity-token|signature.*|tulle-.*)$/.test(name)),
  ).toEqual([]);
  expect([...response.headers.keys()].filter((name) => name.startsWith("tulle-"))).toEqual([]);
});

test("that one believes the other says nothing about whom the other believes: callers, and answers that shall be signed", async () => {
  expect(await problemOf(await call("beta"))).toBe("400 unidentified");
  await meshes.alpha.apply([documents("beta", "responses: signed")]);
  expect(await problemOf(await call("alpha"))).toBe("502 answer-unverified");
  await federate("alpha", "beta");
  expect((await call("alpha")).status).toBe(200);
  const back = await call("beta");
  expect(await back.json()).toMatchObject({ caller: "spiffe://beta.example/ns/default/sa/web" });
  await meshes.alpha.apply([documents("beta")]);
});

test("who is called alike in another trust domain is somebody else", async () => {
  // The rule at beta's store lets in alpha's web: neither alpha's store, nor beta's own web.
  expect(await problemOf(await call("alpha", "store"))).toBe("403 denied");
  expect(await problemOf(await meshes.beta.from("web").fetch("http://store/"))).toBe("403 denied");
  const { edges } = await meshes.beta.signals();
  const sources = edges.flatMap(({ perspective, destination, source }) =>
    perspective === "inbound" && destination === "default/store" ? [source] : [],
  );
  expect([...new Set(sources)].sort()).toEqual(["alpha.example", "default/web", "unknown"]);
});

test("a mesh issues no names of another: a document that wants it is refused, or nobody can join as it", async () => {
  const named = (spec: string): string =>
    `\napiVersion: mesh.tulle.dev/v1\nkind: Service\nmetadata: { name: impostor }\nspec: { ${spec} }\n`;
  const identity = "identity: spiffe://beta.example/ns/default/sa/web";
  const refused = await meshes.alpha.apply([named(identity)]);
  expect(refused.applied).toBe(false);
  expect(refused.issues.filter(({ severity }) => severity === "error")).toEqual([
    expect.objectContaining({ message: expect.stringContaining("identities of alpha.example alone") }),
  ]);
  const far = `trustDomain: beta.example, ${identity}, endpoint: { url: "http://127.0.0.1:1" }`;
  expect((await meshes.alpha.apply([named(far)])).applied).toBe(true);
  const { identities } = await asked<IdentitiesAnswer>("alpha", "/api/identity");
  expect(identities.map(({ service }) => service).sort()).toEqual([
    "default/gateway",
    "default/store",
    "default/web",
  ]);
});

test("a key that alpha takes back is believed at beta until beta looks again, and its next one from then on", async () => {
  const { keys } = await asked<KeysAnswer>("alpha", "/api/keys");
  const kid = keys.find(({ use }) => use === "signing")?.kid;
  await told("alpha", "/api/keys/revoke", { kid });
  // Alpha's workers sign with the next key, of which beta has not heard.
  expect(await problemOf(await call("alpha"))).toBe("400 unidentified");
  await told("beta", "/api/federation/alpha.example/refresh");
  expect((await call("alpha")).status).toBe(200);
});

test("one of alpha's workloads is revoked at beta, whatever alpha thinks of it", async () => {
  const spiffeId = "spiffe://alpha.example/ns/default/sa/web";
  await told("beta", "/api/identity/revocations", { spiffeId, reason: "misbehaves" });
  expect(await problemOf(await call("alpha"))).toBe("400 unidentified");
  await told("beta", "/api/identity/revocations/lift", { spiffeId });
});

test("when beta ends it, alpha's workloads are strangers again", async () => {
  await told("beta", "/api/federation/alpha.example", {}, "DELETE");
  expect(await problemOf(await call("alpha"))).toBe("400 unidentified");
  expect((await call("beta")).status).toBe(200);
});
