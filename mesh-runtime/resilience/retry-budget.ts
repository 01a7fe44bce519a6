import type { Random } from "../foundation/ports.ts";

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

/** The retry budgets of one isolate, a bucket for each destination. Purely local, and still exact over the fleet. */
export class RetryBudgets {
  readonly #buckets = new Map<string, Bucket>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Counts one original request to a destination. `ratio` is the share of requests that may be retries, in [0, 1]. */
  deposit(destination: string, ratio: number): void {
    const bucket = this.#buckets.get(destination) ?? this.#fresh();
    this.#buckets.set(destination, deposit(bucket, ratio));
  }

  /** Whether a retry could be paid for now. */
  affords(destination: string): boolean {
    const bucket = this.#buckets.get(destination);
    return bucket !== undefined && withdraw(bucket) !== undefined;
  }

  /** Pays for a retry; false, and nothing paid, when it cannot. */
  withdraw(destination: string): boolean {
    const bucket = this.#buckets.get(destination);
    const rest = bucket && withdraw(bucket);
    if (rest === undefined) return false;
    this.#buckets.set(destination, rest);
    return true;
  }

  /** Makes room first: a destination that is forgotten starts with a draw again, which is as exact. */
  #fresh(): Bucket {
    if (this.#buckets.size >= mostBuckets) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    return freshBucket(this.#random);
  }
}
