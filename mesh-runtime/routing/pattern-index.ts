import type { Candidate } from "./candidate.ts";
import { chooseByText, type Patterned, patternedOf, pileOf } from "./candidates.ts";
import { prefixIndex, wholeOf, withRoom } from "./prefix-index.ts";
import type { RoutedRequest } from "./route-match.ts";
import { reads } from "./steps.ts";
import type { Pattern } from "./words.ts";

/** The candidates whose expressions begin with the same segments. */
interface Under {
  readonly all: Candidate[];
  /** Made when the first path comes there. */
  patterned?: Patterned;
}

/** Finds the candidate of highest precedence among those whose path is a regular expression. */
export type PatternIndex = (path: string, request: RoutedRequest) => Candidate | undefined;

/**
 * Files expressions under the whole segments that they begin with, so that a path is compared with those
 * alone that could fit, and with all of them at once. Those that begin with no segment, such as
 * `.*\.png`, are asked about every path.
 *
 * @param candidates in order of precedence
 */
export function patternIndex(candidates: readonly Candidate[]): PatternIndex {
  const bySegments = new Map<string, Under>();
  for (const candidate of candidates) {
    const { path } = candidate.matched.match;
    if (path.type !== "RegularExpression") continue;
    const { prefix } = path.pattern;
    const segments = prefix.slice(0, Math.max(0, prefix.lastIndexOf("/")));
    const there = bySegments.get(segments);
    if (there === undefined) bySegments.set(segments, { all: [candidate] });
    else there.all.push(candidate);
  }
  const anywhere = bySegments.get("");
  bySegments.delete("");
  const under = prefixIndex(bySegments, copies);
  const together = withRoom(copies * candidates.length, ({ all }: Under) => all.length, allOf);
  return (path, request) => {
    let best = anywhere && better(anywhere, undefined, path, request);
    for (let segments = under(path); segments !== undefined; segments = segments.shorter) {
      const whole = wholeOf(segments, together);
      best = better(whole ?? segments.value, best, path, request);
      if (whole !== undefined) break;
    }
    return best;
  };
}

/** So many copies may be made of all expressions, which take more than other rules do. */
const copies = 8;

const allOf = (unders: readonly Under[]): Under => ({
  all: unders.flatMap(({ all }) => all).sort((a, b) => a.rank - b.rank),
});

/** The best so far, or one of these that comes before it. Whoever cannot win is not asked. */
function better(
  under: Under,
  best: Candidate | undefined,
  path: string,
  request: RoutedRequest,
): Candidate | undefined {
  if (best !== undefined && best.rank < (under.all[0]?.rank ?? 0)) return best;
  under.patterned ??= byExpression(under.all);
  reads("url");
  return chooseByText(under.patterned, path, request, best?.rank) ?? best;
}

function byExpression(candidates: readonly Candidate[]): Patterned {
  const expressions = new Map<string, { readonly pattern: Pattern; readonly all: Candidate[] }>();
  for (const candidate of candidates) {
    const { path } = candidate.matched.match;
    if (path.type !== "RegularExpression") continue;
    const there = expressions.get(path.value);
    if (there === undefined) expressions.set(path.value, { pattern: path.pattern, all: [candidate] });
    else there.all.push(candidate);
  }
  return patternedOf(Array.from(expressions.values(), ({ pattern, all }) => [pattern, pileOf(all)]));
}
