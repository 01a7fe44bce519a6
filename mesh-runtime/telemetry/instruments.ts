import { addLatency, emptyHistogram, mergeInto } from "./histogram.ts";
import type { EdgeDelta, SpanRecord } from "./words.ts";

/** What tells one line of the golden signals from another. */
export type EdgeKey = Pick<
  EdgeDelta,
  "perspective" | "source" | "destination" | "route" | "backend" | "class" | "refusal"
>;

/** What one report carries of telemetry. */
export interface Batch {
  readonly edges: readonly EdgeDelta[];
  readonly spans: readonly SpanRecord[];
  readonly counters: Readonly<Record<string, number>>;
}

/** Bounds of what one isolate keeps between two reports. */
export interface InstrumentLimits {
  /** Lines of golden signals; what comes above is counted under route and backend `other`. @default 1_000 */
  readonly edges?: number;
  /** Spans; what comes above is dropped and counted as `spans_dropped`. @default 500 */
  readonly spans?: number;
  /** Characters of all spans together, about; so that a report stays below the megabyte that control reads. @default 400_000 */
  readonly spanCharacters?: number;
}

/** How names beyond a bound are called. */
export const other = "other";

/** With `other` no more than the 64 that control reads. */
const maxCounters = 63;
/** The longest name that control reads; names of routes can be longer. */
export const maxName = 256;

type Line = { -readonly [Name in keyof EdgeDelta]: EdgeDelta[Name] } & { readonly latency: number[] };

/**
 * Gathers what an isolate has seen until the next report takes it: bounded memory whatever happens outside, and
 * plain data, so that a report that is cancelled in the middle leaves nothing half done.
 */
export class Instruments {
  readonly #maxEdges: number;
  readonly #maxSpans: number;
  readonly #maxSpanCharacters: number;
  #edges = new Map<string, Line>();
  #spans: SpanRecord[] = [];
  #spanCharacters = 0;
  #counters = new Map<string, number>();

  constructor(limits: InstrumentLimits = {}) {
    this.#maxEdges = limits.edges ?? 1_000;
    this.#maxSpans = limits.spans ?? 500;
    this.#maxSpanCharacters = limits.spanCharacters ?? 400_000;
  }

  /** Counts one exchange, or one try, with its latency in milliseconds. */
  edge(key: EdgeKey, latencyMs: number): void {
    const line = this.#line(key);
    line.count++;
    line.latencySumMs += latencyMs > 0 ? latencyMs : 0;
    addLatency(line.latency, latencyMs);
  }

  /**
   * Keeps a finished span.
   * @param sampled false for one that is recorded only because it failed: those fill at most half of the room, so
   *   that a flood of failures does not push out every sampled trace
   */
  span(span: SpanRecord, sampled = true): void {
    const share = sampled ? 1 : 0.5;
    const characters = this.#spanCharacters + charactersOf(span);
    if (this.#spans.length >= this.#maxSpans * share || characters > this.#maxSpanCharacters * share) {
      this.count("spans_dropped");
      return;
    }
    this.#spanCharacters = characters;
    this.#spans.push(span);
  }

  /** Adds to a named counter. Names are the mesh's own words; beyond 63 of them they count as `other`. */
  count(name: string, by = 1): void {
    const known = this.#counters.has(name) || this.#counters.size < maxCounters ? name : other;
    this.#counters.set(known, (this.#counters.get(known) ?? 0) + by);
  }

  /** Whether there is nothing to report. */
  empty(): boolean {
    return this.#edges.size === 0 && this.#spans.length === 0 && this.#counters.size === 0;
  }

  /** Takes everything out. */
  drain(): Batch {
    const batch = {
      edges: [...this.#edges.values()],
      spans: this.#spans,
      counters: Object.fromEntries(this.#counters),
    };
    this.#edges = new Map();
    this.#spans = [];
    this.#spanCharacters = 0;
    this.#counters = new Map();
    return batch;
  }

  /** Takes back what could not be sent, within the same bounds; what does not fit is dropped and counted. */
  restore(batch: Batch): void {
    for (const delta of batch.edges) {
      const line = this.#line(delta);
      line.count += delta.count;
      line.latencySumMs += delta.latencySumMs;
      mergeInto(line.latency, delta.latency);
    }
    for (const span of batch.spans) this.span(span);
    for (const [name, by] of Object.entries(batch.counters)) this.count(name, by);
  }

  /** The line of `key`. Routes and backends give way first, sources and destinations a tenth above the bound. */
  #line(key: EdgeKey): Line {
    const room = this.#maxEdges - this.#edges.size;
    const exact = this.#edges.get(edgeName(key)) ?? (room > 0 ? this.#begin(key) : undefined);
    if (exact !== undefined) return exact;
    const folded = { ...key, route: other, backend: other };
    const near =
      this.#edges.get(edgeName(folded)) ?? (room > -this.#maxEdges / 10 ? this.#begin(folded) : undefined);
    if (near !== undefined) return near;
    // Of these there are no more than perspectives times classes times kinds of refusal.
    const any = { ...folded, source: other, destination: other };
    return this.#edges.get(edgeName(any)) ?? this.#begin(any);
  }

  #begin(key: EdgeKey): Line {
    const line: Line = {
      perspective: key.perspective,
      source: key.source.slice(0, maxName),
      destination: key.destination.slice(0, maxName),
      route: key.route.slice(0, maxName),
      backend: key.backend.slice(0, maxName),
      class: key.class,
      refusal: key.refusal,
      count: 0,
      latency: emptyHistogram(),
      latencySumMs: 0,
    };
    this.#edges.set(edgeName(key), line);
    return line;
  }
}

/** One text for one key. */
export const edgeName = (key: EdgeKey): string =>
  `${key.perspective}\n${key.source}\n${key.destination}\n${key.route}\n${key.backend}\n${key.class}\n${key.refusal}`;

/** About how long a span is as JSON. Its fixed members take 300 characters. */
function charactersOf(span: SpanRecord): number {
  let sum = 300;
  for (const { attributes } of [span, ...(span.events ?? [])]) {
    for (const [key, value] of Object.entries(attributes)) sum += key.length + String(value).length + 6;
  }
  return sum;
}
