import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  childOf,
  continueTrace,
  formatTraceparent,
  newTrace,
  parseTraceparent,
  sampledByRatio,
  writeTrace,
} from "../../../mesh-runtime/telemetry/trace-context.ts";
import { countedIds, someTrace } from "./fixtures.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const valid = `00-${traceId}-${spanId}-01`;
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });

describe("parseTraceparent()", () => {
  test("reads the standard's example", () => {
    expect(parseTraceparent(valid)).toEqual({ traceId, spanId, sampled: true });
    expect(parseTraceparent(`00-${traceId}-${spanId}-00`)).toEqual({ traceId, spanId, sampled: false });
  });

  test.each([
    ["nothing", ""],
    ["an upper-case trace id", `00-${traceId.toUpperCase()}-${spanId}-01`],
    ["an upper-case span id", `00-${traceId}-${spanId.toUpperCase()}-01`],
    ["a trace id of zeros", `00-${"0".repeat(32)}-${spanId}-01`],
    ["a span id of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
    ["a short trace id", `00-${traceId.slice(1)}-${spanId}-01`],
    ["a long span id", `00-${traceId}-${spanId}0-01`],
    ["flags of one digit", `00-${traceId}-${spanId}-1`],
    ["flags that are no hex", `00-${traceId}-${spanId}-0x`],
    ["version ff", `ff-${traceId}-${spanId}-01`],
    ["version 00 with more behind it", `${valid}-00`],
    ["a later version whose flags run on", `01-${traceId}-${spanId}-011`],
    ["space around it", ` ${valid} `],
    ["two fields joined into one", `${valid}, ${valid}`],
    ["underscores", valid.replaceAll("-", "_")],
  ])("does not read %s", (_, text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });

  test("reads of a later version what version 00 knows", () => {
    expect(parseTraceparent(`01-${traceId}-${spanId}-01`)?.traceId).toBe(traceId);
    expect(parseTraceparent(`cc-${traceId}-${spanId}-01-what-is-new`)?.spanId).toBe(spanId);
  });

  test("takes only the lowest bit of the flags as sampled", () => {
    for (let flags = 0; flags < 256; flags++) {
      const text = `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, "0")}`;
      expect(parseTraceparent(text)?.sampled).toBe(flags % 2 === 1);
    }
  });

  test("reads back whatever formatTraceparent() wrote", () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (trace, span, sampled) => {
        fc.pre(!/^0+$/.test(trace) && !/^0+$/.test(span));
        const parent = { traceId: trace, spanId: span, sampled, state: "", baggage: "" };
        expect(parseTraceparent(formatTraceparent(parent))).toEqual({
          traceId: trace,
          spanId: span,
          sampled,
        });
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe("continueTrace()", () => {
  const headers = { traceparent: valid, tracestate: "a=1, b=2", baggage: "user=ada;secret, plan = pro" };

  test("goes on with the caller's trace under a span of its own", () => {
    expect(continueTrace(new Headers(headers), countedIds(), 0)).toEqual({
      traceId,
      spanId: "0000000000000001",
      parentSpanId: spanId,
      sampled: true,
      state: "a=1,b=2",
      baggage: "user=ada;secret, plan = pro",
    });
  });

  test("keeps the caller's decision not to sample", () => {
    const unsampled = new Headers({ traceparent: `00-${traceId}-${spanId}-00` });
    expect(continueTrace(unsampled, countedIds(), 1).sampled).toBe(false);
  });

  test("begins a new trace at a malformed traceparent, without its tracestate but with the baggage", () => {
    const trace = continueTrace(new Headers({ ...headers, traceparent: "00-1-2-3" }), countedIds(), 1);
    expect(trace).toMatchObject({ parentSpanId: undefined, sampled: true, state: "" });
    expect(trace.traceId).not.toBe(traceId);
    expect(trace.baggage).toBe(headers.baggage);
  });

  test("drops a malformed tracestate or baggage alone", () => {
    const broken = { traceparent: valid, tracestate: "a=1,A=2", baggage: "no value" };
    const trace = continueTrace(new Headers(broken), countedIds(), 1);
    expect(trace).toMatchObject({ traceId, parentSpanId: spanId, state: "", baggage: "" });
  });

  test("never fails, and always answers ids that are valid, whatever the headers say", () => {
    const text = fc.string({ unit: fc.constantFrom(..."0123abfF-=;, \t@é%"), maxLength: 80 });
    fc.assert(
      fc.property(text, text, text, (traceparent, tracestate, baggage) => {
        const said: Record<string, string> = { traceparent, tracestate, baggage };
        const trace = continueTrace({ get: (name) => said[name] ?? null }, countedIds(), 1);
        expect(parseTraceparent(formatTraceparent(trace))).toBeDefined();
      }),
      { seed: 2, numRuns: 500 },
    );
  });
});

describe("sampledByRatio()", () => {
  test("samples all at 1, none at 0", () => {
    fc.assert(
      fc.property(hex(32), (id) => {
        expect(sampledByRatio(id, 1)).toBe(true);
        expect(sampledByRatio(id, 0)).toBe(false);
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  test("keeps at a greater ratio whatever a smaller one kept", () => {
    const ratio = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(hex(32), ratio, ratio, (id, a, b) => {
        if (sampledByRatio(id, Math.min(a, b))) expect(sampledByRatio(id, Math.max(a, b))).toBe(true);
      }),
      { seed: 4, numRuns: 500 },
    );
  });

  test("samples about the share that is asked for", () => {
    const ids = Array.from(
      { length: 4_096 },
      (_, n) => `${"0".repeat(18)}${n.toString(16).padStart(3, "0")}${"0".repeat(11)}`,
    );
    expect(ids.filter((id) => sampledByRatio(id, 0.25))).toHaveLength(1_024);
  });

  test("does not look at the first bytes, which in foreign ids are a time", () => {
    expect(sampledByRatio(`${"f".repeat(18)}${"0".repeat(14)}`, 0.5)).toBe(false);
    expect(sampledByRatio(`${"0".repeat(18)}${"f".repeat(14)}`, 0.5)).toBe(true);
  });
});

test("a new trace has no parent and is sampled by the ratio", () => {
  expect(newTrace(countedIds(), 1)).toMatchObject({
    parentSpanId: undefined,
    sampled: true,
    state: "",
    baggage: "",
  });
  expect(newTrace(countedIds(), 0).sampled).toBe(false);
});

test("a child stays in its parent's trace and carries its state and baggage on", () => {
  const parent = { ...someTrace, state: "a=1", baggage: "b=2" };
  expect(childOf(parent, countedIds())).toEqual({
    ...parent,
    spanId: "0000000000000001",
    parentSpanId: parent.spanId,
  });
});

describe("writeTrace()", () => {
  test("replaces what stood on the message, and removes a state that does not belong to the trace", () => {
    const headers = new Headers({ traceparent: "theirs", tracestate: "theirs=1" });
    writeTrace(headers, someTrace);
    expect([...headers]).toEqual([["traceparent", valid]]);
  });

  test("writes state and baggage where there are some", () => {
    const headers = new Headers();
    writeTrace(headers, { ...someTrace, state: "a=1", baggage: "b=2" });
    expect(headers.get("tracestate")).toBe("a=1");
    expect(headers.get("baggage")).toBe("b=2");
  });

  test("leaves baggage that the application has put on the message, unless it cannot be read", () => {
    const own = new Headers({ baggage: "own=1" });
    writeTrace(own, { ...someTrace, baggage: "b=2" });
    expect(own.get("baggage")).toBe("own=1");
    const broken = new Headers({ baggage: "own" });
    writeTrace(broken, { ...someTrace, baggage: "b=2" });
    expect(broken.get("baggage")).toBe("b=2");
  });
});
