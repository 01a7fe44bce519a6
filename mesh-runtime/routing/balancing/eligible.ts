import type { Here, Locality, Placement } from "../words.ts";
import { type EndpointLoad, standingOf } from "./endpoint-load.ts";

/** What it depends on which endpoints are chosen among. */
export interface Standing {
  readonly placements: readonly Placement[];
  /** One for each placement. */
  readonly loads: readonly EndpointLoad[];
  /** Names of endpoints that earlier attempts of this request went to. */
  readonly tried: readonly string[];
  readonly preferLocal: boolean;
  /** Where this isolate runs, as far as it knows. */
  readonly here: Here | undefined;
  readonly now: number;
}

/**
 * The endpoints that one is chosen among: those of the first level of priority in which any can be used, and of
 * these the nearest, where localities are preferred. An endpoint that fails is left out; when all of a level do, the
 * next level takes over. Where all endpoints of a destination fail, its first level is used as if none did: somebody
 * has to find out that one works again, and nobody is helped by a refusal.
 *
 * A further attempt goes where none of its request went, to the next level if need be: its first has just shown that
 * something is wrong here.
 *
 * @returns positions; none where no endpoint has weight
 */
export function eligible(standing: Standing): readonly number[] {
  const { placements, loads, tried, now } = standing;
  const open: number[] = [];
  const weighty: number[] = [];
  for (const [position, { weight }] of placements.entries()) {
    if (weight <= 0) continue;
    weighty.push(position);
    const load = loads[position];
    if (load !== undefined && standingOf(load, now) !== "ejected") open.push(position);
  }
  const isFresh = (position: number): boolean => !tried.includes(placements[position]?.name ?? "");
  const fresh = tried.length === 0 ? open : open.filter(isFresh);
  return nearest(standing, [fresh, open].find(({ length }) => length > 0) ?? weighty);
}

/** Of these positions those of the first level, and there the nearest. */
function nearest(
  { placements, preferLocal, here }: Standing,
  positions: readonly number[],
): readonly number[] {
  const rank = (position: number): number => {
    const { priority = 0, locality } = placements[position] ?? {};
    return priority * 3 + (preferLocal ? distance(here, locality) : 0);
  };
  const ranks = positions.map(rank);
  const first = Math.min(...ranks);
  return ranks.every((each) => each === first)
    ? positions
    : positions.filter((_position, index) => ranks[index] === first);
}

/** The same zone, the same region, or elsewhere. Where somebody says nothing of a region, zones decide alone. */
export function distance(here: Here | undefined, there: Locality | undefined): 0 | 1 | 2 {
  if (here === undefined || there === undefined) return 2;
  const sameRegion = here.region === undefined || here.region === there.region;
  if (sameRegion && here.zone !== undefined && here.zone === there.zone) return 0;
  return here.region === there.region ? 1 : 2;
}
