import { attribute } from "./semantics.ts";
import type { SpanRecord } from "./words.ts";

type Value =
  | { readonly stringValue: string }
  | { readonly intValue: string }
  | { readonly doubleValue: number | string }
  | { readonly boolValue: boolean };

interface KeyValue {
  readonly key: string;
  readonly value: Value;
}

/** Body of `POST /v1/traces` in OTLP 1.x JSON, as far as the mesh fills it. */
export interface TracesBody {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string };
      readonly spans: readonly object[];
    }[];
  }[];
}

/**
 * Spans as an OTLP/HTTP JSON body, one resource a workload. The JSON form of OTLP differs from plain protobuf JSON:
 * ids are hex, enums are numbers, 64-bit integers are texts (OTLP specification, "JSON Protobuf Encoding").
 */
export function tracesBody(spans: readonly SpanRecord[]): TracesBody {
  const byWorkload = new Map<string, SpanRecord[]>();
  for (const span of spans) {
    const group = byWorkload.get(span.workload);
    if (group === undefined) byWorkload.set(span.workload, [span]);
    else group.push(span);
  }
  return {
    resourceSpans: [...byWorkload].map(([workload, group]) => ({
      resource: { attributes: resourceOf(workload) },
      scopeSpans: [{ scope: { name: "tulle" }, spans: group.map(spanBody) }],
    })),
  };
}

function spanBody(span: SpanRecord): object {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId === undefined ? {} : { parentSpanId: span.parentSpanId }),
    name: span.name,
    kind: span.kind,
    startTimeUnixNano: nanos(span.startMs),
    endTimeUnixNano: nanos(span.endMs),
    attributes: keyValues(span.attributes),
    ...(span.events === undefined
      ? {}
      : {
          events: span.events.map((event) => ({
            name: event.name,
            timeUnixNano: nanos(event.timeMs),
            attributes: keyValues(event.attributes),
          })),
        }),
    status: { code: span.status, ...(span.error === undefined ? {} : { message: span.error }) },
  };
}

function resourceOf(workload: string): readonly KeyValue[] {
  const slash = workload.indexOf("/");
  const name = workload.slice(slash + 1);
  const namespace = workload.slice(0, Math.max(0, slash));
  return keyValues({
    [attribute.serviceName]: name,
    ...(namespace === "" ? {} : { [attribute.serviceNamespace]: namespace }),
  });
}

const keyValues = (attributes: SpanRecord["attributes"]): readonly KeyValue[] =>
  Object.entries(attributes).map(([key, value]) => ({ key, value: typed(value) }));

function typed(value: string | number | boolean): Value {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Number.isSafeInteger(value)) return { intValue: String(value) };
  // JSON has no NaN and no infinities; protobuf's JSON form writes them as texts.
  return { doubleValue: Number.isFinite(value) ? value : String(value) };
}

/** Nanoseconds as text: as a number they would lose their last three digits above 2^53. */
function nanos(ms: number): string {
  const whole = Math.floor(ms);
  const rest = Math.floor((ms - whole) * 1_000_000);
  return `${whole}${String(rest).padStart(6, "0")}`;
}
