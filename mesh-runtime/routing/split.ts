import type { Backend } from "./words.ts";

/**
 * Chooses a backend by weight: its share is its weight over the sum of all (Gateway API
 * `BackendRef.weight`). Weight 0 gets nothing; without any weight there is no choice, and the request
 * is refused.
 *
 * An unusable backend keeps its share, and is chosen with it: the others must not be given traffic that
 * was never meant for them. A further attempt is for a request whose share has been drawn already, so
 * it goes to usable backends that were not tried, as long as there are any, then to usable ones; were
 * unusable ones drawn again, retries would grow the share that is refused.
 *
 * @param tried services that earlier attempts of this request went to
 * @param point in [0, 1), drawn for this attempt
 */
export function split(
  backends: readonly Backend[],
  tried: readonly string[],
  point: number,
): Backend | undefined {
  const weighted = backends.filter(({ weight }) => weight > 0);
  if (tried.length === 0) return drawn(weighted, point);
  const usable = weighted.filter(({ unusable }) => unusable === undefined);
  const fresh = usable.filter(({ service }) => !tried.includes(service));
  return drawn([fresh, usable, weighted].find(({ length }) => length > 0) ?? weighted, point);
}

function drawn(backends: readonly Backend[], point: number): Backend | undefined {
  let left = point * backends.reduce((sum, { weight }) => sum + weight, 0);
  for (const backend of backends) {
    if (left < backend.weight) return backend;
    left -= backend.weight;
  }
  // Only rounding leads here: the point was at the very end of the last share.
  return backends.at(-1);
}
