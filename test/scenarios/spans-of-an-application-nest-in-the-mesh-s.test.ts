import { fileURLToPath } from "node:url";
import { startMesh, type TestMesh } from "@tulle/mesh-runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { SpanRecord } from "../../mesh-runtime/telemetry/words.ts";
import { until, word } from "../support/answers.ts";
import { Backend, fails } from "../support/backend.ts";
import { treated } from "../support/circuits.ts";
import { type Collector, startCollector } from "../support/collector.ts";
import { entrance, open } from "../support/policy-texts.ts";

const payments = new Backend();
const log: string[] = [];
let collector: Collector;
let mesh: TestMesh;

const telemetry = (sampleRatio: number, endpoint?: string): string => `
apiVersion: mesh.tulle.dev/v1
kind: Telemetry
metadata: { name: all }
spec:
  sampleRatio: ${sampleRatio}
${endpoint === undefined ? "" : `  otlpEndpoint: ${endpoint}\n`}`;

beforeAll(async () => {
  collector = await startCollector();
  mesh = await startMesh({
    services: {
      shop: { entry: fileURLToPath(new URL("workers/shop-with-spans.ts", import.meta.url)) },
      payments,
      rates: { fetch: () => new Response("1.1") },
    },
    policies: [
      entrance("shop"),
      open("shop", "payments", "rates"),
      treated("payments", "retry: { attempts: 0 }"),
      telemetry(1, collector.url),
    ],
    onLog: (line) => log.push(line),
  });
});
afterAll(async () => {
  await mesh.dispose();
  await collector[Symbol.asyncDispose]();
});
beforeEach(() => {
  payments.script([]);
  collector.requests.length = 0;
});

const visit = (path: string, init?: RequestInit): Promise<string> =>
  word(mesh.fetch(`http://shop.example.com${path}`, init));

/** The spans that the collector has got, as soon as so many are there. */
const collected = (count: number) =>
  until(
    async () => {
      await mesh.settle();
      return collector.spans();
    },
    (spans) => spans.length >= count,
  );

describe("one request", () => {
  let spans: Awaited<ReturnType<typeof collected>>;
  const named = (service: string, name: string, kind: number) => {
    const found = spans.filter(
      (span) => span.service === service && span.name === name && span.kind === kind,
    );
    expect(found, `${service}: ${name}`).toHaveLength(1);
    return found[0];
  };

  test("is one tree over mesh and application, and the collector gets all of it", async () => {
    expect(await visit("/cart")).toBe("200");
    spans = await collected(8);
    expect(spans).toHaveLength(8);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);

    const root = spans.find(({ parentSpanId }) => parentSpanId === undefined);
    expect(root).toMatchObject({ service: "gateway", kind: 3 });
    const arrived = spans.find(({ service, kind }) => service === "shop" && kind === 2);
    expect(arrived?.parentSpanId).toBe(root?.spanId);
    const pricing = named("shop", "price the cart", 1);
    expect(pricing?.parentSpanId).toBe(arrived?.spanId);
    const lookup = named("shop", "look up the rate", 1);
    expect(lookup?.parentSpanId).toBe(pricing?.spanId);
    const toPayments = named("shop", "GET default/payments", 3);
    expect(toPayments?.parentSpanId).toBe(pricing?.spanId);
    const toRates = named("shop", "GET default/rates", 3);
    expect(toRates?.parentSpanId).toBe(lookup?.spanId);
    expect(named("payments", "GET default/payments", 2)?.parentSpanId).toBe(toPayments?.spanId);
    expect(named("rates", "GET default/rates", 2)?.parentSpanId).toBe(toRates?.spanId);
  });

  test("carries what the application said on its own spans, and on the mesh's", () => {
    const pricing = named("shop", "price the cart", 1);
    expect(pricing?.attributes).toContainEqual({ key: "cart.items", value: { intValue: "3" } });
    const arrived = spans.find(({ service, kind }) => service === "shop" && kind === 2);
    expect(arrived?.attributes).toContainEqual({ key: "shop.page", value: { stringValue: "/cart" } });
    expect(arrived?.attributes).toContainEqual({
      key: "http.response.status_code",
      value: { intValue: "200" },
    });
  });

  test("is what `tulle trace` shows, too", async () => {
    const kept = await mesh.trace(spans[0]?.traceId ?? "");
    expect(kept.map(({ spanId }) => spanId).sort()).toEqual(spans.map(({ spanId }) => spanId).sort());
  });

  test("comes as OTLP/HTTP in JSON: hex ids, and times as texts that fit into each other", () => {
    for (const { path, headers } of collector.requests) {
      expect(path).toBe("/v1/traces");
      expect(headers["content-type"]).toBe("application/json");
      expect(headers.authorization).toBeUndefined();
    }
    for (const span of spans) {
      expect(span.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(span.spanId).toMatch(/^[0-9a-f]{16}$/);
      expect(span.startTimeUnixNano).toMatch(/^[0-9]{19}$/);
      expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
    }
  });
});

test("requests that are under way at the same time do not get into each other's spans", async () => {
  const paths = Array.from({ length: 5 }, (_, index) => `/page-${index}`);
  await Promise.all(paths.map((path) => visit(path)));
  const spans = await collected(40);
  const byTrace = Map.groupBy(spans, ({ traceId }) => traceId);
  expect([...byTrace.values()].map((each) => each.length)).toEqual([8, 8, 8, 8, 8]);
  for (const tree of byTrace.values()) {
    const ids = new Set(tree.map(({ spanId }) => spanId));
    expect(tree.filter(({ parentSpanId }) => parentSpanId !== undefined && !ids.has(parentSpanId))).toEqual(
      [],
    );
    const pages = tree.flatMap(({ attributes }) =>
      attributes.filter(({ key }) => key === "shop.page" || key === "url.path"),
    );
    const of = new Set(pages.map(({ value }) => String(value.stringValue)).filter((path) => path !== "/"));
    expect(of.size).toBe(1);
  }
});

test("a collector that is down costs spans, which the log tells, and never a request", async () => {
  collector.answer(500);
  const before = log.length;
  expect(await visit("/cart")).toBe("200");
  await until(
    async () => {
      await mesh.settle();
      return log.slice(before);
    },
    (lines) => lines.some((line) => line.includes("were not forwarded")),
  );
  expect(log.slice(before).join("\n")).toContain("were not forwarded: the collector answered 500");
  collector.answer(200);
});

describe("with a sample ratio of 0", () => {
  beforeAll(() => mesh.apply([telemetry(0, collector.url)]));

  test("what went well leaves no span", async () => {
    for (let call = 0; call < 3; call++) expect(await visit("/cart")).toBe("200");
    await mesh.settle();
    await mesh.settle();
    expect(collector.spans()).toEqual([]);
  });

  test("what failed leaves a span on every hop that it failed on, in one trace", async () => {
    payments.script([], fails(503));
    // A POST: the gateway would try a GET again.
    expect(await visit("/cart", { method: "POST" })).toBe("503");
    const spans = await collected(5);
    expect(spans.map(({ service, kind }) => `${service} ${kind}`).sort()).toEqual([
      "gateway 3",
      "payments 2",
      "shop 1",
      "shop 2",
      "shop 3",
    ]);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    expect(spans.every(({ status }) => status.code === 2)).toBe(true);
    const kept: readonly SpanRecord[] = await mesh.trace(spans[0]?.traceId ?? "");
    expect(kept).toHaveLength(spans.length);
  });

  test("an outsider cannot have its requests sampled", async () => {
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    expect(await visit("/cart", { headers: { traceparent } })).toBe("200");
    await mesh.settle();
    await mesh.settle();
    expect(collector.spans()).toEqual([]);
  });
});
