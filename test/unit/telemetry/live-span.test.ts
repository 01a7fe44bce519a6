import { describe, expect, test } from "vitest";
import { Instruments } from "../../../mesh-runtime/telemetry/instruments.ts";
import { LiveSpan, millis } from "../../../mesh-runtime/telemetry/live-span.ts";
import { countedIds, someTrace } from "./fixtures.ts";

function liveSpan(sampled = true) {
  const clock = { time: 2_000, now: () => clock.time };
  const instruments = new Instruments();
  const recording = { clock, ids: countedIds(), instruments, workload: "shop/web" };
  const start = { name: "work", kind: 1, startMs: 2_000 } as const;
  return { clock, instruments, span: new LiveSpan(recording, { ...someTrace, sampled }, start) };
}

describe("a live span", () => {
  test("is kept when it ends, once, with what was said on it", () => {
    const { span, clock, instruments } = liveSpan();
    span.setAttribute("a", "x").setAttributes({ b: 1, c: true }).updateName("renamed");
    span.addEvent("step", { n: 1 });
    clock.time = 2_005;
    span.end();
    span.end();
    expect(instruments.drain().spans).toEqual([
      {
        traceId: someTrace.traceId,
        spanId: someTrace.spanId,
        name: "renamed",
        kind: 1,
        startMs: 2_000,
        endMs: 2_005,
        attributes: { a: "x", b: 1, c: true },
        status: 0,
        events: [{ name: "step", timeMs: 2_000, attributes: { n: 1 } }],
        workload: "shop/web",
      },
    ]);
  });

  test("of an unsampled trace is kept only if it failed", () => {
    const fine = liveSpan(false);
    expect(fine.span.isRecording()).toBe(false);
    fine.span.end();
    expect(fine.instruments.empty()).toBe(true);
    const failed = liveSpan(false);
    failed.span.setStatus({ code: 2, message: "no" }).end();
    expect(failed.instruments.drain().spans).toMatchObject([{ status: 2, error: "no" }]);
  });

  test("takes nothing in after it has ended", () => {
    const { span, instruments } = liveSpan();
    span.end();
    span.setAttribute("late", 1).addEvent("late").setStatus({ code: 2 }).updateName("late");
    expect(span.isRecording()).toBe(false);
    expect(instruments.drain().spans[0]).toMatchObject({ name: "work", attributes: {}, status: 0 });
  });

  test("keeps of an exception its type and message, never stack or cause", () => {
    const { span } = liveSpan();
    span.recordException(new RangeError("too far", { cause: "hidden" }));
    span.recordException("plain");
    span.recordException({ code: 42 });
    expect(span.record(2_000).events?.map(({ attributes }) => attributes)).toEqual([
      { "exception.type": "RangeError", "exception.message": "too far" },
      { "exception.message": "plain" },
      { "exception.type": 42 },
    ]);
  });

  test("lets OK stand once it is said, and UNSET say nothing", () => {
    const { span } = liveSpan();
    span.setStatus({ code: 2, message: "no" }).setStatus({ code: 0 });
    expect(span.record(2_000)).toMatchObject({ status: 2, error: "no" });
    span.setStatus({ code: 1 }).setStatus({ code: 2 });
    expect(span.record(2_000).status).toBe(1);
    expect("error" in span.record(2_000)).toBe(false);
  });

  test("is bounded in attributes, events and texts", () => {
    const { span } = liveSpan();
    for (let n = 0; n < 100; n++) span.setAttribute(`a${n}`, n).addEvent("e", { long: "x".repeat(9_999) });
    span.setAttribute("a0", "y".repeat(9_999)).updateName("n".repeat(9_999));
    const record = span.record(2_000);
    expect(Object.keys(record.attributes)).toHaveLength(32);
    expect(record.attributes.a0).toHaveLength(1_024);
    expect(record.events).toHaveLength(16);
    expect(record.events?.[0]?.attributes.long).toHaveLength(1_024);
    expect(record.name).toHaveLength(128);
  });

  test("keeps lists as JSON and leaves out what is neither text, number, truth value nor list", () => {
    const { span } = liveSpan();
    span.setAttributes({
      list: ["a", 1, null, {}],
      nothing: undefined,
      empty: null,
      object: { a: 1 },
      work: () => 1,
    });
    expect(span.record(2_000).attributes).toEqual({ list: '["a",1]' });
  });

  test("names its place in the trace", () => {
    expect(liveSpan().span.spanContext()).toEqual({
      traceId: someTrace.traceId,
      spanId: someTrace.spanId,
      traceFlags: 1,
    });
    expect(liveSpan(false).span.spanContext().traceFlags).toBe(0);
  });

  test("ends no earlier than it began, when a given time says so", () => {
    const { span, instruments } = liveSpan();
    span.end(5);
    expect(instruments.drain().spans[0]).toMatchObject({ startMs: 2_000, endMs: 2_000 });
  });
});

test("millis() reads every form of a time that OpenTelemetry allows", () => {
  const clock = { now: () => 99 };
  expect(millis([1_700_000_000, 250_000_000], clock)).toBe(1_700_000_000_250);
  expect(millis(new Date(1_234), clock)).toBe(1_234);
  expect(millis(5.5, clock)).toBe(5.5);
  expect(millis(undefined, clock)).toBe(99);
});

test.each([Number.NaN, -1, 1e16, new Date(Number.NaN), [Number.NaN, 0] as [number, number]])(
  "millis() takes the clock's time for %j, which is none",
  (time) => {
    expect(millis(time, { now: () => 99 })).toBe(99);
  },
);

test("numbers that JSON or control cannot carry become texts, and a status that is none is not taken", () => {
  const { span } = liveSpan();
  span.setAttributes({ nan: Number.NaN, infinite: Number.POSITIVE_INFINITY, huge: 1e301, fine: 1e300 });
  span.setStatus({ code: 7 as 2 });
  expect(span.record(2_000)).toMatchObject({
    attributes: { nan: "NaN", infinite: "Infinity", huge: "1e+301", fine: 1e300 },
    status: 0,
  });
});
