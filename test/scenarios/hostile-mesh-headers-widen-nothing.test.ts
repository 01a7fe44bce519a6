import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Insider, joinAs } from "../support/insider.ts";
import type { Hop } from "./hop.ts";

/** What reaches the last hop, which is a server here that always fails. */
let reached: IncomingHttpHeaders[] = [];
const last = createServer((request, response) => {
  reached.push(request.headers);
  response.writeHead(503).end();
});

const policies = (lastUrl: string): string => `
apiVersion: mesh.tulle.dev/v1
kind: Service
metadata: { name: last }
spec: { endpoint: { url: "${lastUrl}" } }
---
apiVersion: mesh.tulle.dev/v1
kind: TrafficPolicy
metadata: { name: last }
spec:
  targetRefs: [{ kind: Service, name: last }]
  timeout: 10s
  retry: { attempts: 1, budgetRatio: 1, backoffBase: 1ms, backoffMax: 1ms }
  circuit: { enabled: false }
---
apiVersion: mesh.tulle.dev/v1
kind: AuthorizationPolicy
metadata: { name: everybody-verified }
spec: { rules: [{ from: [{ source: { principals: ["*"] } }] }] }
`;

let mesh: TestMesh;
/** A real member of the mesh, as web, that signs whatever it likes. */
let mallory: Insider;

beforeAll(async () => {
  await new Promise<void>((resolve) => last.listen(0, "127.0.0.1", resolve));
  const relay = { entry: fileURLToPath(new URL("workers/relay.ts", import.meta.url)) };
  mesh = await startMesh({
    services: { web: relay, callee: relay, last: relay },
    policies: [policies(`http://127.0.0.1:${(last.address() as AddressInfo).port}`)],
  });
  mallory = await joinAs(mesh, "web");
});
afterAll(async () => {
  await mesh?.dispose();
  last.close();
});
beforeEach(() => {
  reached = [];
});

/** Sends a request to callee, which passes it on to the last hop; the headers are signed. */
async function send(headers: Record<string, string>, to = "/last"): Promise<Response> {
  const { url, init } = await mallory.sign({ url: `http://callee${to}`, audience: "callee", headers });
  return mesh.raw("callee").fetch(url, init);
}
/** What the last hop was told, try by try. */
const told = (name: string): readonly unknown[] => reached.map((headers) => headers[name]);
const long = "9".repeat(3_000);
const meshHeaders = ["tulle-attempt-credits", "tulle-deadline-ms", "tulle-epoch", "tulle-hops"];

describe("an identified caller that says of its attempt credits", () => {
  test.each<[string, string, number]>([
    ["nothing", "", 2],
    ["more than there can be", "999999999", 2],
    ["ten", "10", 2],
    ["one", "1", 2],
    ["none", "0", 1],
    ["less than none", "-1", 1],
    ["a fraction", "2.5", 1],
    ["an exponent", "1e9", 1],
    ["a leading zero", "05", 1],
    ["two numbers", "5, 5", 1],
    ["a word", "unlimited", 1],
    ["3,000 digits", long, 1],
  ])(
    "%s gets the tries of the policy at most, and nobody below gets more than ten",
    async (_what, said, tries) => {
      const response = await send(said === "" ? {} : { "tulle-attempt-credits": said });
      expect(response.status).toBe(503);
      expect(reached).toHaveLength(tries);
      for (const lent of told("tulle-attempt-credits")) {
        expect(lent).toMatch(/^\d+$/);
        expect(Number(lent)).toBeLessThanOrEqual(10);
      }
      expect(Number(response.headers.get("tulle-attempt-credits"))).toBeLessThanOrEqual(10);
    },
  );
});

describe("an identified caller that says of its deadline", () => {
  test.each([
    ["a day", "86400000"],
    ["more than a day", "86400001"],
    ["less than nothing", "-5"],
    ["a word", "never"],
    ["infinity", "Infinity"],
    ["3,000 digits", long],
  ])("%s gets the time of the policy at most", async (_what, said) => {
    expect((await send({ "tulle-deadline-ms": said })).status).toBe(503);
    for (const left of told("tulle-deadline-ms")) {
      expect(left).toMatch(/^\d+$/);
      expect(Number(left)).toBeLessThanOrEqual(10_000);
    }
    expect(reached.length).toBeGreaterThan(0);
  });

  test("that it is over gets no time, and nothing is run or sent", async () => {
    const response = await send({ "tulle-deadline-ms": "0" });
    expect([response.status, reached]).toEqual([504, []]);
  });
});

describe("an identified caller that says of its hops", () => {
  test.each([
    ["nothing", "", "1"],
    ["as many as may be", "16", "17"],
    ["less than none", "-3", "1"],
    ["a word", "few", "1"],
    ["an exponent", "1e1", "1"],
    ["3,000 digits", long, "1"],
  ])("%s is counted on from there, or from the start", async (_what, said, next) => {
    expect((await send(said === "" ? {} : { "tulle-hops": said })).status).toBe(503);
    expect(new Set(told("tulle-hops"))).toEqual(new Set([next]));
  });

  test.each(["17", "999999999999999"])("%s is taken for a loop, and nothing is run or sent", async (said) => {
    const response = await send({ "tulle-hops": said });
    expect([response.status, reached]).toEqual([508, []]);
  });
});

describe("an identified caller that claims", () => {
  test.each(["999999999999999", "-1", "2, 3", "newest", long])(
    "to know the epoch %s changes none",
    async (said) => {
      const response = await send({ "tulle-epoch": said }, "/");
      expect(response.status).toBe(200);
      expect(response.headers.get("tulle-epoch")).toBe("1");
      await mesh.settle();
      await send({});
      expect(new Set(told("tulle-epoch"))).toEqual(new Set(["1"]));
    },
  );

  test.each(["default/web=zzzz.zzzz.o.0.9zzz", "%", long])(
    "that circuits are open (%s) is not believed",
    async (said) => {
      expect((await send({ "tulle-circuits": said }, "/web")).status).toBe(200);
      expect((await send({}, "/web")).status).toBe(200);
    },
  );

  test("to have been refused, or anything else of the mesh's, is not passed on, and no application sees it", async () => {
    const invented = { "tulle-problem": "denied", "tulle-anything": long };
    const response = await send(invented, "/");
    expect(((await response.json()) as Hop).headers.filter((name) => name.startsWith("tulle-"))).toEqual([]);
    await send(invented);
    for (const headers of reached) {
      expect(
        Object.keys(headers)
          .filter((name) => name.startsWith("tulle-"))
          .sort(),
      ).toEqual(meshHeaders);
    }
    expect(reached.length).toBeGreaterThan(0);
  });
});

describe("an identified caller that says of its trace", () => {
  const traceparent = (id: string, span = "2".repeat(16), version = "00", more = ""): string =>
    `${version}-${id}-${span}-01${more}`;

  test("what the standard allows is continued", async () => {
    await send({ traceparent: traceparent("1".repeat(32)), tracestate: "us=1", baggage: "tenant=7" });
    expect(told("traceparent")[0]).toMatch(new RegExp(`^00-${"1".repeat(32)}-(?!2{16})[0-9a-f]{16}-01$`));
    expect([told("tracestate")[0], told("baggage")[0]]).toEqual(["us=1", "tenant=7"]);
  });

  test.each([
    ["no trace", "0".repeat(32), traceparent("0".repeat(32))],
    ["no span", "1".repeat(32), traceparent("1".repeat(32), "0".repeat(16))],
    ["capitals", "ABCD".repeat(8), traceparent("ABCD".repeat(8))],
    ["a version that cannot be", "1".repeat(32), traceparent("1".repeat(32), undefined, "ff")],
    ["something behind the flags", "1".repeat(32), traceparent("1".repeat(32), undefined, "00", "-more")],
    ["two of them", "1".repeat(32), `${traceparent("1".repeat(32))}, ${traceparent("1".repeat(32))}`],
    ["3,000 digits", long, long],
  ])("%s begins a new trace, and takes its state along", async (_what, id, said) => {
    await send({ traceparent: said, tracestate: "us=1" });
    const [next] = told("traceparent");
    expect(next).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
    expect(String(next).slice(3, 35)).not.toBe(id.toLowerCase().slice(0, 32));
    expect(told("tracestate")[0]).toBeUndefined();
  });

  test.each([
    ["baggage without a value", { baggage: "tenant" }],
    ["baggage that is too long", { baggage: `tenant=${"7".repeat(9_000)}` }],
    ["a state that is none", { tracestate: "=;=,," }],
  ])("%s goes no further", async (_what, said) => {
    await send({ traceparent: traceparent("1".repeat(32)), ...said });
    expect(told("traceparent")[0]).toContain("1".repeat(32));
    expect([told("tracestate")[0], told("baggage")[0]]).toEqual([undefined, undefined]);
  });
});

test("after all that nothing of the mesh has crashed, and its workers answer", async () => {
  await mesh.settle();
  const metrics = await (await mesh.api("/metrics")).text();
  expect(metrics).not.toContain('event="crashes"');
  expect(metrics).not.toContain('event="telemetry_failed"');
  expect((await mesh.from("web").fetch("http://callee/")).status).toBe(200);
});
