import { headersMatch } from "../routing/header-match.ts";
import { methodMatches } from "../routing/method-match.ts";
import { firstOfEachName } from "../routing/named-values.ts";
import { barePrefix, pathMatches } from "../routing/path-match.ts";
import { type Advantage, advantage, inPrecedence } from "../routing/precedence.ts";
import { queryMatches } from "../routing/query-match.ts";
import { type RoutedRequest, routeMatches } from "../routing/route-match.ts";
import type { Matched, NamedMatch, PathMatch, RouteMatch, Rule } from "../routing/words.ts";
import type { Age, Ages } from "./age.ts";
import type { Candidate, Condition, Conditions, Unmet } from "./explanation.ts";

/** More candidates than this are left out of an explanation: those that are furthest from winning. */
export const mostCandidates = 50;
/** Longest value of a request that a reason repeats, characters. */
const maxShown = 120;
/** What these say is a secret; a reason tells whether it is there. */
const secretHeaders: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);

/** How every match of some rules fared with a request, in order of precedence. */
export function candidatesOf(
  rules: readonly Rule[],
  winner: Matched | undefined,
  request: RoutedRequest,
  ages: Ages,
): { readonly candidates: readonly Candidate[]; readonly omitted: number } {
  const all = inPrecedence(rules).map((matched, index): Candidate => {
    const { rule, match } = matched;
    return {
      rank: index + 1,
      rule: rule.name,
      conditions: conditionsOf(match),
      match: matchWords(match),
      fate: fateOf(matched, winner, request, ages),
    };
  });
  const shown = new Set([...all].sort((a, b) => distance(a) - distance(b)).slice(0, mostCandidates));
  return { candidates: all.filter((each) => shown.has(each)), omitted: all.length - shown.size };
}

function fateOf(
  matched: Matched,
  winner: Matched | undefined,
  request: RoutedRequest,
  ages: Ages,
): Candidate["fate"] {
  if (winner !== undefined && isSame(matched, winner)) return { kind: "wins" };
  if (winner !== undefined && routeMatches(matched.match, request)) {
    const because = advantage(winner.match, matched.match);
    return { kind: "lower precedence", because, text: behind(because, winner, matched, ages) };
  }
  return { kind: "no match", unmet: unmetOf(matched.match, request) };
}

/** The same match of the same rule, whichever table handed it out. */
const isSame = (a: Matched, b: Matched): boolean => a.match === b.match && a.rule.name === b.rule.name;

/** How far from winning; the sort is stable, so that of equals those of higher precedence stay. */
function distance({ fate }: Candidate): number {
  switch (fate.kind) {
    case "wins":
      return 0;
    case "lower precedence":
      return 1;
    case "no match":
      // One that only the path keeps away is about something else; one that a header keeps away is what was looked for.
      return fate.unmet.length + 1 + (fate.unmet.some(({ on }) => on === "path") ? 4 : 0);
  }
}

/** Everything that a match demands and a request has not, each in words. */
export function unmetOf(match: RouteMatch, request: RoutedRequest): readonly Unmet[] {
  const { url, method, headers } = request;
  const unmet: Unmet[] = [];
  if (!pathMatches(match.path, url.pathname))
    unmet.push({ on: "path", text: pathText(match.path, url.pathname) });
  if (match.method !== undefined && !methodMatches(match.method, method))
    unmet.push({ on: "method", text: `method must be ${match.method}, is ${shown(method)}` });
  for (const wanted of firstOfEachName(match.headers))
    if (!headersMatch([wanted], headers)) {
      const text = `header ${valueText(wanted, shownHeader(headers, wanted.name))}`;
      unmet.push({ on: "header", name: wanted.name, text });
    }
  for (const wanted of firstOfEachName(match.query))
    if (!queryMatches([wanted], url)) {
      const text = `query parameter ${valueText(wanted, url.searchParams.get(wanted.name))}`;
      unmet.push({ on: "query", name: wanted.name, text });
    }
  return unmet;
}

function pathText(match: PathMatch, path: string): string {
  const { type, value } = match;
  switch (type) {
    case "Exact":
      return `path must be exactly ${value}, is ${shown(path)}`;
    case "PathPrefix":
      return path.startsWith(barePrefix(value))
        ? `path ${value} is no prefix of ${shown(path)}: prefixes end where a segment ends`
        : `path ${value} is no prefix of ${shown(path)}`;
    case "RegularExpression":
      return `path must match ${value} as a whole, is ${shown(path)}`;
  }
}

function valueText({ name, value, pattern }: NamedMatch, found: string | null): string {
  const must = pattern === undefined ? `be ${quoted(value)}` : `match ${value} as a whole`;
  return `${name} must ${must}, is ${found === null ? "absent" : quoted(shown(found))}`;
}

/** The value of a header as an explanation repeats it: of a credential only that there is one. */
export function shownHeader(headers: RoutedRequest["headers"], name: string): string | null {
  const value = headers.get(name);
  return value !== null && secretHeaders.has(name.toLowerCase()) ? "another one" : value;
}

/** As it is, unless nobody could see where it ends. */
const quoted = (value: string): string =>
  value === "" || value.trim() !== value || value.includes(", ") ? JSON.stringify(value) : value;

const shown = (text: string): string => (text.length > maxShown ? `${text.slice(0, maxShown)}…` : text);

/** Why a match that holds comes after the one that wins. */
function behind(because: Advantage, winner: Matched, loser: Matched, ages: Ages): string {
  switch (because) {
    case "exact path":
      return "lower precedence: the other's path is exact";
    case "regular expression":
      return "lower precedence: the other's path is a regular expression";
    case "longer path":
      return loser.match.path.type === "RegularExpression"
        ? "lower precedence: shorter expression"
        : "lower precedence: shorter prefix";
    case "method":
      return "lower precedence: names no method";
    case "more headers":
      return "lower precedence: fewer headers";
    case "more query":
      return "lower precedence: fewer query parameters";
    case "order":
      return `as specific, but ${laterWords(winner.rule, loser.rule, ages)}`;
  }
}

/** Why of two rules whose matches are equally specific one comes later. */
export function laterWords(first: Rule, later: Rule, ages: Ages): string {
  if (routeOf(first) === routeOf(later)) return "later in its route";
  const [older, younger] = [ages.get(routeOf(first)), ages.get(routeOf(later))];
  if (older === undefined || younger === undefined) return "its route is younger, or later by name";
  if (older.at !== younger.at)
    return `its route is younger: created ${timeWords(younger)}, the other ${timeWords(older)}`;
  return older.revision === younger.revision
    ? "its route is later by name, and as old"
    : `its route is younger: of revision ${younger.revision}, the other of revision ${older.revision}`;
}

const timeWords = ({ at }: Age): string => new Date(at).toISOString();

/** `kind/namespace/name` of the route that a rule is from. */
export const routeOf = ({ name }: Pick<Rule, "name">): string => name.split("/", 3).join("/");

/** A match in short words: `exact /charge, POST, x-tenant: b, ?v=2`. */
export function matchWords({ path, method, headers, query }: RouteMatch): string {
  return [
    pathWords(path),
    ...(method === undefined ? [] : [method]),
    ...firstOfEachName(headers).map(({ name, value, pattern }) =>
      pattern === undefined ? `${name}: ${value}` : `${name}: ~${value}`,
    ),
    ...firstOfEachName(query).map(({ name, value, pattern }) =>
      pattern === undefined ? `?${name}=${value}` : `?${name}=~${value}`,
    ),
  ].join(", ");
}

function pathWords({ type, value }: PathMatch): string {
  switch (type) {
    case "Exact":
      return `exact ${value}`;
    case "PathPrefix":
      return `prefix ${value}`;
    case "RegularExpression":
      return `regex ${value}`;
  }
}

/** A match without what compiling has added to it. */
export const conditionsOf = ({ path, method, headers, query }: RouteMatch): Conditions => ({
  path: { type: path.type, value: path.value },
  ...(method === undefined ? {} : { method }),
  headers: firstOfEachName(headers).map(conditionOf),
  query: firstOfEachName(query).map(conditionOf),
});

const conditionOf = ({ name, value, pattern }: NamedMatch): Condition => ({
  name,
  value,
  type: pattern === undefined ? "Exact" : "RegularExpression",
});
