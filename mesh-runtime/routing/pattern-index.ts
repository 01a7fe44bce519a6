import { arrange, type Candidate, type Candidates, choose } from "./candidates.ts";
import { type Matcher, matcherOf } from "./pattern.ts";
import { prefixIndex } from "./prefix-index.ts";
import type { RoutedRequest } from "./route-match.ts";

/** The candidates of one expression. */
interface Patterned {
  readonly matches: Matcher;
  /** Rank of the first of them. */
  readonly first: number;
  readonly candidates: Candidates;
}

/** Finds the candidate of highest precedence among those whose path is a regular expression. */
export type PatternIndex = (path: string, request: RoutedRequest) => Candidate | undefined;

/**
 * Files expressions under the whole segments that they begin with, so that a path is compared with those
 * alone that could fit. One that begins with no segment, such as `.*\.png`, is asked about every path.
 *
 * @param expressions the candidates of each in order of precedence, and the expressions by their first
 */
export function patternIndex(expressions: Iterable<readonly Candidate[]>): PatternIndex {
  const anywhere: Patterned[] = [];
  const bySegments = new Map<string, Patterned[]>();
  for (const candidates of expressions) {
    const [candidate] = candidates;
    if (candidate?.matched.match.path.type !== "RegularExpression") continue;
    const { pattern } = candidate.matched.match.path;
    const segments = pattern.prefix.slice(0, Math.max(0, pattern.prefix.lastIndexOf("/")));
    const there = segments === "" ? anywhere : (bySegments.get(segments) ?? []);
    if (segments !== "") bySegments.set(segments, there);
    there.push({ matches: matcherOf(pattern), first: candidate.rank, candidates: arrange(candidates) });
  }
  const under = prefixIndex(bySegments);
  return (path, request) => {
    let best = better(anywhere, undefined, path, request);
    for (let segments = under(path); segments !== undefined; segments = segments.shorter)
      best = better(segments.value, best, path, request);
    return best;
  };
}

/** The best so far, or one of these that comes before it. Whoever cannot win is not asked. */
function better(
  all: readonly Patterned[],
  before: Candidate | undefined,
  path: string,
  request: RoutedRequest,
): Candidate | undefined {
  let best = before;
  for (const { matches, first, candidates } of all) {
    if (best !== undefined && best.rank < first) break;
    if (!matches(path)) continue;
    const chosen = choose(candidates, request);
    if (chosen !== undefined && (best === undefined || chosen.rank < best.rank)) best = chosen;
  }
  return best;
}
