/**
 * Upper bounds of the latency buckets, milliseconds, inclusive; one more bucket is open above them. OpenTelemetry's
 * advised bounds for HTTP durations (5 ms to 10 s), with finer ones below for calls inside one machine and 30 s on
 * top, where Workers cancel what is left.
 */
export const latencyBoundsMs: readonly number[] = [
  1, 2, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 10_000, 30_000,
];

/** One count a bucket: {@link latencyBoundsMs} and the open one. */
export const bucketCount = latencyBoundsMs.length + 1;

/** Counts of nothing yet. */
export const emptyHistogram = (): number[] => new Array<number>(bucketCount).fill(0);

/** The bucket that a latency falls into. What is no latency (negative, NaN: clocks step back) counts as nothing: the first. */
export function bucketOf(latencyMs: number): number {
  let bucket = 0;
  for (const bound of latencyBoundsMs) {
    if (!(latencyMs > bound)) return bucket;
    bucket++;
  }
  return bucket;
}

/** Counts one latency in `counts`. */
export function addLatency(counts: number[], latencyMs: number): void {
  const bucket = bucketOf(latencyMs);
  counts[bucket] = (counts[bucket] ?? 0) + 1;
}

/** Adds the counts of `from` to those of `into`. */
export function mergeInto(into: number[], from: readonly number[]): void {
  for (let bucket = 0; bucket < bucketCount; bucket++)
    into[bucket] = (into[bucket] ?? 0) + (from[bucket] ?? 0);
}

/**
 * Estimates a quantile as Prometheus does: straight within the bucket that holds it; the open bucket answers the
 * greatest bound, because more is not known.
 * @param q in [0, 1]
 * @returns milliseconds; `undefined` when nothing was counted
 */
export function quantile(counts: readonly number[], q: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const rank = Math.min(1, Math.max(0, q)) * total;
  let below = 0;
  let lower = 0;
  for (const [bucket, upper] of latencyBoundsMs.entries()) {
    const count = counts[bucket] ?? 0;
    if (count > 0 && below + count >= rank) return lower + (upper - lower) * ((rank - below) / count);
    below += count;
    lower = upper;
  }
  return lower;
}
