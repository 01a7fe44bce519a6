import { describe, expect, test } from "vitest";
import { tracesBody } from "../../../mesh-runtime/telemetry/otlp.ts";
import type { SpanRecord } from "../../../mesh-runtime/telemetry/words.ts";
import { someSpan } from "./fixtures.ts";

const spanOf = (change: Partial<SpanRecord>) =>
  tracesBody([{ ...someSpan, ...change }]).resourceSpans[0]?.scopeSpans[0]?.spans[0];

describe("tracesBody()", () => {
  test("writes the JSON form of OTLP: ids in hex, enums as numbers, times as texts", () => {
    const body = tracesBody([
      {
        ...someSpan,
        parentSpanId: "1111111111111111",
        startMs: 1_700_000_000_123,
        endMs: 1_700_000_000_125,
        attributes: { "url.path": "/charge" },
        status: 2,
        error: "circuit=shop/pay",
        events: [{ name: "tulle.try", timeMs: 1_700_000_000_124, attributes: { "tulle.attempts": 2 } }],
      },
    ]);
    expect(body).toEqual({
      resourceSpans: [
        {
          resource: {
            attributes: [
              { key: "service.name", value: { stringValue: "web" } },
              { key: "service.namespace", value: { stringValue: "shop" } },
            ],
          },
          scopeSpans: [
            {
              scope: { name: "tulle" },
              spans: [
                {
                  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
                  spanId: "00f067aa0ba902b7",
                  parentSpanId: "1111111111111111",
                  name: "GET shop/pay",
                  kind: 3,
                  startTimeUnixNano: "1700000000123000000",
                  endTimeUnixNano: "1700000000125000000",
                  attributes: [{ key: "url.path", value: { stringValue: "/charge" } }],
                  events: [
                    {
                      name: "tulle.try",
                      timeUnixNano: "1700000000124000000",
                      attributes: [{ key: "tulle.attempts", value: { intValue: "2" } }],
                    },
                  ],
                  status: { code: 2, message: "circuit=shop/pay" },
                },
              ],
            },
          ],
        },
      ],
    });
  });

  test("makes one resource of each workload", () => {
    const body = tracesBody([someSpan, { ...someSpan, workload: "shop/pay" }, someSpan]);
    expect(body.resourceSpans.map((each) => each.scopeSpans[0]?.spans.length)).toEqual([2, 1]);
    expect(tracesBody([])).toEqual({ resourceSpans: [] });
  });

  test("keeps parts of a millisecond", () => {
    expect(spanOf({ startMs: 1_700_000_000_123.25, endMs: 1_700_000_000_123.75 })).toMatchObject({
      startTimeUnixNano: "1700000000123250000",
      endTimeUnixNano: "1700000000123750000",
    });
  });

  test.each([
    ["text", "x", { stringValue: "x" }],
    ["empty text", "", { stringValue: "" }],
    ["a whole number", -3, { intValue: "-3" }],
    ["a fraction", 0.5, { doubleValue: 0.5 }],
    ["a number too great for exactness", 2 ** 60, { doubleValue: 2 ** 60 }],
    ["NaN, which JSON lacks", Number.NaN, { doubleValue: "NaN" }],
    ["infinity, which JSON lacks", Number.NEGATIVE_INFINITY, { doubleValue: "-Infinity" }],
    ["true", true, { boolValue: true }],
  ])("types %s", (_, value, expected) => {
    expect(spanOf({ attributes: { key: value } })).toMatchObject({
      attributes: [{ key: "key", value: expected }],
    });
  });
});
