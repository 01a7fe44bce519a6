import { trace as active } from "@opentelemetry/api";
import { type Arrival, blankNotes, type Cause, type Departure, type Noted } from "../foundation/exchange.ts";
import { layer } from "../foundation/layer.ts";
import { accessLine, accessRecord } from "./access-log.ts";
import { alwaysRecorded, type EndedExchange, edgesOf, spanOf } from "./ended-exchange.ts";
import type { Instruments } from "./instruments.ts";
import { LiveSpan, maxEvents, type Recording } from "./live-span.ts";
import { childOf, continueTrace, type TraceParent, writeTrace } from "./trace-context.ts";
import type { Spanned, SpanRecord, TelemetrySettings, Traced } from "./words.ts";

export interface TracedPorts extends Recording {
  readonly instruments: Pick<Instruments, "edge" | "span" | "count">;
  readonly settings: () => TelemetrySettings;
  /** The policy epoch that exchanges are decided with. */
  readonly epoch: () => number;
  /** Takes one line of the access log. */
  readonly log: (line: string) => void;
}

/**
 * Continues the caller's trace, or begins one, and counts, logs and records the exchange when its answer is there:
 * for streams and WebSockets when their headers are, because nothing tells a worker when a client has read the
 * last byte. The span of this hop goes on with it: the application's own nest below. Never refuses, and never fails an exchange.
 */
export const tracedArrival = (ports: TracedPorts) =>
  layer<Arrival, Traced & Spanned & Noted, Response>("traced", (next) => async (exchange) => {
    const { request, startedAt } = exchange;
    const { method } = request;
    const trace = continueTrace(request.headers, ports.ids, ports.settings().sampleRatio);
    const notes = blankNotes();
    const span = new HopSpan(ports, trace, { name: method, kind: 2, startMs: startedAt });
    const url = () => new URL(request.url);
    return accounted(
      ports,
      { direction: "inbound", method, url, startedAt, trace, notes },
      () => next({ ...exchange, trace, notes, span }),
      span,
    );
  });

/**
 * Puts this hop's trace on the message, and counts, logs and records the exchange when its answer is there, the
 * exchange as its caller saw it and each try. Its parent is the span that the application has open, else the
 * arrival that caused it, else what the message carries already. Never refuses, and never fails an exchange.
 */
export const tracedDeparture = (ports: TracedPorts) =>
  layer<Departure, Traced & Noted, Response>("traced", (next) => async (exchange) => {
    const { message, startedAt } = exchange;
    const parent = parentOf(exchange.cause);
    const trace =
      parent === undefined
        ? continueTrace(message.headers, ports.ids, ports.settings().sampleRatio)
        : childOf(parent, ports.ids);
    writeTrace(message.headers, trace);
    const notes = blankNotes();
    const { method, url } = message;
    return accounted(ports, { direction: "outbound", method, url: () => url, startedAt, trace, notes }, () =>
      next({ ...exchange, trace, notes }),
    );
  });

type Begun = Pick<EndedExchange, "direction" | "method" | "url" | "startedAt" | "trace" | "notes">;

async function accounted(
  ports: TracedPorts,
  begun: Begun,
  work: () => Promise<Response>,
  span?: LiveSpan,
): Promise<Response> {
  let status: number | undefined;
  let thrown: string | undefined;
  try {
    const response = await work();
    status = response.status;
    return response;
  } catch (error) {
    thrown = error instanceof Error ? error.name : typeof error;
    throw error;
  } finally {
    const { workload } = ports;
    const endedAt = ports.clock.now();
    account(ports, { ...begun, workload, endedAt, epoch: ports.epoch(), status, thrown }, span);
  }
}

function account(ports: TracedPorts, exchange: EndedExchange, span?: LiveSpan): void {
  const { instruments } = ports;
  const { sampled } = exchange.trace;
  try {
    for (const { key, latencyMs } of edgesOf(exchange)) instruments.edge(key, latencyMs);
    if (sampled || alwaysRecorded(exchange) || span?.failed) {
      const record = spanOf(exchange);
      instruments.span(
        span === undefined ? record : withTold(record, span.record(exchange.endedAt)),
        sampled,
      );
    }
    if (ports.settings().accessLog) ports.log(accessLine(accessRecord(exchange)));
  } catch {
    // An exchange is worth more than its record: the answer goes on its way, the loss is counted.
    instruments.count("telemetry_failed");
  }
}

/** The span of an arrival. It ends with its exchange: an application that ends it changes nothing. */
class HopSpan extends LiveSpan {
  override end(): void {}
}

/** The mesh's span with what the application said on it; where both speak of the same thing, the mesh's word stands. */
function withTold(span: SpanRecord, told: SpanRecord): SpanRecord {
  const error = span.error ?? told.error;
  const events = [...(span.events ?? []), ...(told.events ?? [])].slice(0, maxEvents);
  return {
    ...span,
    attributes: { ...told.attributes, ...span.attributes },
    status: span.status === 0 ? told.status : span.status,
    ...(error === undefined ? {} : { error }),
    ...(events.length === 0 ? {} : { events }),
  };
}

/** The span that a departing request belongs under. Another SDK's counts too, such as Deno's own. */
function parentOf(cause: Cause | undefined): TraceParent | undefined {
  const span = active.getActiveSpan();
  if (span instanceof LiveSpan) return span.trace;
  const foreign = span?.spanContext();
  if (foreign === undefined || !active.isSpanContextValid(foreign)) return cause?.trace;
  return {
    traceId: foreign.traceId.toLowerCase(),
    spanId: foreign.spanId.toLowerCase(),
    sampled: (foreign.traceFlags & 1) === 1,
    state: foreign.traceState?.serialize() ?? cause?.trace.state ?? "",
    baggage: cause?.trace.baggage ?? "",
  };
}
