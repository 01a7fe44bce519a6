import type { Notes, Try } from "../foundation/exchange.ts";
import type { Refusal } from "../foundation/refusal.ts";
import type { EdgeKey } from "./instruments.ts";
import { attribute, tryEvent } from "./semantics.ts";
import type { EdgeDelta, OutcomeClass, SpanEvent, SpanRecord, TraceContext } from "./words.ts";

/** An exchange that is over, as every part of telemetry reads it. */
export interface EndedExchange {
  readonly direction: "inbound" | "outbound";
  /** `namespace/name` of the workload that tells. */
  readonly workload: string;
  readonly method: string;
  /** Asked only when something is written: parsing a URL costs as much as all the counting. */
  readonly url: () => URL;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly trace: TraceContext;
  readonly notes: Notes;
  readonly epoch: number;
  /** Absent when an exception came instead of a response. */
  readonly status: number | undefined;
  /** Name of the exception; its message may hold anything and is not kept. */
  readonly thrown: string | undefined;
}

type Counted = Pick<EdgeDelta, "class" | "refusal">;

/** How an exchange counts. A problem that the mesh answered counts as refused, not by the problem's status. */
export function classOf({ status, notes, direction }: EndedExchange): Counted {
  if (notes.refusal !== undefined) return { class: "refused", refusal: notes.refusal.kind };
  if (status !== undefined) return { class: statusClass(status), refusal: "" };
  return direction === "inbound" ? { class: "5xx", refusal: "" } : { class: "refused", refusal: "internal" };
}

/** How one try counts. Neither answer nor refusal: nothing came back. */
function classOfTry({ status, refusal }: Try): Counted {
  if (refusal !== undefined) return { class: "refused", refusal: refusal.kind };
  if (status !== undefined) return { class: statusClass(status), refusal: "" };
  return { class: "refused", refusal: "unreachable" };
}

/** What golden signals count of an exchange: an arrival once, a departure once for itself and once for each try. */
export function edgesOf(
  exchange: EndedExchange,
): readonly { readonly key: EdgeKey; readonly latencyMs: number }[] {
  const { notes, workload } = exchange;
  const latencyMs = exchange.endedAt - exchange.startedAt;
  if (exchange.direction === "inbound") {
    const source = notes.source || "unknown";
    const edge = { source, destination: workload, route: notes.route, backend: workload };
    return [{ key: { perspective: "inbound", ...edge, ...classOf(exchange) }, latencyMs }];
  }
  const edge = { source: workload, destination: notes.destination || "unknown", route: notes.route };
  return [
    { key: { perspective: "effective", ...edge, backend: notes.backend, ...classOf(exchange) }, latencyMs },
    ...notes.tries.map((each) => ({
      key: { perspective: "attempt" as const, ...edge, backend: each.backend, ...classOfTry(each) },
      latencyMs: each.endedAt - each.startedAt,
    })),
  ];
}

/** What golden signals count of a copy of a request: one try, at the mirror that it went to under a rule. */
export function edgeOfCopy(workload: string, route: string, copy: Try): EdgeKey {
  const { backend } = copy;
  return {
    perspective: "attempt",
    source: workload,
    destination: backend,
    route,
    backend,
    ...classOfTry(copy),
  };
}

/** Whether an exchange is recorded though its trace is not sampled: what failed here, not what a caller got wrong. */
export const alwaysRecorded = ({ status, notes }: EndedExchange): boolean =>
  notes.refusal !== undefined || status === undefined || status >= 500;

/** The span of an exchange: kind server for arrivals, client for departures. */
export function spanOf(exchange: EndedExchange): SpanRecord {
  const { direction, workload, method, startedAt, endedAt, trace, notes, status, thrown } = exchange;
  const inbound = direction === "inbound";
  const url = exchange.url();
  const destination = inbound ? workload : notes.destination;
  // OpenTelemetry: 4xx is an error of the client span only; what the mesh refused is one on both sides.
  const failed = notes.refusal !== undefined || status === undefined || status >= (inbound ? 500 : 400);
  const errorType = notes.refusal?.kind ?? thrown ?? (failed ? String(status) : "");
  const events = notes.tries.length > 1 ? notes.tries.slice(0, maxTryEvents).map(eventOf) : [];
  return {
    traceId: trace.traceId,
    spanId: trace.spanId,
    ...(trace.parentSpanId === undefined ? {} : { parentSpanId: trace.parentSpanId }),
    name: `${knownMethods.has(method) ? method : "HTTP"} ${isRule(notes.route) ? notes.route : destination}`.slice(
      0,
      maxName,
    ),
    kind: inbound ? 2 : 3,
    startMs: startedAt,
    endMs: Math.max(startedAt, endedAt),
    attributes: present({
      [attribute.method]: knownMethods.has(method) ? method : "_OTHER",
      [attribute.path]: url.pathname,
      [attribute.scheme]: url.protocol.slice(0, -1),
      [attribute.serverAddress]: url.hostname,
      [attribute.serverPort]: url.port === "" ? "" : Number(url.port),
      [attribute.status]: status ?? "",
      [attribute.peerService]: inbound ? "" : notes.destination,
      [attribute.peer]: notes.peer,
      [attribute.source]: notes.source,
      [attribute.evidence]: notes.evidence,
      [attribute.rule]: notes.rule,
      [attribute.route]: notes.route,
      [attribute.backend]: notes.backend,
      [attribute.attempts]: inbound ? "" : notes.tries.length,
      [attribute.epoch]: exchange.epoch,
      [attribute.refusal]: notes.refusal?.kind ?? "",
      [attribute.errorType]: errorType,
    }),
    status: failed ? 2 : 0,
    ...(notes.refusal === undefined ? {} : { error: reasonOf(notes.refusal).slice(0, maxText) }),
    ...(events.length === 0 ? {} : { events }),
    workload,
  };
}

/** Everything that a refusal says beyond its kind, as `name=value` pairs. For operators; callers see its problem. */
export const reasonOf = ({ kind: _, ...said }: Refusal): string =>
  Object.entries(said)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

/** Routes of documents are called `HTTPRoute/<namespace>/<name>/<index>`; what a Service without any has, `default`, names nothing. */
const isRule = (route: string): boolean => route.includes("/");

const maxText = 1_024;
const maxName = 256;
const maxTryEvents = 16;

/** OpenTelemetry: any other method is `_OTHER`, so that a caller cannot make names up. */
const knownMethods: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
  "QUERY",
]);

const statusClass = (status: number): OutcomeClass =>
  status < 200 ? "1xx" : status < 300 ? "2xx" : status < 400 ? "3xx" : status < 500 ? "4xx" : "5xx";

const eventOf = (each: Try): SpanEvent => ({
  name: tryEvent,
  timeMs: each.startedAt,
  attributes: present({
    [attribute.backend]: each.backend,
    [attribute.status]: each.status ?? "",
    [attribute.refusal]: classOfTry(each).refusal,
  }),
});

/** Without what is not known, and texts cut. */
function present(attributes: Record<string, string | number>): Record<string, string | number> {
  const known: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== "") known[name] = typeof value === "string" ? value.slice(0, maxText) : value;
  }
  return known;
}
