import { firstOfEachName } from "./named-values.ts";
import type { Matched, RouteMatch, Rule } from "./words.ts";

/** Why one match comes before another; `order` when nothing in the matches tells them apart. */
export type Advantage =
  | "exact path"
  | "regular expression"
  | "longer path"
  | "method"
  | "more headers"
  | "more query"
  | "order";

/** What a rule without matches matches (Gateway API `HTTPRouteRule.matches`). */
export const everyRequest: RouteMatch = { path: { type: "PathPrefix", value: "/" }, headers: [], query: [] };

/**
 * Gateway API `HTTPRouteRule.matches`, in the order in which they decide; more is more specific. Where a
 * regular expression stands is left to us: after exact paths and before prefixes, those with more
 * characters first, as with Envoy Gateway, Cilium and Contour (`docs/decisions/0010-regular-expressions.md`).
 */
const criteria: readonly (readonly [Advantage, (match: RouteMatch) => number])[] = [
  ["exact path", ({ path }) => (path.type === "Exact" ? 1 : 0)],
  ["regular expression", ({ path }) => (path.type === "RegularExpression" ? 1 : 0)],
  ["longer path", ({ path }) => (path.type === "Exact" ? 0 : path.value.length)],
  ["method", ({ method }) => (method === undefined ? 0 : 1)],
  ["more headers", ({ headers }) => firstOfEachName(headers).length],
  ["more query", ({ query }) => firstOfEachName(query).length],
];

/**
 * Compares two matches by precedence: negative when `a` comes before `b`, 0 when only the order in which
 * they were given (age, name, place in the document) can decide.
 */
export const compareMatches = (a: RouteMatch, b: RouteMatch): number =>
  compareMeasures(measure(a), measure(b));

/** In which respect `a` and `b` differ first, for `explain`: what gave the one of them precedence. */
export function advantage(a: RouteMatch, b: RouteMatch): Advantage {
  return criteria.find(([, of]) => of(a) !== of(b))?.[0] ?? "order";
}

/**
 * Every match of every rule, the one that decides first at the front. Each match of a rule ranks alone,
 * across all rules; equal ones keep the order given.
 */
export function inPrecedence(rules: readonly Rule[]): readonly Matched[] {
  return rules
    .flatMap((rule) => matchesOf(rule).map((match) => ({ matched: { rule, match }, by: measure(match) })))
    .sort((a, b) => compareMeasures(a.by, b.by))
    .map(({ matched }) => matched);
}

/** The matches of a rule; one that matches every request where there are none. */
export const matchesOf = (rule: Rule): readonly RouteMatch[] =>
  rule.matches.length === 0 ? [everyRequest] : rule.matches;

const measure = (match: RouteMatch): readonly number[] => criteria.map(([, of]) => of(match));

function compareMeasures(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < a.length; index++) {
    const difference = (b[index] ?? 0) - (a[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
