import { type Candidate, nothing } from "./candidate.ts";
import type { Pile } from "./candidates.ts";
import { chooseByRows } from "./choose-by-rows.ts";
import { type ConditionMatrix, conditionMatrix, type Standing } from "./condition-matrix.ts";
import type { Nest, Prefixed } from "./prefix-index.ts";
import type { RoutedRequest } from "./route-match.ts";

/** So many candidates under the prefixes of a path are asked one prefix after the other. */
const few = 32;

/**
 * Looks through the candidates of all prefixes that a path falls under at once, where they are many: what a request
 * carries is read once, and not for each prefix.
 */
export interface Nested {
  /**
   * The matrix to look into for a path whose longest prefix is this; none where there is too little to look through,
   * or too much.
   */
  readonly matrixFor: (prefixed: Prefixed<Pile>) => ConditionMatrix | undefined;
}

/** What is known of a nest: made when the first path comes there that falls under several of its prefixes. */
interface Known {
  /** For each prefix: how many candidates there are under it and all shorter ones. */
  readonly counts: readonly number[];
  readonly matrix: ConditionMatrix | undefined;
}

export function nested(): Nested {
  const known = new Map<Nest<Pile>, Known>();
  return {
    matrixFor: ({ above, nest, place, value }) => {
      // Whoever asks for nothing is found at once.
      if (above === 0 || value.all[0]?.open === nothing) return undefined;
      let its = known.get(nest);
      if (its === undefined) {
        its = knownOf(nest);
        known.set(nest, its);
      }
      return (its.counts[place] ?? 0) > few ? its.matrix : undefined;
    },
  };
}

/** The candidate of highest precedence that holds, for a path whose longest prefix is this. */
export const chooseNested = (
  matrix: ConditionMatrix,
  { place }: Prefixed<Pile>,
  request: RoutedRequest,
): Candidate | undefined => chooseByRows(matrix, request, Number.POSITIVE_INFINITY, matrix.places[place]);

function knownOf(nest: Nest<Pile>): Known {
  const counts: number[] = [];
  for (const { value, shorter } of nest)
    counts.push(value.all.length + (shorter === undefined ? 0 : (counts[shorter.place] ?? 0)));
  return { counts, matrix: counts.some((count) => count > few) ? matrixOf(nest) : undefined };
}

function matrixOf(nest: Nest<Pile>): ConditionMatrix | undefined {
  const all = nest.flatMap(({ value }) => value.all).sort((a, b) => a.rank - b.rank);
  const indexes = new Map(Array.from(all, (candidate, index) => [candidate, index]));
  const under = nest.map(
    ({ value, shorter }): Standing => ({
      own: value.all.flatMap((candidate) => indexes.get(candidate) ?? []),
      shorter: shorter?.place,
    }),
  );
  return conditionMatrix(all, under);
}
