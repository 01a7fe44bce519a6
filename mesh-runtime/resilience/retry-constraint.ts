import { type Cut, counted, lately, type OutcomeWindow } from "./outcome-window.ts";
import type { RetryConstraint } from "./words.ts";

/** Slices of an interval. The one that is being left counts whole, so that an interval is never shorter than it says. */
const slices = 10;

/** What one isolate sent to a backend lately: first tries as successes, retries as failures. Plain data. */
export interface Sent {
  readonly lately: OutcomeWindow;
  /** Retries alone, in finer slices. */
  readonly retries: OutcomeWindow;
}

export const nothingSent: Sent = { lately: [], retries: [] };

/** Counts one attempt; `times` is -1 for one that did not leave after all. */
export function sent(
  before: Sent,
  retry: boolean,
  now: number,
  constraint: RetryConstraint,
  times: 1 | -1 = 1,
): Sent {
  const counts = retry ? { success: 0, failure: times } : { success: times, failure: 0 };
  return {
    lately: counted(before.lately, counts, now, cut(constraint.intervalMs)),
    retries: retry ? counted(before.retries, counts, now, cut(constraint.minimumIntervalMs)) : before.retries,
  };
}

/**
 * Whether one more retry keeps within the constraint (Gateway API `RetryConstraint`): with it, retries are no more
 * than their share of all requests of the interval, or no more than the minimum that is let through in any case.
 * Every retry counts, also of one request.
 */
export function mayRetryNow(before: Sent, now: number, constraint: RetryConstraint): boolean {
  const { minimumCount, minimumIntervalMs, percent, intervalMs } = constraint;
  if (lately(before.retries, now, cut(minimumIntervalMs)).failure < minimumCount) return true;
  const { success: first, failure: retries } = lately(before.lately, now, cut(intervalMs));
  // In whole numbers, because a share of exactly so much is within it.
  return (retries + 1) * 100 <= percent * (first + retries + 1);
}

const cut = (intervalMs: number): Cut => ({ sliceMs: Math.max(1, intervalMs / slices), slices: slices + 1 });
