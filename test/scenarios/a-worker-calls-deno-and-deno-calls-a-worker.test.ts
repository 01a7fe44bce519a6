import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePorts } from "../../bench/support.ts";
import { type DenoProcess, startDeno } from "../support/deno.ts";
import { root } from "../support/imports.ts";
import { type Insider, joinAs } from "../support/insider.ts";
import { selectors } from "../support/oidc-issuer.ts";
import { type OidcServer, startOidcServer } from "../support/oidc-server.ts";
import { type Bytes, type RawReply, written } from "../support/raw-socket.ts";
import type { Hop } from "./hop.ts";

const run = promisify(execFile);
const entry = fileURLToPath(new URL("workers/relay.ts", import.meta.url));
const main = fileURLToPath(new URL("deno/relay.ts", import.meta.url));
const id = (service: string): string => `spiffe://mesh.local/ns/default/sa/${service}`;
const [outerPort = 0, storePort = 0, secondPort = 0, carrierPort = 0] = await freePorts(4);

const allow = (callee: string, ...callers: readonly string[]): string => `
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: ${callee} }
spec:
  targetRefs: [{ kind: Service, name: ${callee} }]
  rules: [{ from: [{ source: { principals: [${callers.map((name) => `mesh.local/ns/default/sa/${name}`).join(", ")}] } }] }]
`;

/** `outer` and `carrier` run on Deno; `web` calls them, and they call `store`, which has an address beside the binding. */
const services = `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: outer }
spec: { endpoint: { url: "http://127.0.0.1:${outerPort}" } }
---
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: carrier }
spec: { endpoint: { url: "http://127.0.0.1:${carrierPort}" } }
---
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: store }
spec: { endpoint: { binding: STORE, url: "http://127.0.0.1:${storePort}" } }
---
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: everything }
spec: { sampleRatio: 1, accessLog: true }
`;

let mesh: TestMesh;
let deno: DenoProcess;
let denoDeploy: OidcServer;
let usedToken: string;

/** A one-time token, as an operator makes it. */
async function joinToken(): Promise<string> {
  const words = ["tulle", "identity", "token", "--service", "outer"];
  const { url, token } = mesh.operator;
  const env = { ...process.env, TULLE_URL: url, TULLE_TOKEN: token };
  return (await run("npx", words, { cwd: root, env })).stdout.trim();
}

beforeAll(async () => {
  denoDeploy = await startOidcServer();
  mesh = await startMesh({
    services: { web: { entry }, store: { entry, port: storePort } },
    policies: [services, allow("outer", "web"), allow("carrier", "web"), allow("store", "outer", "carrier")],
    controlVars: { TULLE_DENO_ISSUER: denoDeploy.url },
    onLog: () => undefined,
  });
  usedToken = await joinToken();
  const joining = { main, controlUrl: mesh.operator.url, service: "outer", port: outerPort };
  deno = await startDeno({ ...joining, joinToken: usedToken });
});
afterAll(async () => {
  await deno?.[Symbol.asyncDispose]();
  await mesh?.dispose();
  await denoDeploy?.[Symbol.asyncDispose]();
});

const call = (path = ""): Promise<Response> => mesh.from("web").fetch(`http://outer/${path}`);

test("each side knows the other by its signature, and the application sees none of it", async () => {
  const response = await call("store");
  expect(response.status).toBe(200);
  const outer = (await response.json()) as Hop;
  expect(outer).toMatchObject({
    caller: id("web"),
    evidence: "signature",
    next: { caller: id("outer"), evidence: "signature" },
  });
  const seen = [...outer.headers, ...(outer.next?.headers ?? [])];
  expect(
    seen.filter((name) => /^(?:workload-identity-token|signature|signature-input|tulle-.*)$/.test(name)),
  ).toEqual([]);
});

test("a worker that calls Deno often proves by a session, with the key that control sealed for that process", async () => {
  for (let asked = 0; asked < 7; asked++)
    expect(await (await call()).json()).toMatchObject({ caller: id("web"), evidence: "signature" });
  await mesh.settle();
  const text = await (await mesh.api("/metrics")).text();
  const counted = (event: string) =>
    new RegExp(`^tulle_workload_events_total\\{event="${event}"\\} (\\d+)$`, "m").exec(text)?.[1];
  expect(["session_proofs_begun", "session_proofs_disbelieved", "session_keys_refused"].map(counted)).toEqual(
    ["1", undefined, undefined],
  );
});

test("whoever no rule names is refused, by Deno as by a worker", async () => {
  const response = await mesh.from("store").fetch("http://outer/");
  expect(response.status).toBe(403);
  const refused = await deno.log.record(({ status }) => status === 403);
  expect(refused).toMatchObject({ direction: "inbound", peer: id("store"), refusal: "denied" });
});

test.each([
  ["without any proof", {}],
  ["with a proof that is none", { "workload-identity-token": "a.b.c", signature: "wimse=:AAAA:" }],
])("a request to Deno's port %s is refused", async (_, headers) => {
  const response = await fetch(deno.url, { headers });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ type: expect.stringMatching(/unidentified$/) });
});

describe("on Deno's socket, with proofs by the key of a member,", () => {
  let mallory: Insider;
  beforeAll(async () => {
    mallory = await joinAs(mesh, "web");
  });
  let asked = 0;
  /** A sound request, without the body that it is signed for. */
  async function signed(method: string, body?: string): Promise<Bytes> {
    const target = `/?${asked++}`;
    const what = { url: `http://outer${target}`, method, audience: "outer" };
    const { init } = await mallory.sign({ ...what, ...(body === undefined ? {} : { body }) });
    return { method, target, lines: [...init.headers] };
  }
  /** What the application saw; it answers in one chunk. */
  const seen = ({ text }: RawReply): Hop => JSON.parse(text.split("\r\n")[1] ?? "") as Hop;

  test.each<[what: string, signedFor: string | undefined, sent: string | undefined]>([
    ["another one", "gold", "lead"],
    ["a cut one", "gold", "go"],
    ["one with more behind", "gold", "golden"],
    ["an empty one in its place", "gold", ""],
    ["none in its place", "gold", undefined],
    ["one in the place of an empty one", "", "gold"],
    ["one in the place of none", undefined, "gold"],
  ])("44: a body that is %s is refused", async (_, signedFor, body) => {
    const sent = await signed("POST", signedFor);
    const refused = (status: number) => deno.log.records((record) => record.status === status).length;
    const before = refused(400);
    const reply = await written(outerPort, body === undefined ? sent : { ...sent, body });
    expect(reply.status).toBe(400);
    await deno.log.when(() => refused(400) > before);
    const { reason } = deno.log.records(({ status }) => status === 400).at(-1) ?? {};
    expect(reason).toMatch(/^step=digest /);
  });

  test("44: a body on a GET is none: Deno drops it, and the application sees nothing of it", async () => {
    for (const more of [{ body: "gold" }, { body: "gold", trailers: [] }, { body: "" }]) {
      const reply = await written(outerPort, { ...(await signed("GET")), ...more });
      expect([reply.status, seen(reply).hasBody]).toEqual([200, false]);
    }
    expect((await written(outerPort, { ...(await signed("GET", "gold")), body: "gold" })).status).toBe(400);
  });

  test("46: what comes in trailers is no header, covered or not", async () => {
    const late = ["x-late", "tulle-hops", "authorization"];
    const trailers = late.map((name) => [name, "1"] as const);
    const reply = await written(outerPort, { ...(await signed("POST", "gold")), body: "gold", trailers });
    expect([reply.status, seen(reply).headers.filter((name) => late.includes(name))]).toEqual([200, []]);
    for (const name of ["content-digest", "signature", "workload-identity-token"]) {
      const { lines, ...request } = await signed("POST", "gold");
      const isLate = ([each]: readonly [string, string]): boolean => each === name;
      const moved = { lines: lines.filter((line) => !isLate(line)), trailers: lines.filter(isLate) };
      expect((await written(outerPort, { ...request, ...moved, body: "gold" })).status).toBe(400);
    }
  });

  test.each<[number, string, Bytes["lines"]]>([
    [29, "a header @method", [["@method", "DELETE"]]],
    [47, "200 headers", Array.from({ length: 200 }, (_, at) => [`x-${at}`, "v"] as const)],
    [
      47,
      "600 KB of headers",
      Array.from({ length: 60 }, (_, at) => [`x-${at}`, "v".repeat(10_000)] as const),
    ],
  ])("%i: %s reaches nobody: Deno answers 400", async (_, _what, more) => {
    const { lines, ...request } = await signed("GET");
    const { status, text } = await written(outerPort, { ...request, lines: [...lines, ...more] });
    expect([status, text]).toEqual([400, ""]);
  });
});

test("a join token works once: a second process that shows it is told what to do, and serves nothing", async () => {
  await using second = await startDeno({
    main,
    controlUrl: mesh.operator.url,
    service: "outer",
    joinToken: usedToken,
    port: secondPort,
  });
  const said = await second.log.line("not ready");
  expect(said).toContain("tulle identity token --service default/");
  expect(said).not.toContain(usedToken);
  const response = await fetch(second.url);
  expect(response.status).toBe(500);
  expect(await response.json()).toMatchObject({ type: expect.stringMatching(/misconfigured$/) });
});

test("a token for another service, or that nobody made, opens nothing", async () => {
  for (const [service, token] of [
    ["store", await joinToken()],
    ["outer", "A".repeat(43)],
  ] as const) {
    await using second = await startDeno({
      main,
      controlUrl: mesh.operator.url,
      service,
      joinToken: token,
      port: secondPort,
    });
    expect(await second.log.line("not ready")).toContain("tulle identity token --service default/");
    expect((await fetch(second.url)).status).toBe(500);
  }
});

/** Asks the admin API to change registration entries. */
async function entries<Answer>(path: string, body: object): Promise<Answer> {
  const init = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  return (await mesh.api(`/api/identity/entries${path}`, init)).json() as Promise<Answer>;
}

test("an app of Deno Deploy joins by the word of its platform, and is out once its entry is revoked", async () => {
  const { idTokens } = denoDeploy;
  const app = { main, controlUrl: mesh.operator.url, service: "carrier", idTokens, port: carrierPort };
  const through = (): Promise<Response> => mesh.from("web").fetch("http://carrier/store");
  {
    await using stranger = await startDeno(app);
    const said = await stranger.log.line("not ready");
    expect(said).toContain("tulle identity create --service default/carrier --attestor deno-deploy");
    expect(said).not.toContain("eyJ");
  }
  const wish = { service: "carrier", attestor: "deno-deploy", selectors };
  const { id: entryId } = await entries<{ id: string }>("", wish);
  {
    denoDeploy.claims = { context_name: "preview" };
    await using preview = await startDeno(app);
    expect(await preview.log.line("not ready")).toContain("does not make it default/carrier");
    denoDeploy.claims = {};
  }
  await using _carrier = await startDeno(app);
  const response = await through();
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ caller: id("web"), next: { caller: id("carrier") } });

  const given = denoDeploy.given();
  await entries(`/${entryId}/revoke`, { reason: "moved away" });
  let status = 200;
  for (let asked = 0; status === 200 && asked < 1_000; asked++) {
    const answer = await through();
    await answer.body?.cancel();
    ({ status } = answer);
  }
  // Refused by the store, or the carrier itself knows that nobody would believe it.
  expect([400, 503]).toContain(status);
  // It has tried to become itself again, and got nothing.
  for (let asked = 0; denoDeploy.given() === given && asked < 1_000; asked++)
    await (await through()).body?.cancel();
  expect(denoDeploy.given()).toBeGreaterThan(given);
  expect([400, 503]).toContain((await through()).status);
});

test("both hops and both runtimes are in one trace, each span the child of the one before it", async () => {
  await (await call("store")).body?.cancel();
  const isLast = (found: { readonly status: number }): boolean => found.status === 200;
  const { traceId } = await deno.log.record((found) => isLast(found) && found.direction === "outbound");
  const services = ["web", "outer", "outer", "store"].map((name) => `default/${name}`);
  let spans = await mesh.trace(traceId);
  // Deno reports when its next report is due: within seconds, and nothing here can hurry it.
  for (let look = 0; spans.length < services.length && look < 2_000; look++)
    spans = await mesh.trace(traceId);
  expect(spans.map(({ workload }) => workload)).toEqual(services);
  expect(spans.map(({ parentSpanId }) => parentSpanId)).toEqual([
    undefined,
    ...spans.slice(0, -1).map(({ spanId }) => spanId),
  ]);
});

test("a change of policy reaches Deno with the next requests", async () => {
  const change = async (callers: readonly string[], expected: number): Promise<void> => {
    expect(await mesh.apply([allow("outer", ...callers)])).toMatchObject({ applied: true });
    let status = 0;
    for (let asked = 0; status !== expected && asked < 1_000; asked++) {
      const response = await call();
      await response.body?.cancel();
      ({ status } = response);
    }
    expect(status).toBe(expected);
  };
  await change(["store"], 403);
  await change(["web"], 200);
});

test("with control down Deno serves and calls on, with what it has", async () => {
  await mesh.break("control", { status: 503 });
  for (let asked = 0; asked < 20; asked++) {
    const response = await call("store");
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ caller: id("web"), next: { caller: id("outer") } });
  }
  await mesh.mend("control");
});
