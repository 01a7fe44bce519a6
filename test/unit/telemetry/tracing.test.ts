import { context, ProxyTracerProvider, SpanKind, trace } from "@opentelemetry/api";
import { beforeEach, describe, expect, test } from "vitest";
import { contextManager, inHandling } from "../../../mesh-runtime/adapters/cloudflare/tracing.ts";
import type { Noted } from "../../../mesh-runtime/foundation/exchange.ts";
import type { Handling } from "../../../mesh-runtime/handled.ts";
import { spanContextOf } from "../../../mesh-runtime/telemetry/live-span.ts";
import { type TracedPorts, tracedArrival, tracedDeparture } from "../../../mesh-runtime/telemetry/traced.ts";
import { registerTracing } from "../../../mesh-runtime/telemetry/tracer.ts";
import type { Spanned, Traced } from "../../../mesh-runtime/telemetry/words.ts";
import { arrivalOf, departureOf, someTrace, tracingFixture } from "./fixtures.ts";

/** workerd's `AsyncLocalStorage` under the whole of it: layers, tracer and the application's own spans. */
beforeEach(() => {
  trace.disable();
  context.disable();
});

function arrive(ports: TracedPorts, handler: (known: Traced & Noted) => Promise<Response>) {
  const through = tracedArrival(ports);
  return through.wrap((known: Traced & Spanned & Noted) =>
    inHandling({ handling: handlingOf(known) }, () => handler(known)),
  )(arrivalOf(new Request("http://web/buy")));
}

/** As much of a handling as tracing looks at. */
const handlingOf = ({ span }: Spanned) => ({ span }) as Handling;

const turn = () => Promise.resolve();

describe("the application's spans", () => {
  test("nest below the arrival and above the departures that they enclose", async () => {
    const { ports, instruments } = tracingFixture();
    await arrive(ports, () =>
      trace.getTracer("app").startActiveSpan("checkout", { kind: SpanKind.INTERNAL }, async (span) => {
        await turn();
        await tracedDeparture(ports).wrap(async () => new Response())(departureOf("http://pay/"));
        span.end();
        return new Response();
      }),
    );
    const [departure, app, arrival] = instruments.drain().spans;
    expect([arrival?.kind, app?.kind, departure?.kind]).toEqual([2, 1, 3]);
    expect(app).toMatchObject({ name: "checkout", parentSpanId: arrival?.spanId, traceId: arrival?.traceId });
    expect(departure).toMatchObject({ parentSpanId: app?.spanId, traceId: arrival?.traceId });
  });

  test("are not mixed up between requests under way at the same time", async () => {
    const { ports, instruments } = tracingFixture();
    const request = (name: string) =>
      arrive(ports, async () => {
        for (let step = 0; step < 3; step++) {
          await turn();
          trace.getTracer("app").startSpan(`${name}${step}`).end();
        }
        return new Response();
      });
    await Promise.all([request("a"), request("b")]);
    const { spans } = instruments.drain();
    const arrivals = spans.filter(({ kind }) => kind === 2);
    expect(arrivals).toHaveLength(2);
    for (const name of ["a", "b"]) {
      const own = spans.filter((span) => span.name.startsWith(name));
      expect(own).toHaveLength(3);
      expect(new Set(own.map(({ parentSpanId }) => parentSpanId)).size).toBe(1);
    }
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(2);
  });

  test("go to the mesh of the request that they belong to", async () => {
    const one = tracingFixture();
    const two = tracingFixture();
    const handler = async () => {
      trace.getTracer("app").startSpan("app").end();
      return new Response();
    };
    await arrive(one.ports, handler);
    await arrive({ ...two.ports, workload: "shop/pay" }, handler);
    expect(one.instruments.drain().spans.map(({ workload }) => workload)).toEqual(["shop/web", "shop/web"]);
    expect(two.instruments.drain().spans.map(({ workload }) => workload)).toEqual(["shop/pay", "shop/pay"]);
  });

  test("of an unsampled trace are kept only where they failed", async () => {
    const { ports, instruments } = tracingFixture({ sampleRatio: 0 });
    await arrive(ports, async () => {
      const tracer = trace.getTracer("app");
      expect(tracer.startSpan("fine").isRecording()).toBe(false);
      tracer.startSpan("fine").end();
      tracer.startSpan("broken").setStatus({ code: 2 }).end();
      return new Response();
    });
    expect(instruments.drain().spans.map(({ name }) => name)).toEqual(["broken"]);
  });

  test("may begin a trace of their own, name their kind and their start", async () => {
    const { ports, instruments } = tracingFixture();
    await arrive(ports, async () => {
      const tracer = trace.getTracer("app");
      tracer.startSpan("root", { root: true, startTime: 5, attributes: { a: 1 } }).end();
      for (const kind of [SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER]) {
        tracer.startSpan(`kind${kind}`, { kind }).end();
      }
      return new Response();
    });
    const spans = instruments.drain().spans;
    const arrival = spans.at(-1);
    expect(spans[0]).toMatchObject({ name: "root", startMs: 5, attributes: { a: 1 } });
    expect(spans[0]?.traceId).not.toBe(arrival?.traceId);
    expect(spans.slice(1, 5).map(({ kind }) => kind)).toEqual([2, 3, 3, 2]);
  });

  test("outside of any exchange record nothing and break nothing", () => {
    registerTracing(contextManager);
    const answer = trace.getTracer("app").startActiveSpan("alone", (span) => {
      span.setAttribute("a", 1).end();
      return span.isRecording();
    });
    expect(answer).toBe(false);
  });

  test("below a context that came without a mesh's span pass it on and record nothing", async () => {
    registerTracing(contextManager);
    const foreign = trace.wrapSpanContext(spanContextOf(someTrace));
    const inside = context.with(trace.setSpan(context.active(), foreign), () =>
      trace.getTracer("app").startSpan("x").spanContext(),
    );
    expect(inside.traceId).toBe(someTrace.traceId);
  });
});

describe("the arrival's own span", () => {
  test("takes attributes and events from the application, and keeps the mesh's word", async () => {
    const { ports, instruments } = tracingFixture();
    await arrive(ports, async () => {
      const span = trace.getActiveSpan();
      span?.setAttributes({ "user.tier": "gold", "url.path": "/forged" }).addEvent("cart.checked");
      span?.end();
      span?.setAttribute("after.end", true);
      return new Response();
    });
    const { spans } = instruments.drain();
    expect(spans).toHaveLength(1);
    expect(spans[0]?.attributes).toMatchObject({
      "user.tier": "gold",
      "after.end": true,
      "url.path": "/buy",
    });
    expect(spans[0]?.events?.map(({ name }) => name)).toEqual(["cart.checked"]);
  });

  test("is recorded unsampled when the application calls it failed", async () => {
    const { ports, instruments } = tracingFixture({ sampleRatio: 0 });
    await arrive(ports, async () => {
      trace.getActiveSpan()?.setStatus({ code: 2, message: "half done" });
      return new Response();
    });
    expect(instruments.drain().spans).toMatchObject([{ kind: 2, status: 2, error: "half done" }]);
  });
});

describe("registerTracing()", () => {
  test("changes nothing the second time", () => {
    expect(registerTracing(contextManager)).toBe(true);
    expect(registerTracing(contextManager)).toBe(true);
  });

  test("serves tracers that the application took at import", async () => {
    const early = trace.getTracer("app");
    const { ports, instruments } = tracingFixture();
    await arrive(ports, async () => {
      early.startSpan("early").end();
      return new Response();
    });
    expect(instruments.drain().spans.map(({ name }) => name)).toContain("early");
  });

  test("leaves an SDK alone that the application registered before", () => {
    const theirs = new ProxyTracerProvider().getTracer("theirs");
    trace.setGlobalTracerProvider({ getTracer: () => theirs });
    expect(registerTracing(contextManager)).toBe(false);
    expect(trace.getTracer("app")).toBe(theirs);
  });
});

describe("the context manager", () => {
  const key = Symbol("key");
  const marked = (value: string) => context.active().setValue(key, value);

  test("keeps the context across awaits and gives it back afterwards", async () => {
    registerTracing(contextManager);
    await context.with(marked("in"), async () => {
      await turn();
      expect(context.active().getValue(key)).toBe("in");
    });
    expect(context.active().getValue(key)).toBeUndefined();
  });

  test("calls with the receiver and the arguments that it was given", () => {
    registerTracing(contextManager);
    function whole(this: { base: number }, more: number): number {
      return this.base + more;
    }
    expect(context.with(marked("x"), whole, { base: 40 }, 2)).toBe(42);
  });

  test("binds a function to a context and leaves other values as they are", () => {
    registerTracing(contextManager);
    const bound = context.bind(marked("bound"), () => context.active().getValue(key));
    expect(bound()).toBe("bound");
    const thing = { a: 1 };
    expect(context.bind(marked("bound"), thing)).toBe(thing);
  });
});
