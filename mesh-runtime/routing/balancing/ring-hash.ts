import { mixed } from "./hash.ts";

/**
 * Where a key belongs: the endpoint with the highest score, which depends on the key and that endpoint alone
 * (weighted rendezvous hashing, Thaler and Ravishankar 1998; the logarithm makes shares follow weights exactly).
 * So an endpoint that goes gives away its own keys and no others, and one that comes takes its share of each.
 *
 * Rather than a ring or Maglev's table: those are built anew whenever an endpoint comes, goes or fails, are exact
 * only with thousands of entries for each endpoint, and pay off beyond some hundred endpoints; a Service has 64.
 *
 * @param hashes of the endpoints' names
 * @returns a position; -1 where nothing has weight
 */
export function ringHash(key: number, hashes: readonly number[], weights: readonly number[]): number {
  let best = -1;
  let highest = Number.NEGATIVE_INFINITY;
  for (const [index, hash] of hashes.entries()) {
    const weight = weights[index] ?? 0;
    if (weight <= 0) continue;
    const score = weight / -Math.log(mixed(key, hash));
    if (score <= highest) continue;
    highest = score;
    best = index;
  }
  return best;
}
