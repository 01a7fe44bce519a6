import { firstOfEachName } from "./named-values.ts";
import type { Matched, RouteMatch, Rule } from "./words.ts";

/** Why one match comes before another; `order` when nothing in the matches tells them apart. */
export type Advantage = "exact path" | "longer path" | "method" | "more headers" | "more query" | "order";

/** What a rule without matches matches (Gateway API `HTTPRouteRule.matches`). */
export const everyRequest: RouteMatch = { path: { type: "PathPrefix", value: "/" }, headers: [], query: [] };

/** Gateway API `HTTPRouteRule.matches`, in the order in which they decide; more is more specific. */
const criteria: readonly (readonly [Advantage, (match: RouteMatch) => number])[] = [
  ["exact path", ({ path }) => (path.type === "Exact" ? 1 : 0)],
  ["longer path", ({ path }) => (path.type === "PathPrefix" ? path.value.length : 0)],
  ["method", ({ method }) => (method === undefined ? 0 : 1)],
  ["more headers", ({ headers }) => firstOfEachName(headers).length],
  ["more query", ({ query }) => firstOfEachName(query).length],
];

/**
 * Compares two matches by precedence: negative when `a` comes before `b`, 0 when only the order in which
 * they were given (age, name, place in the document) can decide.
 */
export function compareMatches(a: RouteMatch, b: RouteMatch): number {
  for (const [, measure] of criteria) {
    const difference = measure(b) - measure(a);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** In which respect `a` and `b` differ first, for `explain`: what gave the one of them precedence. */
export function advantage(a: RouteMatch, b: RouteMatch): Advantage {
  return criteria.find(([, measure]) => measure(a) !== measure(b))?.[0] ?? "order";
}

/**
 * Every match of every rule, the one that decides first at the front. Each match of a rule ranks alone,
 * across all rules; equal ones keep the order given.
 */
export function inPrecedence(rules: readonly Rule[]): readonly Matched[] {
  return rules
    .flatMap((rule) => matchesOf(rule).map((match): Matched => ({ rule, match })))
    .sort((a, b) => compareMatches(a.match, b.match));
}

/** The matches of a rule; one that matches every request where there are none. */
export const matchesOf = (rule: Rule): readonly RouteMatch[] =>
  rule.matches.length === 0 ? [everyRequest] : rule.matches;
