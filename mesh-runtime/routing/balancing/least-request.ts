import type { Random } from "../../foundation/ports.ts";
import { drawn } from "./draw.ts";

/** A difference below a fifth is noise, and must not outvote the weights. */
const clearly = 0.8;

/**
 * The power of two choices: of two that are drawn the one with the lower cost; about as costly, the first. Of all
 * the cheapest would be one that every isolate runs to at once.
 *
 * Of equal weights two different ones are drawn, so that the slower of two is left alone. Of unequal ones both draws
 * go by weight, and may fall on the same: while they are about equally fast each then gets its share, and one with
 * little weight never more than twice of it.
 *
 * @param costOf what a request would wait for there
 * @returns a position in `weights`; -1 where nothing has weight
 */
export function leastRequest(
  weights: readonly number[],
  costOf: (position: number) => number,
  random: Random,
): number {
  const first = drawn(weights, random());
  if (first === -1 || weights.length < 2) return first;
  const equal = weights.every((weight) => weight === weights[0]);
  const second = equal ? another(first, weights.length, random()) : drawn(weights, random());
  if (second === first) return first;
  return costOf(second) < costOf(first) * clearly ? second : first;
}

const another = (first: number, length: number, point: number): number =>
  (first + 1 + Math.floor(point * (length - 1))) % length;
