import { attribute } from "@tulle/mesh-runtime/telemetry/semantics.ts";
import type { SpanRecord } from "@tulle/mesh-runtime/telemetry/words.ts";

/** One span in its place below the one that caused it. */
export interface Branch {
  readonly span: SpanRecord;
  /** 0 for spans that nothing in the trace caused. */
  readonly depth: number;
}

/**
 * Orders spans as they caused each other, siblings by their start. A span whose parent is not in the
 * trace (not sampled, or outside) stands at the top; so does one of a circle, which only a broken or
 * hostile exporter makes. No span is lost, none is shown twice.
 */
export function branches(spans: readonly SpanRecord[]): readonly Branch[] {
  const unique = [...new Map(spans.map((span) => [span.spanId, span])).values()].sort(
    (a, b) => a.startMs - b.startMs,
  );
  const known = new Set(unique.map(({ spanId }) => spanId));
  const children = Map.groupBy(unique, ({ parentSpanId }) => parentSpanId);
  const placed = new Set<string>();
  const found: Branch[] = [];
  const place = (top: SpanRecord) => {
    // A stack, not recursion: a trace may be deeper than the call stack.
    const waiting: Branch[] = [{ span: top, depth: 0 }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (placed.has(next.span.spanId)) continue;
      placed.add(next.span.spanId);
      found.push(next);
      const depth = next.depth + 1;
      for (const span of [...(children.get(next.span.spanId) ?? [])].reverse()) waiting.push({ span, depth });
    }
  };
  for (const span of unique)
    if (span.parentSpanId === undefined || !known.has(span.parentSpanId)) place(span);
  for (const span of unique) place(span);
  return found;
}

/** From the first start to the last end, milliseconds since the Unix epoch. */
export function extent(spans: readonly SpanRecord[]): { readonly startMs: number; readonly endMs: number } {
  return spans.reduce(
    ({ startMs, endMs }, span) => ({
      startMs: Math.min(startMs, span.startMs),
      endMs: Math.max(endMs, span.endMs),
    }),
    { startMs: Number.POSITIVE_INFINITY, endMs: Number.NEGATIVE_INFINITY },
  );
}

/**
 * Draws when a span was under way, as part of the whole trace.
 * @param columns width of the drawing
 * @returns exactly so many columns: spaces, then at least one mark
 */
export function bar(span: SpanRecord, whole: { startMs: number; endMs: number }, columns: number): string {
  const scale = columns / Math.max(1, whole.endMs - whole.startMs);
  const from = Math.min(columns - 1, Math.max(0, Math.floor((span.startMs - whole.startMs) * scale)));
  const length = Math.min(columns - from, Math.max(1, Math.round((span.endMs - span.startMs) * scale)));
  return (" ".repeat(from) + "█".repeat(length)).padEnd(columns);
}

/** How a span ended, in a word: the status code, why the mesh refused, or that it failed. */
export function ending({ attributes, status }: SpanRecord): string {
  const refusal = attributes[attribute.refusal];
  const code = attributes[attribute.status];
  if (refusal !== undefined && refusal !== "")
    return code === undefined ? String(refusal) : `${code} ${refusal}`;
  if (code !== undefined) return String(code);
  return status === 2 ? "error" : status === 1 ? "ok" : "";
}
