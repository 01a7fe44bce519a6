import type { TrafficSettings } from "./words.ts";

/*
 * When time that ran out says something about whom it was waited for. Circuits are everybody's: who chooses how long he
 * waits, shorter than policy does, could otherwise shut a service that takes no longer than it may.
 */

/** A caller's deadline that leaves less than this, milliseconds, says nothing in any case. */
export const leastPatienceMs = 1_000;

/**
 * How much time a caller's deadline must leave, milliseconds, so that its end says something: half of what holds here.
 * The whole would be too much to ask: along a chain of calls with one timeout everybody has a little less than that
 * left. Where policy gives any time, no caller's deadline says anything.
 *
 * @param ownMs what route and policies give here; 0: any time
 */
export const patienceMs = (ownMs: number): number =>
  ownMs <= 0 ? Number.POSITIVE_INFINITY : Math.max(leastPatienceMs, ownMs / 2);

/**
 * How long an attempt must have lasted, milliseconds, so that its end by any limit of ours, a caller's route among them,
 * says something about a backend whose own policy states how long it may take: half of that. 0 where none does.
 */
export function fairMs({
  stated,
  traffic,
}: {
  readonly stated?: readonly string[];
  readonly traffic: Pick<TrafficSettings, "timeoutMs" | "retry">;
}): number {
  if (stated === undefined || !stated.includes("timeout")) return 0;
  const limits = [traffic.timeoutMs, traffic.retry.perTryTimeoutMs].filter((ms) => ms > 0);
  return Math.min(...limits) / 2;
}
