import { classOf, type EndedExchange, reasonOf } from "./ended-exchange.ts";
import type { AccessRecord } from "./words.ts";

const maxText = 1_024;

/**
 * What the access log tells of an exchange. Chosen member by member: there is no way for a query string, a header,
 * a token or a body to come in. Every text is cut at 1,024 characters.
 */
export function accessRecord(exchange: EndedExchange): AccessRecord {
  const { notes, trace } = exchange;
  return {
    time: new Date(exchange.startedAt).toISOString(),
    direction: exchange.direction,
    workload: exchange.workload,
    peer: cut(notes.peer),
    evidence: notes.evidence,
    method: cut(exchange.method),
    path: cut(exchange.url().pathname),
    status: exchange.status ?? (exchange.direction === "inbound" ? 500 : 0),
    durationMs: Math.max(0, exchange.endedAt - exchange.startedAt),
    traceId: trace.traceId,
    route: notes.route,
    backend: notes.backend,
    attempts: notes.tries.length,
    epoch: exchange.epoch,
    rule: notes.rule,
    ...(notes.audited === undefined ? {} : { audited: notes.audited }),
    ...(notes.dryRun === undefined ? {} : { dryRun: notes.dryRun }),
    refusal: classOf(exchange).refusal,
    reason: notes.refusal === undefined ? "" : cut(reasonOf(notes.refusal)),
  };
}

/** One record as one line: JSON escapes whatever would break a line. */
export const accessLine = (record: AccessRecord): string => JSON.stringify(record);

const cut = (text: string): string => (text.length > maxText ? text.slice(0, maxText) : text);
