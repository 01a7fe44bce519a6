/**
 * Whose turn it is: smooth weighted round robin. Everybody gains its weight, whoever has most goes and pays the sum,
 * so that over one round each goes as often as its weight, and the turns of one are as far apart as they can be
 * (weights 5, 1, 1 go a a b a c a a; nginx's method).
 *
 * @param turns whose `turn` is counted here, as long as `weights`
 * @returns a position; -1 where nothing has weight
 */
export function roundRobin(turns: readonly { turn: number }[], weights: readonly number[]): number {
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (const [index, each] of turns.entries()) {
    const weight = weights[index] ?? 0;
    if (weight <= 0) continue;
    each.turn += weight;
    sum += weight;
    if (each.turn <= most) continue;
    most = each.turn;
    best = index;
  }
  const next = turns[best];
  if (next !== undefined) next.turn -= sum;
  return best;
}
