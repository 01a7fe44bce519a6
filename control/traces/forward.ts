import { type ExportOptions, exportSpans } from "@tulle/mesh-runtime/telemetry/export.ts";
import type { SpanRecord } from "@tulle/mesh-runtime/telemetry/words.ts";

/** Spans in one request: OpenTelemetry's own default for a batch. */
const batchSize = 512;
const timeoutMs = 10_000;

/** How forwarding went. `reason` is the last failure's, empty when all went well. */
export interface Forwarded {
  readonly sent: number;
  readonly dropped: number;
  readonly reason: string;
}

/**
 * Sends spans on to an OTLP/HTTP collector, in batches, each once. What a collector does not take is dropped and
 * counted; after a failure the rest is not tried, because a collector that is down would hold up every report.
 * To be run in the background. Never throws.
 */
export async function forward(
  options: Omit<ExportOptions, "signal">,
  spans: readonly SpanRecord[],
): Promise<Forwarded> {
  let sent = 0;
  while (sent < spans.length) {
    const batch = spans.slice(sent, sent + batchSize);
    const answer = await exportSpans({ ...options, signal: AbortSignal.timeout(timeoutMs) }, batch);
    if (!answer.ok) return { sent, dropped: spans.length - sent, reason: answer.reason };
    sent += batch.length;
  }
  return { sent, dropped: 0, reason: "" };
}
