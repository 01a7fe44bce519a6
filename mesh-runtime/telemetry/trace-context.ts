import type { HeaderFields } from "../foundation/fields.ts";
import { header } from "../foundation/headers.ts";
import { parseBaggage } from "./baggage.ts";
import type { Ids } from "./ids.ts";
import { formatTraceState, parseTraceState } from "./trace-state.ts";
import type { TraceContext } from "./words.ts";

export type { Ids } from "./ids.ts";

/** What a span needs of the one above it. */
export type TraceParent = Omit<TraceContext, "parentSpanId">;

/** Version, trace id, span id and flags; later versions may have more behind another dash. */
const form = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;
const formLength = 55;
const noTrace = "0".repeat(32);
const noSpan = "0".repeat(16);

/**
 * Reads a `traceparent` field, strictly (W3C Trace Context, §3.2): lower-case hex, no zero ids, version `ff`
 * refused, nothing behind the flags of version `00`, and of later versions only what version `00` knows.
 */
export function parseTraceparent(
  text: string,
): { readonly traceId: string; readonly spanId: string; readonly sampled: boolean } | undefined {
  if (text.length < formLength || !form.test(text)) return;
  if (text.startsWith("ff") || (text.startsWith("00") && text.length > formLength)) return;
  const traceId = text.slice(3, 35);
  const spanId = text.slice(36, 52);
  if (traceId === noTrace || spanId === noSpan) return;
  return { traceId, spanId, sampled: (Number.parseInt(text.slice(53, formLength), 16) & 1) === 1 };
}

/** Writes a `traceparent` field of version `00`. Flags other than `sampled` are zero, as §3.2.2.5 demands. */
export function formatTraceparent(trace: TraceParent): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? "01" : "00"}`;
}

/**
 * Continues the trace that a message carries, or begins one. What is malformed is as if it were not there: a bad
 * `traceparent` begins a new trace and takes its `tracestate` with it (§3.2.2), a bad `tracestate` or `baggage`
 * goes alone. Never an error: telemetry decides no request.
 * @param headers of the message
 * @param sampleRatio share of new traces that are sampled, in [0, 1]; a trace that is continued keeps its flag
 */
export function continueTrace(
  headers: Pick<HeaderFields, "get">,
  ids: Ids,
  sampleRatio: number,
): TraceContext {
  const baggage = readableBaggage(headers.get(header.baggage));
  const parent = parseTraceparent(headers.get(header.traceparent) ?? "");
  if (parent === undefined) return { ...newTrace(ids, sampleRatio), baggage };
  const { traceId, spanId, sampled } = parent;
  const state = readableState(headers.get(header.tracestate));
  return childOf({ traceId, spanId, sampled, state, baggage }, ids);
}

/** The next span below `parent`, in its trace. */
export function childOf(parent: TraceParent, ids: Ids): TraceContext {
  const { traceId, spanId, sampled, state, baggage } = parent;
  return { traceId, spanId: ids.spanId(), parentSpanId: spanId, sampled, state, baggage };
}

/** Begins a trace, sampled with the ratio. */
export function newTrace(ids: Ids, sampleRatio: number): TraceContext {
  const traceId = ids.traceId();
  return {
    traceId,
    spanId: ids.spanId(),
    parentSpanId: undefined,
    sampled: sampledByRatio(traceId, sampleRatio),
    state: "",
    baggage: "",
  };
}

/**
 * Whether a trace is sampled: a function of its id, so that everybody who asks with the same ratio answers the
 * same, and a greater ratio keeps whatever a smaller one kept. Reads the upper 52 of the 56 bits that W3C Trace
 * Context 2 calls random; the first bytes of foreign ids may be a time.
 */
export function sampledByRatio(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(18, 31), 16) >= (1 - ratio) * 2 ** 52;
}

/**
 * Puts a trace on a message that leaves, in place of what stood there. Baggage that the application itself has
 * put on the message stays, if it can be read: it is the newer word.
 */
export function writeTrace(headers: HeaderFields, trace: TraceParent): void {
  headers.set(header.traceparent, formatTraceparent(trace));
  setOrDelete(headers, header.tracestate, trace.state);
  const own = readableBaggage(headers.get(header.baggage));
  setOrDelete(headers, header.baggage, own === "" ? trace.baggage : own);
}

function setOrDelete(headers: HeaderFields, name: string, value: string): void {
  if (value === "") headers.delete(name);
  else headers.set(name, value);
}

const readableState = (text: string | null): string =>
  text === null || text === "" ? "" : formatTraceState(parseTraceState(text) ?? []);

const readableBaggage = (text: string | null): string =>
  text === null || text === "" || parseBaggage(text) === undefined ? "" : text;
