import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { SpanRecord } from "@tulle/mesh-runtime/telemetry/words.ts";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { traceObject } from "../../../control/objects.ts";
import { keptMs, keptSpans, longestSpan } from "../../../control/traces/trace-object.ts";

const start = 1_700_000_000_000;
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const otherId = "00000000000000000000000000000001";

const spanOf = (change: Partial<SpanRecord> = {}): SpanRecord => ({
  traceId,
  spanId: "00f067aa0ba902b7",
  name: "GET shop/pay",
  kind: 3,
  startMs: start,
  endMs: start + 10,
  attributes: { "tulle.attempts": 1, "url.path": "/charge" },
  status: 0,
  events: [{ name: "tulle.try", timeMs: start, attributes: {} }],
  workload: "shop/web",
  ...change,
});

const idOf = (n: number): string => n.toString(16).padStart(16, "0");
let objects = 0;
/** An object that no other test has written to. */
const freshObject = () => traceObject(env, `test-${++objects}`);
/** What the last one keeps. */
const inStorage = (look: (storage: DurableObjectStorage) => unknown) =>
  runInDurableObject(env.TRACES.getByName(`test-${objects}`), async (_, { storage }) => look(storage));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("TraceObject", () => {
  test("gives back the spans of a trace as they came, by their start", async () => {
    const object = freshObject();
    const child = spanOf({ spanId: idOf(2), parentSpanId: idOf(1), startMs: start + 1 });
    const root = spanOf({ spanId: idOf(1) });
    await object.ingest([child]);
    await object.ingest([root, spanOf({ traceId: otherId })]);
    expect(await object.get(traceId)).toEqual([root, child]);
    expect(await object.get("f".repeat(32))).toEqual([]);
  });

  test("gives a span back once, however often it was reported", async () => {
    const object = freshObject();
    await object.ingest([spanOf(), spanOf()]);
    await object.ingest([spanOf()]);
    expect(await object.get(traceId)).toEqual([spanOf()]);
  });

  test("answers nothing that is older than an hour, whether it was pruned or not", async () => {
    const object = freshObject();
    await object.ingest([spanOf()]);
    vi.setSystemTime(start + keptMs);
    expect(await object.get(traceId)).toHaveLength(1);
    vi.setSystemTime(start + keptMs + 1);
    expect(await object.get(traceId)).toEqual([]);
  });

  test("forgets what is older than an hour when new spans come, and sets no alarm", async () => {
    const object = freshObject();
    await object.ingest([spanOf(), spanOf({ spanId: idOf(2) })]);
    vi.setSystemTime(start + keptMs + 1);
    await object.ingest([spanOf({ traceId: otherId })]);
    await inStorage(async (storage) => {
      expect(storage.sql.exec("SELECT trace_id FROM spans").toArray()).toEqual([{ trace_id: otherId }]);
      expect(await storage.getAlarm()).toBeNull();
    });
  });

  test("keeps the newest spans when there are too many", async () => {
    const object = freshObject();
    const batch = (from: number, count: number) =>
      Array.from({ length: count }, (_, n) => spanOf({ traceId: otherId, spanId: idOf(from + n) }));
    await object.ingest([spanOf()]);
    await object.ingest(batch(1, keptSpans - 1));
    expect(await object.get(traceId)).toHaveLength(1);
    await object.ingest(batch(keptSpans, 2));
    expect(await object.get(traceId)).toEqual([]);
    await inStorage((storage) => {
      expect(storage.sql.exec("SELECT COUNT(*) AS n FROM spans").one()).toEqual({ n: keptSpans });
    });
  });

  test("keeps no span that is too long, and its neighbours all the same", async () => {
    const object = freshObject();
    const long = spanOf({ spanId: idOf(2), error: "x".repeat(longestSpan) });
    await object.ingest([spanOf({ spanId: idOf(1) }), long, spanOf({ spanId: idOf(3) })]);
    expect((await object.get(traceId)).map(({ spanId }) => spanId)).toEqual([idOf(3), idOf(1)]);
  });

  test("answers of a trace no more than passes between workers, however much was reported of it", async () => {
    const object = freshObject();
    const long = "ü".repeat(60_000);
    const spans = Array.from({ length: 150 }, (_, n) => spanOf({ spanId: idOf(n), error: long }));
    await object.ingest(spans);
    const answered = await object.get(traceId);
    expect(answered.length).toBeGreaterThan(100);
    expect(JSON.stringify(answered).length).toBeLessThan(2 ** 23);
  });

  test("goes on after everything it kept has grown old", async () => {
    const object = freshObject();
    await object.ingest([spanOf()]);
    vi.setSystemTime(start + 2 * keptMs);
    await object.ingest([]);
    await object.ingest([spanOf({ spanId: idOf(9) })]);
    expect((await object.get(traceId)).map(({ spanId }) => spanId)).toEqual([idOf(9)]);
  });
});
