import { type Candidate, candidateOf } from "./candidate.ts";
import { choose, type Pile, pileOf, pileOfAll } from "./candidates.ts";
import { chooseNested, nested } from "./nested.ts";
import { barePrefix } from "./path-match.ts";
import { patternIndex } from "./pattern-index.ts";
import { everyRequest, inPrecedence } from "./precedence.ts";
import { prefixIndex, wholeOf, withRoom } from "./prefix-index.ts";
import { type ReadPart, withinSteps } from "./steps.ts";
import type { Matched, RouteTable, Rule } from "./words.ts";

/**
 * Compiles rules into a table whose look-up finds the match of highest precedence over all of them, and
 * takes about as long with ten thousand rules as with ten (`bench/route-match.ts`): exact paths stand in
 * a map, prefixes in one map for each length, regular expressions are read as one, and what
 * shares a path is filed by what tells it apart.
 *
 * Exact paths come before all regular expressions, those before all prefixes, and longer prefixes before
 * shorter ones, whatever else the matches demand; so the first path that has a match that holds decides.
 *
 * What the expressions of a table cost a request is bounded: one that takes more has no rule, and is refused.
 *
 * @param rules of all routes of one parent; where precedence ties, the order given decides
 */
export function routeTable(rules: readonly Rule[]): RouteTable {
  const exact = new Map<string, Candidate[]>();
  const patterned: Candidate[] = [];
  const prefixes = new Map<string, Candidate[]>();
  for (const [rank, matched] of inPrecedence(rules).entries()) {
    const candidate = candidateOf(matched, rank);
    const { path } = matched.match;
    if (path.type === "Exact") file(exact, path.value, candidate);
    else if (path.type === "PathPrefix") file(prefixes, barePrefix(path.value), candidate);
    else patterned.push(candidate);
  }
  const atPath = new Map(piles(exact));
  // A longer path is none of them, and is not read for that.
  let longest = 0;
  for (const { length } of exact.keys()) longest = Math.max(longest, length);
  const byPattern = patterned.length === 0 ? undefined : patternIndex(patterned);
  const under = prefixIndex(piles(prefixes), copies);
  const together = nested();
  const asOne = withRoom(copies * rules.length, ({ all }: Pile) => all.length, pileOfAll);
  const find: RouteTable["find"] = (request) => {
    const path = request.url.pathname;
    const here = path.length > longest ? undefined : atPath.get(path);
    const found = (here && choose(here, request)) ?? byPattern?.(path, request);
    if (found !== undefined) return found.matched;
    const longestPrefix = under(path);
    if (longestPrefix === undefined) return undefined;
    const matrix = together.matrixFor(longestPrefix);
    if (matrix !== undefined) return chooseNested(matrix, longestPrefix, request)?.matched;
    for (
      let prefix: typeof longestPrefix | undefined = longestPrefix;
      prefix !== undefined;
      prefix = prefix.shorter
    ) {
      const whole = wholeOf(prefix, asOne);
      const chosen = choose(whole ?? prefix.value, request);
      if (chosen !== undefined) return chosen.matched;
      if (whole !== undefined) return undefined;
    }
    return undefined;
  };
  if (!rules.some(looksAtPatterns)) return { find };
  return { find: (request) => withinSteps(find, request, undecided) };
}

/** So many copies may be made of all rules where prefixes lie below each other: more would be a table that nobody has. */
const copies = 16;

const looksAtPatterns = ({ matches }: Rule): boolean =>
  matches.some(
    ({ path, headers, query }) =>
      path.type === "RegularExpression" ||
      headers.some(({ pattern }) => pattern !== undefined) ||
      query.some(({ pattern }) => pattern !== undefined),
  );

/** Whoever does not see that nothing is decided finds a rule with a backend that cannot be used. */
const undecidedFor = (part: ReadPart): Matched => ({
  rule: {
    name: "undecided",
    matches: [],
    filters: [],
    backends: [{ service: "-", weight: 1, filters: [], unusable: "nobody knows the rule of this request" }],
  },
  match: everyRequest,
  undecided: part,
});
const undecided: Readonly<Record<ReadPart, Matched>> = {
  url: undecidedFor("url"),
  headers: undecidedFor("headers"),
};

function file(index: Map<string, Candidate[]>, path: string, candidate: Candidate): void {
  const there = index.get(path);
  if (there === undefined) index.set(path, [candidate]);
  else there.push(candidate);
}

function* piles(index: Map<string, Candidate[]>): Iterable<[string, Pile]> {
  for (const [path, candidates] of index) yield [path, pileOf(candidates)];
}
