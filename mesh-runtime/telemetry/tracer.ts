import {
  type Context,
  type ContextManager,
  context,
  ProxyTracerProvider,
  type Span,
  type SpanOptions,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import { LiveSpan, millis } from "./live-span.ts";
import { childOf, newTrace } from "./trace-context.ts";

/**
 * Makes the spans that applications open. A span takes everything it needs from the mesh's span above it, so that
 * one tracer serves every mesh of an isolate and holds nothing; outside of any exchange nothing is recorded.
 *
 * Our own, because of its size in every worker: over the API, OpenTelemetry's SDK costs 8.3 KB (gzip), with
 * batching and OTLP export 12.2 KB, and this 1.5 KB; a span costs the same 5 to 6 µs. The SDK brings timers and
 * queues besides, which have no place in an isolate that reports its spans anyway.
 */
class MeshTracer implements Tracer {
  startSpan(name: string, options: SpanOptions = {}, within: Context = context.active()): Span {
    const above = trace.getSpan(within);
    if (!(above instanceof LiveSpan)) {
      return trace.wrapSpanContext((options.root ? undefined : above?.spanContext()) ?? nowhere);
    }
    const { recording } = above;
    const { clock, ids } = recording;
    const begun = options.root ? newTrace(ids, above.trace.sampled ? 1 : 0) : childOf(above.trace, ids);
    const kind = kinds[options.kind ?? 0] ?? 1;
    const span = new LiveSpan(recording, begun, { name, kind, startMs: millis(options.startTime, clock) });
    return options.attributes === undefined ? span : span.setAttributes(options.attributes);
  }

  startActiveSpan<Work extends (span: Span) => unknown>(
    name: string,
    ...rest: [Work] | [SpanOptions, Work] | [SpanOptions, Context, Work]
  ): ReturnType<Work> {
    const work = rest.at(-1) as Work;
    const options = rest.length > 1 ? (rest[0] as SpanOptions) : {};
    const within = rest.length > 2 ? (rest[1] as Context) : context.active();
    const span = this.startSpan(name, options, within);
    return context.with(trace.setSpan(within, span), () => work(span)) as ReturnType<Work>;
  }
}

/** What `@opentelemetry/api` says for "no span". */
const nowhere = { traceId: "0".repeat(32), spanId: "0".repeat(16), traceFlags: 0 };

/** From OpenTelemetry's SpanKind to the three that are told apart: producers call, consumers are called. */
const kinds = [1, 2, 3, 3, 2] as const;

const tracer = new MeshTracer();
const provider: TracerProvider = { getTracer: () => tracer };

/**
 * Makes the mesh's tracer and the runtime's context manager the global ones of `@opentelemetry/api`. To be called
 * while a request is handled; calling it again changes nothing. An SDK that the application registered first stays.
 * @returns whether the application's spans reach the mesh
 */
export function registerTracing(contextManager: ContextManager): boolean {
  const present = trace.getTracerProvider();
  if (!(present instanceof ProxyTracerProvider)) return false;
  if (present.getDelegateTracer("tulle") !== undefined) return present.getDelegate() === provider;
  context.setGlobalContextManager(contextManager.enable());
  return trace.setGlobalTracerProvider(provider);
}
