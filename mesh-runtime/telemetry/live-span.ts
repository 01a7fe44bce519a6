import type { Exception, Span, SpanContext, SpanStatus, TimeInput } from "@opentelemetry/api";
import type { Clock } from "../foundation/ports.ts";
import type { Ids } from "./ids.ts";
import type { Instruments } from "./instruments.ts";
import { attribute, exceptionEvent } from "./semantics.ts";
import type { SpanEvent, SpanRecord, TraceContext } from "./words.ts";

/** What spans need to come about and to be kept: the tracing of one workload in one isolate. */
export interface Recording {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly instruments: Pick<Instruments, "span">;
  readonly workload: string;
}

/** With what a span begins. */
export interface SpanStart {
  readonly name: string;
  readonly kind: SpanRecord["kind"];
  readonly startMs: number;
}

type Attributes = Record<string, string | number | boolean>;

const maxAttributes = 32;
const maxEventAttributes = 8;
/** Events of one span. */
export const maxEvents = 16;
const maxName = 128;
const maxText = 1_024;
/** Beyond this control reads no number. */
const maxNumber = 1e300;
/** The year 33658: what is later is no time. */
const maxTime = 1e15;

/**
 * A span under way, as applications see it through `@opentelemetry/api`. Bounded: 32 attributes, 16 events, texts
 * cut; what is more is left out. Ending it keeps it if its trace is sampled, or if its status is an error. Links
 * are not kept, and of exceptions only type and message: stacks and causes may hold anything.
 */
export class LiveSpan implements Span {
  readonly recording: Recording;
  readonly trace: TraceContext;
  #start: SpanStart;
  #attributes: Attributes = {};
  #events: SpanEvent[] = [];
  #status: SpanStatus = { code: 0 };
  #ended = false;

  constructor(recording: Recording, trace: TraceContext, start: SpanStart) {
    this.recording = recording;
    this.trace = trace;
    this.#start = start;
  }

  spanContext(): SpanContext {
    return spanContextOf(this.trace);
  }

  isRecording(): boolean {
    return this.trace.sampled && !this.#ended;
  }

  setAttribute(key: string, value: unknown): this {
    if (!this.#ended) put(this.#attributes, key, value, maxAttributes);
    return this;
  }

  setAttributes(attributes: Readonly<Record<string, unknown>>): this {
    for (const [key, value] of Object.entries(attributes)) this.setAttribute(key, value);
    return this;
  }

  addEvent(name: string, attributesOrTime?: unknown, time?: TimeInput): this {
    if (this.#ended || this.#events.length >= maxEvents) return this;
    const attributes: Attributes = {};
    const isTime = isTimeInput(attributesOrTime);
    if (!isTime && typeof attributesOrTime === "object" && attributesOrTime !== null) {
      for (const [key, value] of Object.entries(attributesOrTime))
        put(attributes, key, value, maxEventAttributes);
    }
    const timeMs = millis(isTime ? attributesOrTime : time, this.recording.clock);
    this.#events.push({ name: name.slice(0, maxName), timeMs, attributes });
    return this;
  }

  addLink(): this {
    return this;
  }

  addLinks(): this {
    return this;
  }

  /** Ok is final, and unset says nothing (OpenTelemetry, Trace API, Set Status). */
  setStatus(status: SpanStatus): this {
    const said = status.code === 1 || status.code === 2;
    if (!this.#ended && this.#status.code !== 1 && said) this.#status = status;
    return this;
  }

  updateName(name: string): this {
    if (!this.#ended) this.#start = { ...this.#start, name };
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const { name, code, message } =
      typeof exception === "string" ? { name: undefined, code: undefined, message: exception } : exception;
    this.addEvent(
      exceptionEvent,
      { [attribute.exceptionType]: name ?? code, [attribute.exceptionMessage]: message },
      time,
    );
  }

  end(time?: TimeInput): void {
    if (this.#ended) return;
    this.#ended = true;
    const { clock, instruments } = this.recording;
    const { sampled } = this.trace;
    if (sampled || this.failed) instruments.span(this.record(millis(time, clock)), sampled);
  }

  /** Whether somebody has set its status to an error. */
  get failed(): boolean {
    return this.#status.code === 2;
  }

  /** What would be kept if the span ended at `endMs`. */
  record(endMs: number): SpanRecord {
    const { traceId, spanId, parentSpanId } = this.trace;
    const { name, kind, startMs } = this.#start;
    const { code, message } = this.#status;
    return {
      traceId,
      spanId,
      ...(parentSpanId === undefined ? {} : { parentSpanId }),
      name: name.slice(0, maxName),
      kind,
      startMs,
      endMs: Math.max(startMs, endMs),
      attributes: this.#attributes,
      status: code,
      ...(code === 2 && message ? { error: message.slice(0, maxText) } : {}),
      ...(this.#events.length === 0 ? {} : { events: this.#events }),
      workload: this.recording.workload,
    };
  }
}

/** A trace context as `@opentelemetry/api` writes it down. */
export const spanContextOf = (trace: TraceContext): SpanContext => ({
  traceId: trace.traceId,
  spanId: trace.spanId,
  traceFlags: trace.sampled ? 1 : 0,
});

/** Milliseconds since the Unix epoch of any of OpenTelemetry's forms of a time; the clock's for none, or for what is no time. */
export function millis(time: TimeInput | undefined, clock: Clock): number {
  const ms = Array.isArray(time) ? time[0] * 1_000 + time[1] / 1_000_000 : Number(time ?? Number.NaN);
  return ms >= 0 && ms <= maxTime ? ms : clock.now();
}

const isTimeInput = (value: unknown): value is TimeInput =>
  typeof value === "number" || value instanceof Date || Array.isArray(value);

/** Numbers, booleans, texts, and lists of them as JSON; anything else is left out. */
function put(attributes: Attributes, key: string, value: unknown, most: number): void {
  const name = key.slice(0, maxName);
  if (!Object.hasOwn(attributes, name) && Object.keys(attributes).length >= most) return;
  if (Array.isArray(value)) {
    const plain = value.slice(0, maxAttributes).filter((each) => typeof each !== "object");
    attributes[name] = JSON.stringify(plain).slice(0, maxText);
  } else if (typeof value === "string") attributes[name] = value.slice(0, maxText);
  else if (typeof value === "boolean") attributes[name] = value;
  else if (typeof value === "number") attributes[name] = Math.abs(value) <= maxNumber ? value : String(value);
}
