import type { Refusal } from "../foundation/refusal.ts";
import type { RetryPolicy } from "./words.ts";

/** The longest `Retry-After` that a waiting request follows, milliseconds; a longer one ends the trying. */
export const longestRetryAfterMs = 10_000;

/**
 * What a route says about retrying (Gateway API `HTTPRouteRetry`). Its word goes before the destination's policy on
 * how often, on which codes (none listed: on none) and after which pause; what is safe to repeat, and what it may
 * cost, remains the destination's.
 */
export interface RouteRetryRule {
  readonly codes: readonly number[];
  readonly attempts?: number;
  /** Base of the pause; see {@link backoffOf}. */
  readonly backoffMs?: number;
}

/** What an attempt came to, as far as trying again depends on it. */
export type Ended =
  | {
      readonly kind: "response";
      readonly status: number;
      /** The kind of refusal with which the callee's mesh answered, if it did. */
      readonly problem: string | undefined;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly kind: "refusal"; readonly refusal: Refusal };

export interface RetryQuestion {
  readonly method: string;
  /** Whether the request carries an `idempotency-key`. */
  readonly idempotencyKey: boolean;
  readonly ended: Ended;
  /** Of the attempt that ended; 1 for the first. */
  readonly attempt: number;
  readonly policy: RetryPolicy;
  readonly route: RouteRetryRule | undefined;
  /** Attempt credits that are left in the pool. */
  readonly credits: number;
  /** Whether the budget affords a retry. */
  readonly budget: boolean;
  /** Until the deadline, milliseconds; `undefined` without one. */
  readonly remainingMs: number | undefined;
  /** Whether the body can be sent once more, whole. */
  readonly replayable: boolean;
  /** Whether a backend is left that no attempt of this request went to. */
  readonly elsewhere: boolean;
  /** The drawn backoff, milliseconds. */
  readonly backoffMs: number;
}

export type RetryDecision =
  /** `free` is going elsewhere after our own circuit refused: nothing was sent, so nothing is paid. */
  | { readonly retry: true; readonly waitMs: number; readonly free: boolean }
  | { readonly retry: false; readonly reason: NoRetryReason };

export type NoRetryReason =
  | "final"
  | "overloaded"
  | "attempts"
  | "not-idempotent"
  | "body"
  | "retry-after"
  | "deadline"
  | "credits"
  | "budget";

/** Methods whose repetition means what one request means (RFC 9110 §9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** How many tries beyond the first a request may make. */
export const retriesAllowed = (policy: RetryPolicy, route: RouteRetryRule | undefined): number =>
  route?.attempts ?? policy.attempts;

/** How far the bound of a pause grows from a route's `backoff`: Envoy's ten. */
const backoffGrowth = 10;

/**
 * Between which bounds a pause is drawn. A route's `backoff` is the base of an exponential one (GEP-1731: the
 * n-th pause is at most `backoff * (2^n - 1)`, jitter and a cap are the implementation's).
 */
export const backoffOf = (
  policy: RetryPolicy,
  route: RouteRetryRule | undefined,
): Pick<RetryPolicy, "backoffBaseMs" | "backoffMaxMs"> =>
  route?.backoffMs === undefined
    ? policy
    : { backoffBaseMs: route.backoffMs, backoffMaxMs: route.backoffMs * backoffGrowth };

/**
 * Whether an attempt that ended so is followed by another.
 *
 * Nothing is repeated that may have been processed: only methods that are idempotent, what carries an
 * idempotency key, and what provably reached nobody; unless the destination's policy says otherwise. A route that
 * lists codes changes nothing about that: Gateway API leaves methods open, and a payment is not made twice because
 * a status was listed. A refusal for load is never retried, because retries are what turns load into an outage.
 */
export function mayRetry(question: RetryQuestion): RetryDecision {
  const { ended, policy, route } = question;
  const verdict = worthAnother(ended, policy, route);
  if (typeof verdict === "string") return stop(verdict);

  if (verdict.ourCircuit) {
    return question.elsewhere && question.replayable ? { retry: true, waitMs: 0, free: true } : stop("final");
  }
  if (question.attempt > retriesAllowed(policy, route)) return stop("attempts");
  if (verdict.delivered && !repeatable(question)) return stop("not-idempotent");
  if (!question.replayable) return stop("body");

  const retryAfterMs = ended.kind === "response" ? (ended.retryAfterMs ?? 0) : 0;
  if (retryAfterMs > longestRetryAfterMs) return stop("retry-after");
  const waitMs = retryAfterMs + question.backoffMs;
  if (waitMs >= (question.remainingMs ?? Number.POSITIVE_INFINITY)) return stop("deadline");

  if (question.credits < 1) return stop("credits");
  if (!question.budget) return stop("budget");
  return { retry: true, waitMs, free: false };
}

const stop = (reason: NoRetryReason): RetryDecision => ({ retry: false, reason });

const repeatable = ({ method, idempotencyKey, policy }: RetryQuestion): boolean =>
  policy.nonIdempotent || idempotencyKey || idempotentMethods.has(method);

/** Whether such an end is worth another try, and whether the destination may have processed the attempt. */
function worthAnother(
  ended: Ended,
  policy: RetryPolicy,
  route: RouteRetryRule | undefined,
): NoRetryReason | { readonly delivered: boolean; readonly ourCircuit: boolean } {
  if (ended.kind === "response") {
    if (ended.problem === "overloaded") return "overloaded";
    if (!(route?.codes ?? policy.codes).includes(ended.status)) return "final";
    // The callee's mesh had not started, or could not let it in: its application saw nothing.
    const unseen = ended.problem === "mesh-not-ready" || ended.problem === "replay-undecided";
    return { delivered: !unseen, ourCircuit: false };
  }
  switch (ended.refusal.kind) {
    case "unreachable":
      return { delivered: ended.refusal.delivered, ourCircuit: false };
    case "deadline-exceeded":
    case "answer-unverified":
      return { delivered: true, ourCircuit: false };
    case "circuit-open":
      return { delivered: false, ourCircuit: true };
    default:
      return "final";
  }
}
