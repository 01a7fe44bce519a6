import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AccessLog } from "../support/access-log.ts";
import { joinAs } from "../support/insider.ts";

const moving = (mode: "PERMISSIVE" | "STRICT"): string => `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: moving }
spec: { mode: ${mode} }
`;
const policies = `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: half }
spec: { mode: PERMISSIVE }
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: half }
spec:
  targetRefs: [{ kind: Service, name: half }]
  rules:
    - from: [{ source: { principals: [mesh.local/ns/default/sa/web] } }]
    - to: [{ operation: { methods: [GET], paths: [/public] } }]
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: strict }
spec:
  targetRefs: [{ kind: Service, name: strict }]
  rules: [{}]
---
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: everything }
spec: { accessLog: true }
`;

const log = new AccessLog();
let mesh: TestMesh;
let runs: Request[] = [];

beforeAll(async () => {
  const handle = (request: Request) => {
    runs.push(request);
    return new Response("done");
  };
  const names = ["web", "moving", "half", "strict"];
  mesh = await startMesh({
    services: Object.fromEntries(names.map((name) => [name, { fetch: handle }])),
    policies: [moving("PERMISSIVE"), policies],
    onLog: log.take,
  });
});
afterAll(() => mesh?.dispose());
beforeEach(() => {
  runs = [];
});

/** How many callers without identity the mesh has let in so far. */
async function admitted(): Promise<number> {
  await mesh.settle();
  const text = await (await mesh.api("/metrics")).text();
  const [, value = "0"] =
    /^tulle_workload_events_total\{event="permissive_admitted"\} (\d+)$/m.exec(text) ?? [];
  return Number(value);
}

/** Sends a request past the gateway, without identity, and waits until the log tells of it. */
async function strangerAt(service: string, path = `/${crypto.randomUUID()}`, init: RequestInit = {}) {
  const arrivals = () => log.records((each) => each.workload === `default/${service}` && each.path === path);
  const before = arrivals().length;
  const { status } = await mesh.raw(service).fetch(`http://${service}${path}`, init);
  await log.when(() => arrivals().length > before);
  return { status, record: arrivals().at(-1) };
}

const stranger = { peer: "", evidence: "" };

describe("in PERMISSIVE mode a caller without identity", () => {
  test("is let in where nobody has written an ALLOW rule, marked in the log, and counted", async () => {
    const before = await admitted();
    const { status, record } = await strangerAt("moving");
    expect(status).toBe(200);
    expect(record).toMatchObject({ ...stranger, status: 200, rule: "default: PERMISSIVE and no ALLOW rule" });
    expect(await admitted()).toBe(before + 1);
    const { edges } = await mesh.signals();
    const edge = edges.find(
      ({ source, destination }) => source === "unknown" && destination === "default/moving",
    );
    expect(edge).toMatchObject({ perspective: "inbound", class: "2xx" });
  });

  test("brings no header of the mesh along, and no name that it gives itself", async () => {
    await strangerAt("moving", undefined, {
      headers: {
        "tulle-deadline-ms": "0",
        "tulle-hops": "99",
        "tulle-attempt-credits": "10",
        "x-spiffe-id": "spiffe://mesh.local/ns/default/sa/web",
      },
    });
    const seen = [...(runs[0]?.headers.keys() ?? [])];
    expect(runs).toHaveLength(1);
    expect(seen.filter((name) => /^(tulle-|x-spiffe)/.test(name))).toEqual([]);
  });

  test("gets no news of the mesh with its answer", async () => {
    const { headers } = await mesh.raw("moving").fetch("http://moving/");
    expect([...headers.keys()].filter((name) => name.startsWith("tulle-"))).toEqual([]);
  });

  test("gets what the rules allow everybody, where there are rules, and nothing else", async () => {
    const open = await strangerAt("half", "/public");
    expect([open.status, open.record]).toMatchObject([
      200,
      { ...stranger, rule: "AuthorizationPolicy/default/half/1" },
    ]);
    const closed = await strangerAt("half", "/private");
    expect([closed.status, closed.record]).toMatchObject([403, { ...stranger, refusal: "denied" }]);
    expect(runs).toHaveLength(1);
  });

  test("that tries to prove an identity and fails is refused, and counts as nobody who was let in", async () => {
    const before = await admitted();
    const { status, record } = await strangerAt("moving", undefined, {
      headers: { "workload-identity-token": "no.token.at-all" },
    });
    expect([status, record]).toMatchObject([400, { refusal: "unidentified" }]);
    const insider = await joinAs(mesh, "web");
    const { url, init } = await insider.sign({ url: "http://moving/stolen", audience: "half" });
    expect((await mesh.raw("moving").fetch(url, init)).status).toBe(400);
    expect(runs).toEqual([]);
    expect(await admitted()).toBe(before);
  });
});

test("in PERMISSIVE mode a caller with identity is known as ever, and counts as no stranger", async () => {
  const before = await admitted();
  expect((await mesh.from("web").fetch("http://half/private")).status).toBe(200);
  const record = await log.record(({ peer, workload }) => workload === "default/half" && peer !== "");
  expect(record).toMatchObject({
    peer: "spiffe://mesh.local/ns/default/sa/web",
    evidence: "signature",
    rule: "AuthorizationPolicy/default/half/0",
  });
  expect(await admitted()).toBe(before);
});

describe("in STRICT mode", () => {
  test("nobody without identity is let in, not even where a rule allows everybody", async () => {
    const before = await admitted();
    const { status, record } = await strangerAt("strict");
    expect([status, record]).toMatchObject([400, { ...stranger, refusal: "unidentified", rule: "" }]);
    expect(runs).toEqual([]);
    expect(await admitted()).toBe(before);
    expect((await mesh.from("web").fetch("http://strict/")).status).toBe(200);
  });

  test("a service that was PERMISSIVE shuts with the next policy, and opens with the one after", async () => {
    expect((await strangerAt("moving")).status).toBe(200);
    await mesh.apply([moving("STRICT")]);
    expect((await strangerAt("moving")).status).toBe(400);
    await mesh.apply([moving("PERMISSIVE")]);
    expect((await strangerAt("moving")).status).toBe(200);
  });
});
