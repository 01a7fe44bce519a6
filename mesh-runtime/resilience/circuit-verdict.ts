import type { CircuitState, Verdict } from "./words.ts";

/** How long a verdict holds after the authority said it, however far it has travelled since, milliseconds. */
export const verdictLeaseMs = 60_000;
/** An open verdict older than this is worth a question, milliseconds: the circuit may be closed by now. */
export const staleAfterMs = 5_000;
/** The share of requests that passes when a ramp begins. */
const rampFrom = 0.1;

/** A verdict as an isolate keeps it: on its own clock. */
export interface HeldVerdict {
  readonly incarnation: number;
  readonly epoch: number;
  readonly state: CircuitState;
  /** When the authority said so; milliseconds since the Unix epoch, like all that follow. */
  readonly statedAt: number;
  /** Open and half-open: when to ask for the probe. */
  readonly probeAt: number;
  readonly rampStartedAt: number;
  readonly rampMs: number;
  /** When this isolate first held this epoch. */
  readonly changedAt: number;
  /** Whether the authority told this isolate itself. */
  readonly direct: boolean;
}

/** Puts a verdict onto the clock of this isolate. */
export function held(verdict: Verdict, now: number, direct: boolean): HeldVerdict {
  const statedAt = now - Math.max(0, verdict.ageMs);
  return {
    incarnation: verdict.incarnation,
    epoch: verdict.epoch,
    state: verdict.state,
    statedAt,
    probeAt: statedAt + Math.max(0, verdict.probeInMs ?? 0),
    rampStartedAt: statedAt - Math.max(0, verdict.rampElapsedMs ?? 0),
    rampMs: Math.max(1, verdict.rampMs ?? 1),
    changedAt: now,
    direct,
  };
}

/** The same verdict for somebody else: durations again, older by the time that it was kept. */
export function told(circuit: string, verdict: HeldVerdict, now: number): Verdict {
  const { incarnation, epoch, state, statedAt } = verdict;
  const said = { circuit, incarnation, epoch, state, ageMs: ageOf(verdict, now) };
  if (state === "ramp") {
    return { ...said, rampElapsedMs: Math.max(0, statedAt - verdict.rampStartedAt), rampMs: verdict.rampMs };
  }
  return state === "closed" ? said : { ...said, probeInMs: Math.max(0, verdict.probeAt - statedAt) };
}

/** Which of two is newer: by incarnation, then epoch. Negative: `a` is older. */
export function compareEpochs(
  a: { readonly incarnation: number; readonly epoch: number },
  b: { readonly incarnation: number; readonly epoch: number },
): number {
  return a.incarnation - b.incarnation || a.epoch - b.epoch;
}

/** Which of two verdicts replaces the other: the newer epoch, then what was said later. */
export function compareVerdicts(a: HeldVerdict, b: HeldVerdict): number {
  return (
    compareEpochs(a, b) ||
    a.statedAt - b.statedAt ||
    a.probeAt - b.probeAt ||
    b.rampStartedAt - a.rampStartedAt ||
    a.rampMs - b.rampMs
  );
}

/** Milliseconds since the authority said it; a clock that went back makes nothing younger than now. */
export const ageOf = (verdict: HeldVerdict, now: number): number => Math.max(0, now - verdict.statedAt);

/** The share of requests that a ramp lets pass: a tenth at first, then what has gone by of it, to all. */
export function rampShare(verdict: HeldVerdict, now: number): number {
  return Math.min(1, Math.max(rampFrom, (now - verdict.rampStartedAt) / verdict.rampMs));
}
