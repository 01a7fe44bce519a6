import type { Random } from "../foundation/ports.ts";
import {
  ageOf,
  compareEpochs,
  compareVerdicts,
  type HeldVerdict,
  held,
  rampShare,
  staleAfterMs,
  verdictLeaseMs,
} from "./circuit-verdict.ts";
import { counted, lately, type OutcomeWindow } from "./outcome-window.ts";
import type { CircuitPolicy, Outcome, Verdict } from "./words.ts";

/** How long a request waits for the authority's answer at most, milliseconds. */
export const askPatienceMs = 300;
/** How long gossip about a circuit is not believed after the authority disproved some, milliseconds. */
const deafMs = 60_000;
/** The local rate window has so many slices. */
const rateSlices = 10;
/** Penalties stop doubling here; the policy's maximum is reached long before. */
const mostTrips = 12;
/** A cached open whose authority is silent begins as a third local trip would: it is no first suspicion. */
const tripsWhenSilent = 2;

/** What this isolate has seen itself. */
export interface LocalBreaker {
  /** Failures in a row, and when the first of them ended. */
  readonly run: number;
  readonly runSince: number;
  readonly window: OutcomeWindow;
  /** Open until then; `undefined`: closed. Milliseconds since the Unix epoch. */
  readonly openUntil: number | undefined;
  /** Trips without a success between them. */
  readonly trips: number;
  /** The one request that may pass while half-open; a lease, so that a lost probe blocks nobody. */
  readonly probe: { readonly serial: number; readonly until: number } | undefined;
  /** Grows when the breaker trips or is cleared: outcomes of requests that began before count no more. */
  readonly era: number;
}

/** One circuit as one isolate sees it: its own breaker, and what the authority said last. Plain data. */
export interface Circuit {
  readonly local: LocalBreaker;
  readonly verdict: HeldVerdict | undefined;
  /** When the authority was asked in vain: what it said before no longer holds here. */
  readonly silentSince: number | undefined;
  /** Until then gossip is not believed: the authority has disproved some. */
  readonly deafUntil: number;
  /** Until then the answer to a question is awaited, and no further one is put. */
  readonly askingUntil: number;
  readonly serial: number;
}

/** Leave to send one request; given back with its outcome. */
export type Permit = {
  /** The verdict under which the request goes out; zeros: none known. */
  readonly incarnation: number;
  readonly epoch: number;
} & (
  | { readonly kind: "pass"; readonly era: number }
  | { readonly kind: "local-probe"; readonly serial: number }
  /** The authority's one global permit. Its outcome goes back to the authority. */
  | { readonly kind: "probe"; readonly id: string }
);

export interface Acquired {
  readonly circuit: Circuit;
  readonly permit: Permit | undefined;
  /** This request may ask the authority whether it shall be the probe. */
  readonly ask: boolean;
  /** When refused: when it is worth trying again, milliseconds. */
  readonly retryAfterMs: number;
}

export const freshCircuit = (): Circuit => ({
  local: {
    run: 0,
    runSince: 0,
    window: [],
    openUntil: undefined,
    trips: 0,
    probe: undefined,
    era: 0,
  },
  verdict: undefined,
  silentSince: undefined,
  deafUntil: 0,
  askingUntil: 0,
  serial: 0,
});

/**
 * Whether a request may pass now. The authority's verdict goes first while it holds; then the local
 * breaker. Only a request that would otherwise be refused is ever told to ask.
 */
export function acquire(circuit: Circuit, now: number, policy: CircuitPolicy, random: Random): Acquired {
  const verdict = inForce(circuit, now);
  if (verdict?.state === "open" || verdict?.state === "half-open") {
    const due = now >= verdict.probeAt || ageOf(verdict, now) > staleAfterMs;
    if (!due) return refused(circuit, Math.min(verdict.probeAt - now, staleAfterMs));
    if (leaseLasts(circuit.askingUntil, now, askPatienceMs)) return refused(circuit, askPatienceMs);
    return {
      circuit: { ...circuit, askingUntil: now + askPatienceMs },
      permit: undefined,
      ask: true,
      retryAfterMs: 0,
    };
  }
  if (verdict?.state === "ramp" && random() >= rampShare(verdict, now)) {
    return refused(circuit, Math.min(1_000, Math.max(1, verdict.rampStartedAt + verdict.rampMs - now)));
  }
  return acquireLocally(circuit, now, policy);
}

function acquireLocally(circuit: Circuit, now: number, policy: CircuitPolicy): Acquired {
  const { local } = circuit;
  const known = epochOf(circuit);
  if (local.openUntil === undefined) return admitted(circuit, { ...known, kind: "pass", era: local.era });
  // Half as much again is the jitter; a penalty that seems longer was given before the clock was set back.
  if (leaseLasts(local.openUntil, now, policy.maxOpenMs * 1.5))
    return refused(circuit, local.openUntil - now);
  if (local.probe !== undefined && leaseLasts(local.probe.until, now, policy.permitMs)) {
    return refused(circuit, local.probe.until - now);
  }
  const serial = circuit.serial + 1;
  const probing = { ...local, probe: { serial, until: now + policy.permitMs } };
  return admitted({ ...circuit, serial, local: probing }, { ...known, kind: "local-probe", serial });
}

/**
 * Takes an outcome in. Neutral outcomes and refusals for load change nothing here, but they end a probe:
 * neutral gives its place to the next request, overload counts as a probe that failed. Outcomes that
 * arrive after the breaker tripped, was cleared, or gave the probe to another are ignored.
 */
export function settle(
  circuit: Circuit,
  permit: Permit,
  outcome: Outcome,
  now: number,
  policy: CircuitPolicy,
  random: Random,
): Circuit {
  switch (permit.kind) {
    case "probe":
      return circuit;
    case "local-probe":
      return settleProbe(circuit, permit.serial, outcome, now, policy, random);
    case "pass":
      return settlePass(circuit, permit.era, outcome, now, policy, random);
  }
}

function settlePass(
  circuit: Circuit,
  era: number,
  outcome: Outcome,
  now: number,
  policy: CircuitPolicy,
  random: Random,
): Circuit {
  const { local } = circuit;
  if (era !== local.era || (outcome !== "success" && outcome !== "failure")) return circuit;
  const cut = { sliceMs: Math.max(1, policy.windowMs / rateSlices), slices: rateSlices };
  const failed = outcome === "failure";
  const counts = { success: failed ? 0 : 1, failure: failed ? 1 : 0 };
  const window = counted(local.window, counts, now, cut);
  if (!failed) return { ...circuit, local: { ...local, run: 0, window } };

  const run = local.run + 1;
  const runSince = local.run === 0 ? now : local.runSince;
  const next = { ...circuit, local: { ...local, run, runSince, window } };
  if (run >= policy.consecutiveFailures && now - runSince >= policy.minimumSpanMs) {
    return trip(next, now, policy, random);
  }
  const recent = lately(window, now, cut);
  const total = recent.success + recent.failure;
  const often = total >= policy.minimumOutcomes && recent.failure >= policy.failureRatio * total;
  return often ? trip(next, now, policy, random) : next;
}

function settleProbe(
  circuit: Circuit,
  serial: number,
  outcome: Outcome,
  now: number,
  policy: CircuitPolicy,
  random: Random,
): Circuit {
  const { local } = circuit;
  const { probe } = local;
  if (probe?.serial !== serial || !leaseLasts(probe.until, now, policy.permitMs)) return circuit;
  switch (outcome) {
    case "success":
      return cleared(circuit);
    case "neutral":
      return { ...circuit, local: { ...local, probe: undefined } };
    case "failure":
    case "overload":
      return trip(circuit, now, policy, random);
  }
}

/**
 * Takes a verdict in. The newer epoch wins, then what was said later, so that the order in which
 * verdicts arrive does not matter and a stale one never replaces a newer one. Recovery of the whole, in
 * an epoch newer than one known before, clears the local breaker; word that the circuit is closed, in
 * the epoch that was known, does not: the fault may be here only.
 *
 * @param direct whether the authority told this isolate itself. Its word beats gossip of a newer epoch
 * that was said earlier: no authority forgets its own epochs, so such gossip was made up, and none is
 * believed for a while.
 */
export function merge(circuit: Circuit, verdict: Verdict, now: number, direct = true): Circuit {
  const come = held(verdict, now, direct);
  const { verdict: kept, silentSince } = circuit;
  if (!direct && leaseLasts(circuit.deafUntil, now, deafMs)) return circuit;
  if (kept === undefined) return { ...circuit, verdict: come };
  const newer = compareEpochs(come, kept);
  if (silentSince !== undefined && newer <= 0 && come.statedAt <= silentSince) return circuit;
  const disproved = direct && !kept.direct && newer < 0 && come.statedAt >= kept.statedAt;
  if (!disproved && compareVerdicts(come, kept) <= 0) return circuit;

  const changedAt = newer === 0 ? kept.changedAt : now;
  const deafUntil = disproved ? now + deafMs : circuit.deafUntil;
  const next = { ...circuit, verdict: { ...come, changedAt }, silentSince: undefined, deafUntil };
  const recovered = newer > 0 && (come.state === "ramp" || come.state === "closed");
  return recovered ? cleared(next) : next;
}

/**
 * The authority was asked and did not answer: what it said last, if that was open, becomes an open of
 * this isolate alone, with a penalty and a probe of its own.
 */
export function unanswered(circuit: Circuit, now: number, policy: CircuitPolicy, random: Random): Circuit {
  const verdict = inForce(circuit, now);
  if (verdict === undefined || verdict.state === "closed" || verdict.state === "ramp") return circuit;
  const { local } = circuit;
  const suspicious = { ...local, trips: Math.max(local.trips, tripsWhenSilent) };
  return trip({ ...circuit, silentSince: now, askingUntil: 0, local: suspicious }, now, policy, random);
}

/** The verdict, while it holds. */
export function inForce(circuit: Circuit, now: number): HeldVerdict | undefined {
  const { verdict, silentSince } = circuit;
  if (verdict === undefined || silentSince !== undefined) return undefined;
  return ageOf(verdict, now) < verdictLeaseMs ? verdict : undefined;
}

/** Which epoch a request that goes out now belongs to. */
export const epochOf = ({ verdict }: Circuit): { readonly incarnation: number; readonly epoch: number } => ({
  incarnation: verdict?.incarnation ?? 0,
  epoch: verdict?.epoch ?? 0,
});

function trip(circuit: Circuit, now: number, policy: CircuitPolicy, random: Random): Circuit {
  const { trips, era } = circuit.local;
  const penaltyMs = Math.min(policy.maxOpenMs, policy.baseOpenMs * 2 ** trips) * (1 + random() / 2);
  return {
    ...circuit,
    local: {
      run: 0,
      runSince: 0,
      window: [],
      openUntil: now + penaltyMs,
      trips: Math.min(mostTrips, trips + 1),
      probe: undefined,
      era: era + 1,
    },
  };
}

const cleared = (circuit: Circuit): Circuit => ({
  ...circuit,
  local: { ...freshCircuit().local, era: circuit.local.era + 1 },
});

const refused = (circuit: Circuit, retryAfterMs: number): Acquired => ({
  circuit,
  permit: undefined,
  ask: false,
  retryAfterMs: Math.max(1, Math.ceil(retryAfterMs)),
});

const admitted = (circuit: Circuit, permit: Permit): Acquired => ({
  circuit,
  permit,
  ask: false,
  retryAfterMs: 0,
});

/** Whether a lease still runs. One that seems to end later than it can was given before the clock was set back. */
const leaseLasts = (until: number, now: number, lengthMs: number): boolean =>
  now < until && until - now <= lengthMs;
