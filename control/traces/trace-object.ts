import { DurableObject } from "cloudflare:workers";
import type { SpanRecord } from "@tulle/mesh-runtime/telemetry/words.ts";
import type { Env } from "../env.ts";
import { migrate } from "../storage.ts";

/** How many spans one object keeps: the newest. */
export const keptSpans = 10_000;
/** How long it keeps them, milliseconds. */
export const keptMs = 3_600_000;

/** Longest span that is kept, characters of JSON: with {@link keptSpans} it bounds what one object stores. */
export const longestSpan = 65_536;

/** Of one trace this many spans are answered, and this many characters of them: an answer between workers has at most 32 MiB. */
const answeredSpans = 1_000;
const answeredCharacters = 8_388_608;

const steps: readonly string[] = [
  `CREATE TABLE spans (
    position INTEGER PRIMARY KEY,
    trace_id TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    span TEXT NOT NULL
  );
  CREATE INDEX spans_of_trace ON spans (trace_id)`,
];

/**
 * Keeps the recent spans of the traces that fall to its shard, for `tulle trace` and the dashboard. Bounded by number
 * and age, and pruned whenever spans come in: an object that nobody writes to costs nothing, not even an alarm.
 */
export class TraceObject extends DurableObject<Env> {
  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    migrate(state.storage, steps);
  }

  /** Keeps spans, and forgets what is too old or too many. */
  ingest(spans: readonly SpanRecord[]): void {
    if (spans.length === 0) return;
    const now = Date.now();
    const { sql } = this.ctx.storage;
    this.ctx.storage.transactionSync(() => {
      let newest = 0;
      for (const span of spans.slice(-keptSpans)) {
        const text = JSON.stringify(span);
        if (text.length > longestSpan) continue;
        newest = sql
          .exec<{ position: number }>(
            "INSERT INTO spans (trace_id, received_ms, span) VALUES (?, ?, ?) RETURNING position",
            span.traceId,
            now,
            text,
          )
          .one().position;
      }
      // Positions rise without gaps while the oldest go first, so that the bound by number is a range as well.
      sql.exec("DELETE FROM spans WHERE position <= ?", newest - keptSpans);
      sql.exec(
        "DELETE FROM spans WHERE position < (SELECT COALESCE(MIN(position), ?) FROM spans WHERE received_ms >= ?)",
        newest + 1,
        now - keptMs,
      );
    });
  }

  /** The spans of a trace that are still kept, by their start; each once, however often it was reported. */
  get(traceId: string): SpanRecord[] {
    const rows = this.ctx.storage.sql.exec<{ span: string }>(
      "SELECT span FROM spans WHERE trace_id = ? AND received_ms >= ? ORDER BY position DESC LIMIT ?",
      traceId,
      Date.now() - keptMs,
      answeredSpans,
    );
    const bySpan = new Map<string, SpanRecord>();
    let characters = 0;
    for (const row of rows) {
      characters += row.span.length;
      if (characters > answeredCharacters) break;
      const span: SpanRecord = JSON.parse(row.span);
      bySpan.set(span.spanId, span);
    }
    return [...bySpan.values()].sort((a, b) => a.startMs - b.startMs);
  }
}
