import type { Random } from "../foundation/ports.ts";
import { mayRetryNow, nothingSent, type Sent, sent } from "./retry-constraint.ts";
import type { RetryConstraint } from "./words.ts";

/** What one retry costs. Whole millitokens, because 50 times 0.1 is not 5 in floating point. */
const retryCost = 1_000;
/** What a bucket holds at most: ten retries in a row after a quiet time. */
const capacity = 10 * retryCost;
/** How many destinations one isolate keeps buckets for. */
const mostBuckets = 1_000;

/** What is left of a retry budget, millitokens. */
export interface Bucket {
  readonly millitokens: number;
}

/**
 * A bucket with a balance drawn uniformly from [0, 1) retries. The draw is what makes many short-lived
 * isolates exact together: E[floor(U + 0.2 n)] is 0.2 n for every n, where a start at 0 gives too few
 * retries and a start at 1 gives one to every isolate.
 */
export const freshBucket = (random: Random): Bucket => ({ millitokens: Math.floor(random() * retryCost) });

/** Puts in the share of one original request. Retries put in nothing. */
export function deposit(bucket: Bucket, ratio: number): Bucket {
  const share = Math.round(Math.max(0, Math.min(1, ratio)) * retryCost);
  return { millitokens: Math.min(capacity, bucket.millitokens + share) };
}

/** Takes one retry out; `undefined` when there is none. Never below zero. */
export function withdraw(bucket: Bucket): Bucket | undefined {
  const millitokens = bucket.millitokens - retryCost;
  return millitokens < 0 ? undefined : { millitokens };
}

/** What a rule that promises retries may spend where the share does not suffice, a second: Linkerd's and Finagle's ten. */
export const reservePerSecond = 10;
/** What the reserve holds at most, and at first: theirs of ten seconds. */
const reserveCapacity = 100 * retryCost;

/** What is left of a rule's reserve. */
export interface Reserve extends Bucket {
  /** When it was so much, milliseconds since the Unix epoch. */
  readonly at: number;
}

/** A reserve as it is now. A clock that was set back fills nothing. */
export function refilled(reserve: Reserve | undefined, now: number): Reserve {
  if (reserve === undefined) return { millitokens: reserveCapacity, at: now };
  // So many retries a second are as many millitokens a millisecond.
  const filled = reserve.millitokens + Math.max(0, now - reserve.at) * reservePerSecond;
  return { millitokens: Math.min(reserveCapacity, filled), at: now };
}

/**
 * The retry budgets of one isolate.
 *
 * - A bucket for each destination holds a share of its requests: purely local, and still exact over the fleet.
 * - A rule that says itself how often to retry (Gateway API `HTTPRouteRetry`) has a reserve beside it. A share of few
 *   requests is nothing, and who wrote `attempts: 3` gets three when requests come one at a time.
 * - A backend whose document says what its budget is (Gateway API `RetryConstraint`) is counted by that instead.
 */
export class RetryBudgets {
  readonly #buckets = new Map<string, Bucket>();
  readonly #reserves = new Map<string, Reserve>();
  readonly #sent = new Map<string, Sent>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Counts one original request to a destination. `ratio` is the share of requests that may be retries, in [0, 1]. */
  deposit(destination: string, ratio: number): void {
    const bucket = this.#buckets.get(destination) ?? freshBucket(this.#random);
    put(this.#buckets, destination, deposit(bucket, ratio));
  }

  /**
   * Whether a retry could be paid for now.
   * @param rule the rule whose reserve may be used, if it has one
   */
  affords(destination: string, rule: string | undefined, now: number): boolean {
    const bucket = this.#buckets.get(destination);
    if (bucket !== undefined && withdraw(bucket) !== undefined) return true;
    return rule !== undefined && withdraw(refilled(this.#reserves.get(rule), now)) !== undefined;
  }

  /** Pays for a retry, out of the share first; false, and nothing paid, when it cannot. */
  withdraw(destination: string, rule: string | undefined, now: number): boolean {
    const bucket = this.#buckets.get(destination);
    const rest = bucket && withdraw(bucket);
    if (rest !== undefined) {
      this.#buckets.set(destination, rest);
      return true;
    }
    if (rule === undefined) return false;
    const reserve = withdraw(refilled(this.#reserves.get(rule), now));
    if (reserve === undefined) return false;
    put(this.#reserves, rule, { ...reserve, at: now });
    return true;
  }

  /** Counts an attempt at a backend with a constraint; false, and nothing counted, for a retry beyond it. */
  enter(backend: string, constraint: RetryConstraint, retry: boolean, now: number): boolean {
    const before = this.#sent.get(backend) ?? nothingSent;
    if (retry && !mayRetryNow(before, now, constraint)) return false;
    put(this.#sent, backend, sent(before, retry, now, constraint));
    return true;
  }

  /** The attempt that was counted has not been sent after all. */
  takeBack(backend: string, constraint: RetryConstraint, retry: boolean, now: number): void {
    const before = this.#sent.get(backend);
    if (before !== undefined) this.#sent.set(backend, sent(before, retry, now, constraint, -1));
  }
}

/** Makes room first, where one is new: a destination that is forgotten starts with a draw again, which is as exact. */
function put<Kept>(kept: Map<string, Kept>, key: string, value: Kept): void {
  if (!kept.has(key) && kept.size >= mostBuckets) {
    for (const oldest of kept.keys()) {
      kept.delete(oldest);
      break;
    }
  }
  kept.set(key, value);
}
