import { describe, expect, test } from "vitest";
import type { Arrival, Departure, Noted } from "../../../mesh-runtime/foundation/exchange.ts";
import { journey } from "../../../mesh-runtime/foundation/layer.ts";
import { parseTraceparent } from "../../../mesh-runtime/telemetry/trace-context.ts";
import { type TracedPorts, tracedArrival, tracedDeparture } from "../../../mesh-runtime/telemetry/traced.ts";
import type { Spanned, Traced } from "../../../mesh-runtime/telemetry/words.ts";
import { arrivalOf, departureOf, someTrace, tracingFixture } from "./fixtures.ts";

const traceparent = `00-${someTrace.traceId}-${someTrace.spanId}-01`;
const cause = {
  trace: { ...someTrace, state: "a=1", baggage: "b=2" },
  deadlineAt: undefined,
  credits: { left: 1 },
  hops: 1,
};

const arrive = (
  ports: TracedPorts,
  handle: (known: Arrival & Traced & Spanned & Noted) => Promise<Response>,
  headers: Record<string, string> = {},
) =>
  journey<Arrival, Response>().through(tracedArrival(ports)).to(handle)(
    arrivalOf(new Request("http://web/buy?card=1", { headers })),
  );

const depart = (
  ports: TracedPorts,
  send: (known: Departure & Traced & Noted) => Promise<Response>,
  departure: Departure = departureOf("http://pay/charge"),
) => journey<Departure, Response>().through(tracedDeparture(ports)).to(send)(departure);

describe("tracedArrival()", () => {
  test("goes on with the caller's trace and gives the rest of the journey empty notes", async () => {
    const { ports } = tracingFixture();
    await arrive(
      ports,
      async ({ trace, notes }) => {
        expect(trace).toMatchObject({ traceId: someTrace.traceId, parentSpanId: someTrace.spanId });
        expect(notes).toMatchObject({ source: "", refusal: undefined, tries: [] });
        return new Response();
      },
      { traceparent },
    );
    expect.assertions(2);
  });

  test("records span and edge when the answer is there, by what the layers noted", async () => {
    const { ports, instruments, clock } = tracingFixture();
    const response = await arrive(ports, async ({ notes }) => {
      notes.source = "shop/front";
      notes.peer = "spiffe://m/ns/shop/sa/front";
      clock.time += 12;
      return new Response("hi", { status: 201 });
    });
    expect(await response.text()).toBe("hi");
    const { edges, spans } = instruments.drain();
    expect(edges).toMatchObject([
      {
        perspective: "inbound",
        source: "shop/front",
        destination: "shop/web",
        class: "2xx",
        count: 1,
        latencySumMs: 12,
      },
    ]);
    expect(spans).toMatchObject([
      { kind: 2, name: "GET shop/web", startMs: 1_000_000, endMs: 1_000_012, status: 0 },
    ]);
  });

  test("passes on the span that it later records", async () => {
    const { ports, instruments } = tracingFixture();
    let activeId = "";
    await arrive(ports, async ({ span, trace }) => {
      activeId = span.spanContext().spanId;
      expect(activeId).toBe(trace.spanId);
      return new Response();
    });
    expect(instruments.drain().spans[0]?.spanId).toBe(activeId);
  });

  test("records no span for an unsampled success, yet counts it", async () => {
    const { ports, instruments } = tracingFixture({ sampleRatio: 0 });
    await arrive(ports, async () => new Response(null, { status: 404 }));
    const { spans, edges } = instruments.drain();
    expect(spans).toEqual([]);
    expect(edges).toMatchObject([{ class: "4xx", source: "unknown", count: 1 }]);
  });

  test("records an unsampled failure", async () => {
    const { ports, instruments } = tracingFixture({ sampleRatio: 0 });
    await arrive(ports, async () => new Response(null, { status: 502 }));
    expect(instruments.drain().spans).toMatchObject([{ status: 2 }]);
  });

  test("lets an exception through, and tells its name without its message", async () => {
    const { ports, instruments } = tracingFixture({ accessLog: true });
    const broken = arrive(ports, () => Promise.reject(new RangeError("hunter2")));
    await expect(broken).rejects.toThrow("hunter2");
    const batch = instruments.drain();
    expect(batch.spans).toMatchObject([{ status: 2, attributes: { "error.type": "RangeError" } }]);
    expect(batch.edges).toMatchObject([{ class: "5xx" }]);
    expect(JSON.stringify(batch)).not.toContain("hunter2");
  });

  test("counts what the mesh refused by the kind of the refusal", async () => {
    const { ports, instruments } = tracingFixture();
    await arrive(ports, async ({ notes }) => {
      notes.refusal = { kind: "denied", rule: "r", principal: "p" };
      return new Response(null, { status: 403 });
    });
    expect(instruments.drain().edges).toMatchObject([{ class: "refused", refusal: "denied" }]);
  });

  test("counts a WebSocket when its upgrade is answered, and passes the very response on", async () => {
    const { ports, instruments } = tracingFixture();
    const [client, server] = Object.values(new WebSocketPair());
    server?.accept();
    const upgrade = new Response(null, { status: 101, webSocket: client ?? null });
    expect(await arrive(ports, async () => upgrade)).toBe(upgrade);
    expect(instruments.drain().edges).toMatchObject([{ class: "1xx", count: 1 }]);
    server?.close();
  });

  test("does not wait for a body that streams", async () => {
    const { ports, instruments } = tracingFixture();
    await arrive(ports, async () => new Response(new ReadableStream()));
    expect(instruments.drain().edges).toMatchObject([{ class: "2xx", count: 1 }]);
  });

  test("writes one line to the access log when policy says so, and none otherwise", async () => {
    const loud = tracingFixture({ accessLog: true });
    await arrive(loud.ports, async () => new Response());
    expect(loud.lines.map((line) => JSON.parse(line))).toMatchObject([
      { direction: "inbound", workload: "shop/web", method: "GET", path: "/buy", status: 200, epoch: 7 },
    ]);
    expect(loud.lines[0]).not.toContain("card");
    const quiet = tracingFixture();
    await arrive(quiet.ports, async () => new Response());
    expect(quiet.lines).toEqual([]);
  });

  test("a log that breaks costs the record and not the answer", async () => {
    const { ports, instruments } = tracingFixture({ accessLog: true });
    const log = () => {
      throw new Error("full");
    };
    const response = await arrive({ ...ports, log }, async () => new Response("fine"));
    expect(await response.text()).toBe("fine");
    expect(instruments.drain().counters).toEqual({ telemetry_failed: 1 });
  });
});

describe("tracedDeparture()", () => {
  test("puts a child of the causing arrival on the message, with its state and baggage", async () => {
    const { ports } = tracingFixture();
    const departure = { ...departureOf("http://pay/"), cause };
    await depart(
      ports,
      async ({ trace, message }) => {
        expect(trace).toMatchObject({ traceId: someTrace.traceId, parentSpanId: someTrace.spanId });
        expect(parseTraceparent(message.headers.get("traceparent") ?? "")).toEqual({
          traceId: trace.traceId,
          spanId: trace.spanId,
          sampled: true,
        });
        expect(message.headers.get("tracestate")).toBe("a=1");
        expect(message.headers.get("baggage")).toBe("b=2");
        return new Response();
      },
      departure,
    );
    expect.assertions(4);
  });

  test("goes on with the trace on the message when nobody caused it, else begins one", async () => {
    const { ports } = tracingFixture();
    const seen: (string | undefined)[] = [];
    const send = async ({ trace }: Traced) => {
      seen.push(trace.parentSpanId);
      return new Response();
    };
    await depart(ports, send, departureOf("http://pay/", { traceparent }));
    await depart(ports, send);
    expect(seen).toEqual([someTrace.spanId, undefined]);
  });

  test("counts the request as its caller saw it, and every try as the backend saw it", async () => {
    const { ports, instruments, clock } = tracingFixture();
    await depart(ports, async ({ notes }) => {
      notes.destination = "shop/pay";
      notes.backend = "shop/pay-v1";
      notes.tries.push(
        { backend: "shop/pay-v2", startedAt: 1_000_000, endedAt: 1_000_003, status: 503, refusal: undefined },
        { backend: "shop/pay-v1", startedAt: 1_000_004, endedAt: 1_000_009, status: 200, refusal: undefined },
      );
      clock.time += 10;
      return new Response();
    });
    const { edges, spans } = instruments.drain();
    expect(
      edges.map(({ perspective, backend, class: of, latencySumMs }) => [
        perspective,
        backend,
        of,
        latencySumMs,
      ]),
    ).toEqual([
      ["effective", "shop/pay-v1", "2xx", 10],
      ["attempt", "shop/pay-v2", "5xx", 3],
      ["attempt", "shop/pay-v1", "2xx", 5],
    ]);
    expect(spans).toMatchObject([{ kind: 3, name: "GET shop/pay", attributes: { "tulle.attempts": 2 } }]);
  });

  test("records the failure of a request in an unsampled trace", async () => {
    const { ports, instruments } = tracingFixture();
    const unsampled = { ...cause, trace: { ...cause.trace, sampled: false } };
    const send = async () => new Response(null, { status: 503 });
    await depart(ports, send, { ...departureOf("http://pay/"), cause: unsampled });
    expect(instruments.drain().spans).toMatchObject([{ kind: 3, status: 2, parentSpanId: someTrace.spanId }]);
  });
});
