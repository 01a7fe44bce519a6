import { evictAllDurableObjects } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { emptyHistogram } from "@tulle/mesh-runtime/telemetry/histogram.ts";
import type { EdgeDelta, SpanRecord } from "@tulle/mesh-runtime/telemetry/words.ts";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { CheckAnswer, ServicesAnswer, TraceAnswer } from "../../control/api/contract.ts";
import { Freshness } from "../../control/freshness.ts";
import { report } from "../../control/membership.ts";
import { api, apply, joined, permission, reportRequest, service, store } from "./support.ts";
import { inMeshOfTwo, verbs } from "./verbs.ts";

inMeshOfTwo();

describe("reporting", () => {
  const edge: EdgeDelta = {
    perspective: "attempt",
    source: "default/web",
    destination: "default/payments",
    route: "default",
    backend: "default/payments",
    class: "2xx",
    refusal: "",
    count: 3,
    latency: emptyHistogram().with(0, 3),
    latencySumMs: 3,
  };

  test("whoever runs an older epoch gets the head, and the snapshot if its digest differs", async () => {
    const { report } = verbs();
    const behind = await report();
    expect(behind).toMatchObject({
      ok: true,
      epoch: 1,
      head: expect.any(String),
      snapshot: expect.any(String),
    });
    expect(behind).toMatchObject({ bundle: expect.any(String) });
  });

  test("whoever is up to date gets nothing but the epoch", async () => {
    const { report } = verbs();
    const answer = await report({ epoch: 1, bundleSequence: 1 });
    expect(answer).toEqual({ ok: true, epoch: 1, circuits: [], nextReportMs: 5_000 });
  });

  test("a change is heard of at once by whoever has heard of it elsewhere, and within 250 ms by all", async () => {
    const freshness = new Freshness();
    const start = Date.now();
    const at = (now: number, epoch: number) =>
      report(
        { env, freshness, now, waitUntil: () => undefined },
        reportRequest("default/web", { epoch, bundleSequence: 1 }),
        "default/web",
      );
    expect(await at(start, 1)).toMatchObject({ epoch: 1 });
    await apply(service("orders"));
    expect(await at(start + 249, 1)).toMatchObject({ epoch: 1 });
    expect(await at(start + 249, 2)).toMatchObject({ epoch: 2 });
    expect(await at(start + 250, 1)).toMatchObject({ epoch: 2, head: expect.any(String) });
  });

  test("epochs that are made up cost one question more in the time that knowledge is fresh, however many come", async () => {
    const freshness = new Freshness();
    let questions = 0;
    const counted = {
      getByName: () => ({
        ask: async (_passes: unknown, _method: string, [known]: [number]) => {
          questions++;
          return store().view(known);
        },
      }),
    };
    const from = { ...env, POLICY: counted as unknown as typeof env.POLICY };
    const start = Date.now();
    const asked = async (at: number, ...epochs: number[]): Promise<number> => {
      questions = 0;
      await Promise.all(epochs.map((epoch) => freshness.mesh(from, start + at, epoch)));
      for (const epoch of epochs) await freshness.mesh(from, start + at, epoch);
      return questions;
    };
    const madeUp = [2, 3, 1_000, Number.MAX_SAFE_INTEGER];
    expect(await asked(0, 1)).toBe(1);
    expect(await asked(1, ...madeUp)).toBe(1);
    expect(await asked(249, ...madeUp)).toBe(0);
    // Who told the truth is heard at once, and so is the next one.
    await apply(service("orders"));
    expect(await asked(260, 2)).toBe(1);
    await apply(service("carts"));
    expect(await asked(261, 3)).toBe(1);
    await apply(service("stock"));
    expect(await asked(262, 4)).toBe(1);
    expect((await freshness.mesh(from, start + 263)).epoch).toBe(4);
  });

  test("edges are kept with the callee, once however often they are delivered", async () => {
    const { report } = verbs();
    for (let delivery = 0; delivery < 2; delivery++) await report({ id: "same", edges: [edge] });
    const { body } = await api<ServicesAnswer>("GET", "/api/services?windowMs=60000");
    expect(body.edges).toEqual([edge]);
    expect(body.latencyBoundsMs).toHaveLength(edge.latency.length - 1);
  });

  test("edges to what is no service of the mesh stay with the reporter", async () => {
    const { report } = verbs();
    const outside = { ...edge, perspective: "effective", destination: "default/edge/http" } as const;
    await report({ edges: [outside] });
    expect((await api<ServicesAnswer>("GET", "/api/services")).body.edges).toEqual([outside]);
  });

  test("failures that sentinels report open the circuit for everybody, and those who join hear of it", async () => {
    await apply(permission("payments", "web"));
    const { report, join } = verbs();
    const row = { circuit: "default/payments", success: 0, failure: 30, overload: 0, evidence: true };
    const answer = await report({ circuits: [{ ...row, incarnation: 0, epoch: 0 }] });
    expect(answer).toMatchObject({ circuits: [{ verdict: { circuit: "default/payments", state: "open" } }] });
    expect(joined(await join()).circuits).toMatchObject([{ verdict: { state: "open" }, sentinel: false }]);
    await evictAllDurableObjects();
    const { body } = await api<ServicesAnswer>("GET", "/api/services");
    expect(body.circuits).toMatchObject([{ circuit: "default/payments", state: "open" }]);
  });

  test("who may not call a service has no say on its circuit", async () => {
    const { report } = verbs();
    const row = { circuit: "default/payments", success: 0, failure: 100, overload: 0, evidence: true };
    const answer = await report({ circuits: [{ ...row, incarnation: 0, epoch: 0, ask: true }] });
    expect(answer).toMatchObject({ ok: true, circuits: [] });
    const { body } = await api<ServicesAnswer>("GET", "/api/services");
    expect(body.circuits.filter(({ state }) => state !== "closed")).toEqual([]);
  });

  test("a circuit of what is no service of the mesh makes no object", async () => {
    const { report } = verbs();
    const row = { circuit: "default/nobody", success: 0, failure: 30, overload: 0, evidence: true };
    expect(await report({ circuits: [{ ...row, incarnation: 0, epoch: 0 }] })).toMatchObject({
      ok: true,
      circuits: [],
    });
  });

  test("spans can be asked for by their trace", async () => {
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const span: SpanRecord = {
      traceId,
      spanId: "00f067aa0ba902b7",
      name: "GET /buy",
      kind: 2,
      startMs: 1,
      endMs: 2,
      attributes: { "http.route": "/buy" },
      status: 0,
      workload: "default/web",
    };
    const sent: Promise<unknown>[] = [];
    const host = {
      env,
      freshness: new Freshness(),
      now: Date.now(),
      waitUntil: (work: Promise<unknown>) => sent.push(work),
    };
    await report(host, reportRequest("default/web", { spans: [span] }), "default/web");
    await Promise.all(sent);
    expect((await api<TraceAnswer>("GET", `/api/traces/${traceId}`)).body).toEqual({
      traceId,
      spans: [span],
    });
    expect((await api("GET", `/api/traces/${"0".repeat(32)}`)).status).toBe(404);
    expect((await api("GET", "/api/traces/nonsense")).status).toBe(400);
  });

  test("spans go on to the collector that policy names", async () => {
    const endpoint = "https://collector.example.com";
    const telemetry = `apiVersion: mesh.tulle.dev/v1\nkind: Telemetry\nmetadata:\n  name: t\nspec:\n  otlpEndpoint: ${endpoint}\n`;
    expect((await apply(telemetry)).body.applied).toBe(true);
    const calls: string[] = [];
    vi.stubGlobal("fetch", async (request: Request) => {
      calls.push(request.url);
      return new Response(null);
    });
    onTestFinished(() => void vi.unstubAllGlobals());
    const work: Promise<unknown>[] = [];
    const host = {
      env,
      freshness: new Freshness(),
      now: Date.now(),
      waitUntil: (each: Promise<unknown>) => work.push(each),
    };
    const span = {
      traceId: "a".repeat(32),
      spanId: "b".repeat(16),
      name: "GET /",
      kind: 2,
      startMs: 1,
      endMs: 2,
    } as const;
    const spans = [{ ...span, attributes: {}, status: 0, workload: "default/web" } as const];
    await report(host, reportRequest("default/web", { spans }), "default/web");
    await Promise.all(work);
    expect(calls).toEqual([`${endpoint}/v1/traces`]);
  });

  test("a report that is too large is declined and counts nothing", async () => {
    const { report } = verbs();
    const answer = await report({ edges: new Array(2_001).fill(edge) });
    expect(answer).toMatchObject({ ok: false, reason: "malformed" });
    expect((await api<ServicesAnswer>("GET", "/api/services")).body.edges).toEqual([]);
  });

  test("losing every object but the store costs the report's parts, never its answer", async () => {
    const broken = { getByName: () => ({ ask: () => Promise.reject(new Error("overloaded")) }) };
    const host = {
      env: { ...env, SERVICES: broken as unknown as typeof env.SERVICES },
      freshness: new Freshness(),
      now: Date.now(),
      waitUntil: () => undefined,
    };
    const request = reportRequest("default/web", { edges: [edge] });
    expect(await report(host, request, "default/web")).toMatchObject({ ok: true, epoch: 1, circuits: [] });
    await report({ ...host, env }, reportRequest("default/web"), "default/web");
    const { body } = await api<string>("GET", "/metrics");
    expect(body).toContain('tulle_workload_events_total{event="report_parts_lost"} 2\n');
  });

  test("a counter that is called as a member of every object is a number like any other", async () => {
    const host = { env, freshness: new Freshness(), now: Date.now(), waitUntil: () => undefined };
    const counters = { constructor: 5, toString: 1 };
    await report(host, reportRequest("default/web", { counters }), "default/web");
    const { body } = await api<string>("GET", "/metrics");
    expect(body).toContain('tulle_workload_events_total{event="constructor"} 5\n');
    expect(body).toContain('tulle_workload_events_total{event="toString"} 1\n');
  });

  test("who refuses what comes as control's bundle, policy or session keys is named by check", async () => {
    const host = { env, freshness: new Freshness(), now: Date.now(), waitUntil: () => undefined };
    const complaints = async () =>
      (await api<CheckAnswer>("GET", "/api/check")).body.checks.filter(({ detail }) =>
        detail.includes("refused what came to it"),
      );
    await report(host, reportRequest("default/web", { counters: { spans_dropped: 1 } }), "default/web");
    expect(await complaints()).toEqual([]);
    for (const counters of [{ bundle_refused: 2 }, { snapshot_refused: 1 }, { session_keys_refused: 1 }])
      await report(host, reportRequest("default/web", { counters }), "default/web");
    expect(await complaints()).toEqual([
      {
        name: "service default/web",
        result: "warning",
        detail: expect.stringContaining("4 times"),
        remedy: expect.stringContaining("TULLE_ROOT"),
      },
    ]);
  });

  test("losing the store costs freshness, never the answer", async () => {
    const freshness = new Freshness();
    const now = Date.now();
    const host = { env, freshness, now, waitUntil: () => undefined };
    await report(host, reportRequest("default/web"), "default/web");
    const broken = { getByName: () => ({ ask: () => Promise.reject(new Error("overloaded")) }) };
    const without = {
      ...host,
      now: now + 10_000,
      env: { ...env, POLICY: broken as unknown as typeof env.POLICY },
    };
    expect(await report(without, reportRequest("default/web", { epoch: 1 }), "default/web")).toMatchObject({
      ok: true,
      epoch: 1,
    });
  });
});
