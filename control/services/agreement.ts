import type { Random } from "@tulle/mesh-runtime/foundation/ports.ts";
import { compareEpochs } from "@tulle/mesh-runtime/resilience/circuit-verdict.ts";
import { counted, lately, type OutcomeWindow } from "@tulle/mesh-runtime/resilience/outcome-window.ts";
import type {
  CircuitAnswer,
  CircuitPolicy,
  CircuitReport,
  CircuitState,
  Outcome,
  Verdict,
} from "@tulle/mesh-runtime/resilience/words.ts";
import { freshPacing, type Pacing, paced } from "./pacing.ts";

/** Slices of the authority's window, milliseconds. */
const sliceMs = 500;
/** The shortest window that may open a circuit, in slices: 2 s. Half full of failures it opens 1 s after onset. */
const shortestSlices = 4;
/** What "just now" means, in slices: 0.5 s to 1 s. A blip that is over opens nothing. */
const recentSlices = 2;
/** Fewer outcomes than this just now say nothing against opening. */
const fewRecent = 5;
/** Failed probes make the pause longer by this factor, to at most this long, milliseconds. */
const coolGrowth = 1.5;
const longestCoolMs = 5_000;
/** A ramp takes half as long as the outage, within these bounds, milliseconds. */
const shortestRampMs = 1_000;
const longestRampMs = 10_000;
/** Opening again this soon after a recovery is flapping, milliseconds: longer pauses, longer ramps. */
const flapMs = 15_000;
const mostFlap = 3;
/** Report ids that are remembered in each of two generations, so that a second delivery counts once. */
const mostIds = 500;

/** What must survive the object that holds it: written before the first answer that carries the epoch. */
export interface PersistedAgreement {
  readonly circuit: string;
  readonly incarnation: number;
  readonly epoch: number;
  readonly state: CircuitState;
  /** When this state began; milliseconds since the Unix epoch, like all that follow. */
  readonly since: number;
  /** Outcomes of older epochs are of another time and count no more. */
  readonly countsFrom: number;
  readonly probeAt: number;
  readonly coolMs: number;
  /** When the present or last outage began. */
  readonly outageSince: number;
  readonly recoveredAt: number;
  readonly flap: number;
  readonly rampStartedAt: number;
  readonly rampMs: number;
}

/** What many isolates report about one circuit, and what follows from it. Plain data. */
export interface Agreement extends PersistedAgreement {
  readonly window: OutcomeWindow;
  /** The one probe that is out; a lease. */
  readonly permit: { readonly id: string; readonly until: number } | undefined;
  readonly successes: number;
  readonly seen: { readonly now: readonly string[]; readonly before: readonly string[] };
  readonly pacing: Pacing;
}

/** A report as the object received it. One report may have a row for each epoch of a circuit. */
export interface ReceivedReport extends CircuitReport {
  readonly isolate: string;
  readonly reportId: string;
}

export interface Transition {
  readonly from: CircuitState;
  readonly to: CircuitState;
  readonly epoch: number;
  readonly at: number;
}

export interface Received {
  readonly agreement: Agreement;
  readonly answer: CircuitAnswer;
  /** Present when the state changed: persist before answering. */
  readonly transition?: Transition;
}

/** An agreement about a circuit of which nothing is known. `incarnation` must be greater than any before: the time of creation. */
export function freshAgreement(circuit: string, incarnation: number, now: number): Agreement {
  return alive({
    circuit,
    incarnation,
    epoch: 1,
    state: "closed",
    since: now,
    countsFrom: 1,
    probeAt: 0,
    coolMs: 0,
    outageSince: 0,
    recoveredAt: Number.MIN_SAFE_INTEGER,
    flap: 0,
    rampStartedAt: 0,
    rampMs: shortestRampMs,
  });
}

/** The part that must survive. The rest (window, permit, report ids, sentinels) may be lost at any time. */
export function persistable(agreement: Agreement): PersistedAgreement {
  const { window: _w, permit: _p, successes: _s, seen: _i, pacing: _c, ...lasting } = agreement;
  return lasting;
}

/**
 * The agreement after an eviction: the epochs go on where they were, because every transition was
 * written before anybody heard of it. A permit that was out is forgotten, so at most one more probe is
 * under way; its outcome is ignored.
 * @param incarnation for a fresh start when nothing was kept
 */
export function revive(
  persisted: PersistedAgreement | undefined,
  circuit: string,
  incarnation: number,
  now: number,
): Agreement {
  return persisted === undefined ? freshAgreement(circuit, incarnation, now) : alive(persisted);
}

const alive = (persisted: PersistedAgreement): Agreement => ({
  ...persisted,
  window: [],
  permit: undefined,
  successes: 0,
  seen: { now: [], before: [] },
  pacing: freshPacing(),
});

/**
 * Takes one row of one report in and answers it.
 *
 * Only evidence is judged: counts whose sending did not depend on the outcome. Reports that failures
 * trigger would make a true 1 % of errors look like 31 to 45 % where isolates live for seconds. Refusals
 * for load are neither success nor failure: cutting the destination off would make no goodput of some.
 */
export function receive(
  before: Agreement,
  report: ReceivedReport,
  now: number,
  policy: CircuitPolicy,
  random: Random,
): Received {
  const entered = { ...before, pacing: paced(before, report, now) };
  let agreement = elapsed(entered, now, policy);
  if (report.probe !== undefined) agreement = probed(agreement, report.probe, now, policy, random);
  agreement = observed(agreement, report, now, policy, random);

  let permit: CircuitAnswer["permit"];
  if (report.ask === true && agreement.state === "half-open" && agreement.permit === undefined) {
    const id = `${agreement.epoch}.${Math.floor(now)}.${Math.floor(random() * 2 ** 48).toString(36)}`;
    permit = { id, leaseMs: policy.permitMs };
    agreement = { ...agreement, permit: { id, until: now + policy.permitMs } };
  }
  const { sentinel, nextReportMs } = agreement.pacing.told;
  const verdict = verdictOf(agreement, now, random);
  const answer = { verdict, sentinel, nextReportMs, ...(permit === undefined ? {} : { permit }) };
  if (agreement.epoch === before.epoch) return { agreement, answer };
  const { state: to, epoch } = agreement;
  return { agreement, answer, transition: { from: before.state, to, epoch, at: now } };
}

/** What is true of the circuit now. Whoever is not the probe is told to come back at a time of its own. */
export function verdictOf(agreement: Agreement, now: number, random: Random): Verdict {
  const { circuit, incarnation, epoch, state } = agreement;
  const said = { circuit, incarnation, epoch, state, ageMs: 0 };
  switch (state) {
    case "closed":
      return said;
    case "ramp":
      return { ...said, rampElapsedMs: Math.max(0, now - agreement.rampStartedAt), rampMs: agreement.rampMs };
    case "open":
    case "half-open": {
      const dueMs = state === "open" ? Math.max(0, agreement.probeAt - now) : 0;
      return { ...said, probeInMs: Math.ceil(dueMs + random() * agreement.pacing.askSpreadMs) };
    }
  }
}

/** What time alone changes: a pause ends, a permit lapses, a ramp is done. Lazily, so that no alarm is needed. */
function elapsed(agreement: Agreement, now: number, policy: CircuitPolicy): Agreement {
  const { state, permit } = agreement;
  if (!policy.enabled) return state === "closed" ? agreement : enter(agreement, "closed", now);
  if (state === "open" && now >= agreement.probeAt)
    return { ...enter(agreement, "half-open", now), successes: 0 };
  if (state === "ramp" && now >= agreement.rampStartedAt + agreement.rampMs) {
    return { ...enter(agreement, "closed", now), recoveredAt: now };
  }
  return lapsed(permit?.until, now, policy.permitMs) ? { ...agreement, permit: undefined } : agreement;
}

/** The outcome of a probe counts once, for the permit that is out, within its lease. */
function probed(
  agreement: Agreement,
  probe: { readonly permit: string; readonly outcome: Outcome },
  now: number,
  policy: CircuitPolicy,
  random: Random,
): Agreement {
  if (agreement.state !== "half-open" || agreement.permit?.id !== probe.permit) return agreement;
  const returned = { ...agreement, permit: undefined };
  switch (probe.outcome) {
    case "neutral":
      return returned;
    case "success": {
      const successes = agreement.successes + 1;
      return successes >= policy.successesToClose ? ramp(returned, now) : { ...returned, successes };
    }
    case "failure":
    case "overload": {
      const coolMs = Math.min(longestCoolMs, agreement.coolMs * coolGrowth);
      return { ...enter(returned, "open", now), coolMs, probeAt: now + jittered(coolMs, random) };
    }
  }
}

function ramp(agreement: Agreement, now: number): Agreement {
  const halfMs = (now - agreement.outageSince) / 2;
  const stretch = Math.min(3, 2 ** agreement.flap);
  const rampMs = Math.round(Math.min(longestRampMs, Math.max(shortestRampMs, halfMs)) * stretch);
  const next = enter(agreement, "ramp", now);
  return { ...next, countsFrom: next.epoch, recoveredAt: now, rampStartedAt: now, rampMs };
}

/** Counts evidence, and opens when it says so. A report without failures never opens anything. */
function observed(
  agreement: Agreement,
  report: ReceivedReport,
  now: number,
  policy: CircuitPolicy,
  random: Random,
): Agreement {
  const { state, seen } = agreement;
  if (!report.evidence || report.success + report.failure === 0) return agreement;
  const id = `${report.reportId}/${report.incarnation}.${report.epoch}`;
  if (seen.now.includes(id) || seen.before.includes(id)) return agreement;
  const full = seen.now.length >= mostIds;
  const remembered = {
    ...agreement,
    seen: full ? { now: [id], before: seen.now } : { now: [...seen.now, id], before: seen.before },
  };
  if (state === "open" || state === "half-open" || outdated(agreement, report)) return remembered;

  const cut = { sliceMs, slices: longestSlices(policy) };
  const window = counted(agreement.window, report, now, cut);
  const next = { ...remembered, window };
  const opens = policy.enabled && report.failure > 0 && failing(window, now, policy);
  return opens ? open(next, now, policy, random) : next;
}

/** An isolate that knew no verdict (0, 0) is cold, not late: what it counted is of now. */
function outdated(agreement: Agreement, report: CircuitReport): boolean {
  if (report.incarnation === 0 && report.epoch === 0) return agreement.state === "ramp";
  return compareEpochs(report, { incarnation: agreement.incarnation, epoch: agreement.countsFrom }) < 0;
}

/** Whether the shortest window with enough outcomes fails, and what came in just now does too. */
function failing(window: OutcomeWindow, now: number, policy: CircuitPolicy): boolean {
  const share = policy.failureRatio;
  const recent = lately(window, now, { sliceMs, slices: recentSlices });
  const total = recent.success + recent.failure;
  if (total >= fewRecent && recent.failure < share * total) return false;
  const longest = longestSlices(policy);
  for (let slices = shortestSlices; slices <= longest; slices++) {
    const { success, failure } = lately(window, now, { sliceMs, slices });
    if (success + failure >= policy.minimumOutcomes) return failure >= share * (success + failure);
  }
  return false;
}

const longestSlices = ({ windowMs }: CircuitPolicy): number =>
  Math.max(shortestSlices, Math.min(120, Math.ceil(windowMs / sliceMs)));

function open(agreement: Agreement, now: number, policy: CircuitPolicy, random: Random): Agreement {
  const flapping = now - agreement.recoveredAt < flapMs;
  const flap = flapping ? Math.min(mostFlap, agreement.flap + 1) : 0;
  const coolMs = Math.min(longestCoolMs, policy.baseOpenMs * 2 ** flap);
  const outageSince = agreement.state === "ramp" ? agreement.outageSince : now;
  const next = enter(agreement, "open", now);
  return { ...next, flap, coolMs, outageSince, probeAt: now + jittered(coolMs, random) };
}

/** Every change of state is an epoch of its own, begins with an empty window, and takes the permit back. */
const enter = (agreement: Agreement, state: CircuitState, now: number): Agreement => ({
  ...agreement,
  state,
  epoch: agreement.epoch + 1,
  since: now,
  window: [],
  permit: undefined,
});

/** Whether a time is over. One that seems further away than it can be was set before the clock went back. */
const lapsed = (until: number | undefined, now: number, lengthMs: number): boolean =>
  until !== undefined && (now >= until || until - now > lengthMs);

/** Ten per cent either way, so that circuits that opened together do not probe together. */
const jittered = (ms: number, random: Random): number => ms * (0.9 + 0.2 * random());
