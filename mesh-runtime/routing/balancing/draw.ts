/** The position in `weights` on which a point in [0, 1) falls, each as likely as its share; -1 where nothing has weight. */
export function drawn(weights: readonly number[], point: number): number {
  let left = point * weights.reduce((sum, weight) => sum + weight, 0);
  let last = -1;
  for (const [index, weight] of weights.entries()) {
    if (weight <= 0) continue;
    if (left < weight) return index;
    left -= weight;
    last = index;
  }
  // Only rounding leads here: the point was at the very end of the last share.
  return last;
}
