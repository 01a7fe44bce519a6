/** The least share of its weight that an endpoint begins with (Envoy's `min_weight_percent`): with none it would never warm up. */
const leastShare = 0.1;

/** The weight of an endpoint that has been there since then: it grows evenly over the window to the whole. */
export function rampedWeight(weight: number, since: number, now: number, windowMs: number): number {
  const agedMs = now - since;
  // Before its own beginning only a clock that was set back can be.
  if (windowMs <= 0 || agedMs >= windowMs || agedMs < 0) return weight;
  return weight * Math.max(agedMs / windowMs, leastShare);
}
