import {
  type Arrival,
  blankNotes,
  type Departure,
  type Notes,
} from "../../../mesh-runtime/foundation/exchange.ts";
import type { Ids } from "../../../mesh-runtime/telemetry/ids.ts";
import { Instruments } from "../../../mesh-runtime/telemetry/instruments.ts";
import type { TracedPorts } from "../../../mesh-runtime/telemetry/traced.ts";
import type { EdgeDelta, SpanRecord, TraceContext } from "../../../mesh-runtime/telemetry/words.ts";

/** Ids that count up: trace 1, 2, … and span 1, 2, …; the random part of a trace id is all ones, so any ratio above 0 samples it. */
export function countedIds(): Ids {
  let traces = 0;
  let spans = 0;
  return {
    traceId: () => `${String(++traces).padStart(16, "0")}${"f".repeat(16)}`,
    spanId: () => String(++spans).padStart(16, "0"),
  };
}

export const someTrace: TraceContext = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  parentSpanId: undefined,
  sampled: true,
  state: "",
  baggage: "",
};

/** Tracing over a clock that a test moves, with everything that it told. */
export function tracingFixture(settings: { sampleRatio?: number; accessLog?: boolean } = {}) {
  const clock = { time: 1_000_000, now: () => clock.time };
  const instruments = new Instruments();
  const lines: string[] = [];
  const ports: TracedPorts = {
    clock,
    ids: countedIds(),
    instruments,
    workload: "shop/web",
    settings: () => ({ sampleRatio: settings.sampleRatio ?? 1, accessLog: settings.accessLog ?? false }),
    epoch: () => 7,
    log: (line) => lines.push(line),
  };
  return { clock, instruments, lines, ports };
}

export const arrivalOf = (request: Request, startedAt = 1_000_000): Arrival => ({
  request,
  bindingProps: undefined,
  startedAt,
  background: { run: () => {} },
});

export const departureOf = (url: string, headers: HeadersInit = {}): Departure => ({
  message: { url: new URL(url), method: "GET", headers: new Headers(headers), body: null },
  signal: undefined,
  cause: undefined,
  startedAt: 1_000_000,
  background: { run: () => {} },
});

export const emptyNotes = (): Notes => blankNotes();

export const someSpan: SpanRecord = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  name: "GET shop/pay",
  kind: 3,
  startMs: 1_000,
  endMs: 1_010,
  attributes: {},
  status: 0,
  workload: "shop/web",
};

/** A delta of one fast success from web to pay; one thing changed per case. */
export const someDelta = (change: Partial<EdgeDelta> = {}): EdgeDelta => ({
  perspective: "effective",
  source: "shop/web",
  destination: "shop/pay",
  route: "HTTPRoute/shop/pay/0",
  backend: "shop/pay-v1",
  class: "2xx",
  refusal: "",
  count: 1,
  latency: [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  latencySumMs: 4,
  ...change,
});
