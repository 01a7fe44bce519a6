import type { Permit } from "./circuit.ts";
import type { CircuitReport, Outcome } from "./words.ts";

/** Rows that one circuit keeps for the next report at most: an epoch or two, each with and without evidence. */
const mostRows = 6;
/** Counts older than this when they are sent are no evidence, milliseconds: the authority would take them for now. */
const evidenceLastsMs = 5_000;

interface Row {
  readonly incarnation: number;
  readonly epoch: number;
  readonly evidence: boolean;
  /** When the oldest of its outcomes came about. */
  readonly since: number;
  success: number;
  failure: number;
  overload: number;
}

/** What one circuit will report next. */
export interface Pending {
  rows: Row[];
  probes: CircuitReport[];
}

export const nothingPending = (): Pending => ({ rows: [], probes: [] });

export const isPending = ({ rows, probes }: Pending): boolean => rows.length > 0 || probes.length > 0;

/**
 * Counts an outcome in the row of its epoch.
 * @param evidence whether this count will be sent whatever the outcome is
 */
export function count(
  pending: Pending,
  permit: Permit,
  outcome: Exclude<Outcome, "neutral">,
  evidence: boolean,
  now: number,
): void {
  rowFor(pending, permit, evidence, now)[outcome] += 1;
}

/** The outcome of the authority's probe: a row of its own, so that it is never mistaken for traffic. */
export function countProbe(
  pending: Pending,
  circuit: string,
  permit: Permit & { readonly kind: "probe" },
  outcome: Outcome,
): void {
  const { incarnation, epoch, id } = permit;
  pending.probes.push({ ...bare(circuit, incarnation, epoch), probe: { permit: id, outcome } });
  if (pending.probes.length > mostRows) pending.probes.shift();
}

/** Takes everything out, as reports. */
export function takeOut(pending: Pending, circuit: string, now: number): CircuitReport[] {
  const reports = pending.rows.map(({ since, evidence, ...row }) => ({
    circuit,
    ...row,
    evidence: evidence && now - since <= evidenceLastsMs,
  }));
  const all = [...pending.probes, ...reports];
  pending.rows = [];
  pending.probes = [];
  return all;
}

/**
 * Reports that are sent again because nobody answered.
 * @param ageMs how long ago they were taken out: what is too old by now is no evidence any more
 */
export const sentAgain = (reports: readonly CircuitReport[], ageMs: number): readonly CircuitReport[] =>
  ageMs <= evidenceLastsMs ? reports : reports.map((report) => ({ ...report, evidence: false }));

/** Puts a report back that did not get through. */
export function putBack(pending: Pending, report: CircuitReport, since: number): void {
  if (report.probe !== undefined) {
    pending.probes.push(report);
    if (pending.probes.length > mostRows) pending.probes.shift();
    return;
  }
  const { success, failure, overload } = report;
  if (success + failure + overload === 0) return;
  const row = rowFor(pending, report, report.evidence, since);
  row.success += success;
  row.failure += failure;
  row.overload += overload;
}

/** A report without counts: asks for the verdict. */
export const bare = (circuit: string, incarnation: number, epoch: number): CircuitReport => ({
  circuit,
  success: 0,
  failure: 0,
  overload: 0,
  evidence: false,
  incarnation,
  epoch,
});

function rowFor(
  pending: Pending,
  { incarnation, epoch }: { readonly incarnation: number; readonly epoch: number },
  evidence: boolean,
  since: number,
): Row {
  const index = pending.rows.findIndex(
    (row) => row.evidence === evidence && row.epoch === epoch && row.incarnation === incarnation,
  );
  const found = pending.rows[index];
  if (found !== undefined) {
    if (since >= found.since) return found;
    const older = { ...found, since };
    pending.rows[index] = older;
    return older;
  }
  const row = { incarnation, epoch, evidence, since, success: 0, failure: 0, overload: 0 };
  pending.rows.push(row);
  if (pending.rows.length > mostRows) pending.rows.shift();
  return row;
}
