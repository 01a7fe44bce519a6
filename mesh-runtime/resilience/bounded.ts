import type { Answer, Arrival, Departure, Noted, Said } from "../foundation/exchange.ts";
import { layer } from "../foundation/layer.ts";
import type { Clock } from "../foundation/ports.ts";
import type { Refusal } from "../foundation/refusal.ts";
import { no } from "../foundation/result.ts";
import { isOver, outOfPatience, timeout } from "../foundation/time-limit.ts";
import { creditsIn } from "./credits.ts";
import { deadlineOf, parseRemaining } from "./deadline.ts";
import { untilAborted, withinLimit } from "./limit.ts";
import { patienceMs } from "./patience.ts";
import type { Bounded, TrafficSettings } from "./words.ts";

/** A request with more mesh hops than this behind it is taken for a loop. */
export const mostHops = 16;

/**
 * After this layer a departure has one deadline for all its attempts: its own timeout or what its cause
 * has left, whichever ends first. Refuses with `deadline-exceeded`, without sending if the deadline has
 * passed already, and with `cancelled` when the caller aborts.
 *
 * The deadline is for the response's headers. Once they are here a body may stream for as long as the
 * caller wants it, unless the route itself says how long the request may take (`retried` sees to that, because a
 * route may bound each try as well); the caller's own abort ends it in any case.
 *
 * A deadline that is the cause's, and shorter than {@link patienceMs}, is nobody's fault: whoever may call us could
 * otherwise open, with a few requests of little time, the circuits of services that only we may call, and which take
 * no longer than policy gives them.
 */
export const boundedDeparture = (ports: { readonly clock: Clock }) =>
  layer<
    Departure & Noted & { readonly requestTimeoutMs: number | undefined; readonly traffic: TrafficSettings },
    Bounded,
    Answer
  >("bounded", (next) => (exchange) => {
    const { startedAt, cause, notes } = exchange;
    const ownMs = exchange.requestTimeoutMs ?? exchange.traffic.timeoutMs;
    const timeoutsMs = [ownMs];
    const deadlineAt = deadlineOf({ startedAt, timeoutsMs, inherited: cause?.deadlineAt });
    const own = deadlineOf({ startedAt, timeoutsMs, inherited: undefined });
    const impatient =
      deadlineAt !== undefined && deadlineAt !== own && deadlineAt - startedAt < patienceMs(ownMs);
    const over = impatient ? outOfPatience : timeout;
    const limits = { now: ports.clock.now(), startedAt, deadlineAt, outer: exchange.signal, over };
    return within(limits, notes.destination, (signal) =>
      next({ ...exchange, deadlineAt, signal, impatient }),
    );
  });

/**
 * After this layer an arrival has a deadline, the attempt credits that it may spend, and the number of
 * hops behind it. Refuses with `too-many-hops` above {@link mostHops}, with `deadline-exceeded` when
 * the handler has not answered in time, and with `cancelled` when the caller went away.
 *
 * The caller's deadline arms no timer here: whoever set it answers for it and aborts this request when it
 * passes. It bounds what this arrival sends, and an arrival after it is refused.
 *
 * Credits that were granted to this arrival end with its answer, which tells the caller what is left of
 * them: work that goes on in the background does not spend what has been given back.
 */
export const boundedArrival = (ports: { readonly clock: Clock }) =>
  layer<
    Arrival &
      Noted & {
        readonly said: Said;
        readonly principal?: { readonly foreign?: true } | undefined;
        readonly policy: {
          readonly inbound: { readonly timeoutMs: number };
          readonly snapshot?: { readonly promisedRetries?: number };
        };
      },
    Bounded & { readonly credits: { left: number }; readonly hops: number },
    Answer
  >("bounded", (next) => async (exchange) => {
    const { said, startedAt, notes } = exchange;
    const hops = hopsIn(said.hops);
    if (hops > mostHops) return no({ kind: "too-many-hops", hops });

    const promised = exchange.policy.snapshot?.promisedRetries;
    const granted = creditsIn(said.credits, promised);
    // Another mesh may bound what is spent for it, and grant itself no more than a stranger gets.
    const mostGranted = exchange.principal?.foreign ? creditsIn(null, promised) : granted;
    const credits = { left: Math.min(granted, mostGranted) };
    const callerLeftMs = parseRemaining(said.deadline);
    const inherited = callerLeftMs === undefined ? undefined : startedAt + callerLeftMs;
    const timeoutsMs = [exchange.policy.inbound.timeoutMs];
    const deadlineAt = deadlineOf({ startedAt, timeoutsMs, inherited });
    const now = ports.clock.now();
    if (inherited !== undefined && inherited <= now) {
      return no({ kind: "deadline-exceeded", destination: notes.destination, budgetMs: callerLeftMs ?? 0 });
    }
    const own = deadlineOf({ startedAt, timeoutsMs, inherited: undefined });
    const limits = { now, startedAt, deadlineAt: own, outer: exchange.signal, over: timeout };
    const answer = await within(limits, notes.destination, (signal) =>
      next({ ...exchange, deadlineAt, signal, credits, hops }),
    );
    if (said.credits !== null) credits.left = 0;
    return answer;
  });

/** Reads `tulle-hops`. What is not a number counts as none: the next hop writes a readable one, so a loop still ends. */
function hopsIn(text: string | null): number {
  return text !== null && /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
}

interface Limits {
  readonly now: number;
  readonly startedAt: number;
  readonly deadlineAt: number | undefined;
  readonly outer: AbortSignal | undefined;
  /** The reason with which the deadline fires. */
  readonly over: () => DOMException;
}

/** Runs `work` until it answers, the deadline passes or the outer signal fires. */
async function within(
  { now, startedAt, deadlineAt, outer, over }: Limits,
  destination: string,
  work: (signal: AbortSignal | undefined) => Promise<Answer>,
): Promise<Answer> {
  const tooLate = (): Refusal => ({
    kind: "deadline-exceeded",
    destination,
    budgetMs: Math.max(0, (deadlineAt ?? startedAt) - startedAt),
  });
  const why = (signal: AbortSignal): Refusal => (isOver(signal) ? tooLate() : { kind: "cancelled" });

  if (outer?.aborted) return no(why(outer));
  if (deadlineAt === undefined) {
    return outer === undefined ? work(undefined) : untilAborted(outer, why, () => work(outer));
  }
  if (deadlineAt <= now) return no(tooLate());

  return withinLimit(deadlineAt - now, outer, why, work, over);
}
