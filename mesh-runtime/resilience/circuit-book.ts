import type { Random } from "../foundation/ports.ts";
import {
  type Acquired,
  acquire,
  type Circuit,
  epochOf,
  freshCircuit,
  inForce,
  merge,
  type Permit,
  settle,
  unanswered,
} from "./circuit.ts";
import { formatGossip, mostGossip, parseGossip } from "./circuit-gossip.ts";
import {
  bare,
  count,
  countProbe,
  isPending,
  nothingPending,
  type Pending,
  putBack,
  takeOut,
} from "./circuit-pending.ts";
import { told } from "./circuit-verdict.ts";
import type { CircuitAnswer, CircuitPolicy, CircuitReport, Outcome, Verdict } from "./words.ts";

/** Circuits that one isolate keeps. */
const mostCircuits = 1_000;
/** Circuits that it has only heard of: a talkative neighbour must not drive out those that are used. */
const mostRumours = 64;
/** Rows of one report; what is above it goes with the next. */
const mostReports = 256;
/** A verdict that changed within this time is passed on even when it is closed, milliseconds. */
const newsMs = 60_000;
/** What a circuit without counts to send waits for, milliseconds: word from the authority while it is refusing. */
const pollMs = 1_000;
/** An isolate that is no sentinel sends its counts after this, milliseconds. */
const slowReportMs = 30_000;

interface Entry {
  circuit: Circuit;
  readonly pending: Pending;
  /** The first outcome is evidence: it is sent whatever it is. */
  greeted: boolean;
  sentinel: boolean;
  periodMs: number;
  reportedAt: number;
  /** When it has something to say or to ask, milliseconds since the Unix epoch. */
  dueAt: number;
  /** It refused a request since the last report, so the authority's word is wanted. */
  wanting: boolean;
}

/**
 * The circuits of one isolate: what it holds of each, and what it will report. Plain data and pure
 * judgement on it; no timer, no promise, nothing that belongs to a request.
 */
export class CircuitBook {
  readonly #entries = new Map<string, Entry>();
  readonly #rumours = new Map<string, { readonly verdict: Verdict; readonly heardAt: number }>();
  readonly #random: Random;
  #latest = 0;
  #malformed = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Whether a request to this circuit's destination may pass. */
  acquire(key: string, now: number, policy: CircuitPolicy): Acquired {
    const entry = this.#entry(key, now);
    const acquired = acquire(entry.circuit, now, policy, this.#random);
    entry.circuit = acquired.circuit;
    if (acquired.permit === undefined && !acquired.ask) this.#want(entry, now);
    return acquired;
  }

  /** Takes the outcome of a request that was let pass, for the circuit and for the next report. */
  settle(key: string, permit: Permit, outcome: Outcome, now: number, policy: CircuitPolicy): void {
    const entry = this.#entry(key, now);
    entry.circuit = settle(entry.circuit, permit, outcome, now, policy, this.#random);
    if (permit.kind === "probe") {
      countProbe(entry.pending, key, permit, outcome);
      entry.dueAt = now;
      return;
    }
    if (outcome === "neutral") return;
    const hello = !entry.greeted;
    entry.greeted = true;
    count(entry.pending, permit, outcome, hello || entry.sentinel, now);
    entry.dueAt = Math.min(entry.dueAt, this.#dueAfter(entry, outcome, hello, now));
  }

  /** Takes the authority's answer in. */
  learn(answer: CircuitAnswer, now: number): void {
    const entry = this.#entry(answer.verdict.circuit, now);
    entry.circuit = merge(entry.circuit, answer.verdict, now);
    entry.sentinel = answer.sentinel;
    entry.periodMs = Math.max(100, Math.min(60_000, answer.nextReportMs));
  }

  /** The authority was asked about this circuit and did not answer in time. */
  unanswered(key: string, now: number, policy: CircuitPolicy): void {
    const entry = this.#entry(key, now);
    entry.circuit = unanswered(entry.circuit, now, policy, this.#random);
  }

  /**
   * What there is to report, and takes it out of the book. Circuits that refuse requests report even
   * without counts, because the answer brings the verdict.
   */
  drain(): CircuitReport[] {
    const now = this.#latest;
    const reports: CircuitReport[] = [];
    for (const [key, entry] of this.#entries) {
      if (reports.length >= mostReports) break;
      if (!isPending(entry.pending) && !entry.wanting) continue;
      const { incarnation, epoch } = epochOf(entry.circuit);
      const rows = takeOut(entry.pending, key, now);
      reports.push(...(rows.length > 0 ? rows : [bare(key, incarnation, epoch)]));
      entry.wanting = false;
      entry.reportedAt = now;
      entry.dueAt = Number.POSITIVE_INFINITY;
    }
    const rest = reports.splice(mostReports);
    this.restore(rest);
    return reports;
  }

  /**
   * Puts back what `drain()` gave and control did not take. Counts that are old by the time they are
   * sent are no evidence any more. A report that did arrive, and whose answer was lost, is counted twice
   * then; send it again under its own id where that matters.
   */
  restore(reports: readonly CircuitReport[]): void {
    for (const report of reports) {
      const entry = this.#entries.get(report.circuit);
      if (entry === undefined) continue;
      putBack(entry.pending, report, entry.reportedAt);
      if (!isPending(entry.pending)) entry.wanting = true;
      entry.dueAt = Math.min(entry.dueAt, entry.reportedAt + Math.max(pollMs, entry.periodMs));
    }
  }

  /** Whether there is nothing to report. */
  quiet(): boolean {
    for (const entry of this.#entries.values()) if (isPending(entry.pending) || entry.wanting) return false;
    return true;
  }

  /** Milliseconds until a report is due, 0 when it is now; `undefined` when there is nothing to report. */
  dueInMs(now: number): number | undefined {
    let earliest = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) {
      if (isPending(entry.pending) || entry.wanting) earliest = Math.min(earliest, entry.dueAt);
    }
    return earliest === Number.POSITIVE_INFINITY ? undefined : Math.max(0, earliest - now);
  }

  /**
   * The value of `tulle-circuits`: verdicts of the authority that are not closed or are news, most
   * recent first; empty when there are none. Never what this isolate suspects itself: passing local trips
   * on turned 0.04 % of false refusals into 4 % in simulation.
   */
  gossip(now: number): string {
    this.#latest = Math.max(this.#latest, now);
    const news: { readonly verdict: Verdict; readonly changedAt: number }[] = [];
    for (const [key, { circuit }] of this.#entries) {
      const verdict = inForce(circuit, now);
      if (verdict === undefined || (verdict.state === "closed" && now - verdict.changedAt >= newsMs))
        continue;
      news.push({ verdict: told(key, verdict, now), changedAt: verdict.changedAt });
    }
    for (const { verdict, heardAt } of this.#rumours.values()) {
      const ageMs = verdict.ageMs + Math.max(0, now - heardAt);
      if (ageMs < newsMs) news.push({ verdict: { ...verdict, ageMs }, changedAt: heardAt });
    }
    if (news.length === 0) return "";
    news.sort((a, b) => b.changedAt - a.changedAt);
    return formatGossip(news.slice(0, mostGossip).map(({ verdict }) => verdict));
  }

  /** Takes in the `tulle-circuits` of an authenticated hop. Malformed headers are ignored and counted. */
  hear(value: string, now: number): void {
    if (value === "") return;
    const verdicts = parseGossip(value);
    if (verdicts === undefined) {
      this.#malformed += 1;
      return;
    }
    for (const verdict of verdicts) {
      const entry = this.#entries.get(verdict.circuit);
      if (entry === undefined) this.#rumour(verdict, now);
      else entry.circuit = merge(entry.circuit, verdict, now, false);
    }
  }

  /** How many headers could not be read since the last call. */
  takeMalformed(): number {
    const malformed = this.#malformed;
    this.#malformed = 0;
    return malformed;
  }

  /** One circuit as this isolate holds it; for explaining, not for deciding. */
  look(key: string): Circuit | undefined {
    return this.#entries.get(key)?.circuit;
  }

  #entry(key: string, now: number): Entry {
    this.#latest = Math.max(this.#latest, now);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    if (this.#entries.size >= mostCircuits) dropOldest(this.#entries);
    const rumour = this.#rumours.get(key);
    const entry: Entry = {
      circuit: rumour === undefined ? freshCircuit() : heardOf(rumour, now),
      pending: nothingPending(),
      greeted: false,
      sentinel: false,
      periodMs: pollMs,
      reportedAt: Number.NEGATIVE_INFINITY,
      dueAt: Number.POSITIVE_INFINITY,
      wanting: false,
    };
    this.#rumours.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  #rumour(verdict: Verdict, now: number): void {
    const known = this.#rumours.get(verdict.circuit);
    const merged = known === undefined ? freshCircuit() : heardOf(known, now);
    const { verdict: newest } = merge(merged, verdict, now, false);
    this.#rumours.delete(verdict.circuit);
    if (this.#rumours.size >= mostRumours) dropOldest(this.#rumours);
    if (newest !== undefined) {
      this.#rumours.set(verdict.circuit, { verdict: told(verdict.circuit, newest, now), heardAt: now });
    }
  }

  #want(entry: Entry, now: number): void {
    entry.wanting = true;
    entry.dueAt = Math.min(entry.dueAt, Math.max(now, entry.reportedAt + Math.max(pollMs, entry.periodMs)));
  }

  /** When an outcome makes a report due. Drawn once: the least of many draws would be soon for everybody. */
  #dueAfter(entry: Entry, outcome: Outcome, hello: boolean, now: number): number {
    if (hello) return now;
    if (entry.sentinel) return Math.max(now, entry.reportedAt + entry.periodMs);
    const suspicious = outcome === "failure" && entry.dueAt > now + entry.periodMs + pollMs;
    if (suspicious) return Math.max(now, entry.reportedAt + pollMs) + this.#random() * entry.periodMs;
    if (entry.dueAt !== Number.POSITIVE_INFINITY) return entry.dueAt;
    return now + slowReportMs * (0.5 + this.#random());
  }
}

const heardOf = (rumour: { readonly verdict: Verdict; readonly heardAt: number }, now: number): Circuit => {
  const { verdict, heardAt } = rumour;
  return merge(freshCircuit(), { ...verdict, ageMs: verdict.ageMs + Math.max(0, now - heardAt) }, now, false);
};

/** Maps keep the order in which keys came. */
function dropOldest(map: Map<string, unknown>): void {
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
