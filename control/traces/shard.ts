import type { SpanRecord } from "@tulle/mesh-runtime/telemetry/words.ts";

const shards = 8;

/**
 * The name of the object that keeps a trace. Chosen by the last byte of its id: the last seven are the ones that
 * W3C Trace Context 2, §3.2.2.3, wants random, while ids from elsewhere may begin with a time.
 */
export const traceShard = (traceId: string): string =>
  `shard-${Number.parseInt(traceId.slice(-2), 16) % shards}`;

/** Spans by the object that keeps them. */
export function byShard(spans: readonly SpanRecord[]): ReadonlyMap<string, readonly SpanRecord[]> {
  const groups = new Map<string, SpanRecord[]>();
  for (const span of spans) {
    const name = traceShard(span.traceId);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [span]);
    else group.push(span);
  }
  return groups;
}
