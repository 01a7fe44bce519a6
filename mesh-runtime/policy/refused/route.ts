import * as v from "valibot";
import type { DocumentOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { filter, filterFaults } from "../schema/http-filters.ts";
import { withoutAbsent } from "../schema/members.ts";
import { gatewayVersions } from "../schema/metadata.ts";
import { closedRule, everything, isGone, type LeftRule, readRoute } from "./closed-rule.ts";
import { indexAfter, listOf, objectOf } from "./values.ts";
import type { RefusedRules, Unreadable } from "./words.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;

/** What is left of a route. */
export interface LeftOfRoute {
  readonly document: HTTPRoute;
  readonly route: RefusedRules;
}

const rulesPath = "spec.rules";
/** What is left is read again each time that something wrong is gone; more lists of this length no route has. */
const mostPasses = 64;

/**
 * What is left of an HTTPRoute that is refused: its rules that can be followed, and of the others the matches, which
 * are answered with 500. Gateway API lets such rules be dropped (`PartiallyInvalid`), but what they matched would then
 * fall to a wider rule than anybody wrote. A match that cannot be read itself is dropped. Where something outside the
 * rules is wrong, or all rules are, that is so of the whole route.
 */
export function leftOfRoute(unreadable: Unreadable): LeftOfRoute {
  const value = objectOf(unreadable.value);
  const rules = listOf(objectOf(value.spec).rules);
  const { wrong, document } = partOfRoute(value, unreadable.issues, rules);
  if (document !== undefined && wrong.size < rules.length) return { document, route: { rules: wrong } };
  const why = unreadable.issues.find(({ path }) => !isInRules(path, rules))?.message ?? "";
  const closed = closedRoute(unreadable, rules);
  for (const index of closed.spec.rules.keys()) if (!wrong.has(index)) wrong.set(index, why);
  const isOfFilters =
    rules.length > 0 &&
    unreadable.issues.every(({ path }) => isInRules(path, rules)) &&
    rules.every(hasIncompatibleFilters);
  return {
    document: closed,
    route: { whole: isOfFilters ? "IncompatibleFilters" : "UnsupportedValue", rules: wrong },
  };
}

const isInRules = (path: string, rules: readonly unknown[]): boolean =>
  (indexAfter(path, rulesPath) ?? rules.length) < rules.length;

/** The route with the rules that can be followed as they are and the others closed; none if more than rules is wrong. */
function partOfRoute(
  value: Readonly<Record<string, unknown>>,
  issues: readonly Issue[],
  rules: readonly unknown[],
): { readonly wrong: Map<number, string>; readonly document?: HTTPRoute } {
  const wrong = new Map<number, string>();
  let found = issues;
  while (found.length > 0) {
    const before = wrong.size;
    for (const { path, message } of found) {
      const index = indexAfter(path, rulesPath);
      if (index !== undefined && index < rules.length && !wrong.has(index)) wrong.set(index, message);
    }
    // What stands between rules, such as a name that two of them have, is seen once each is right by itself.
    if (wrong.size === before || found.some(({ path }) => !isInRules(path, rules))) return { wrong };
    const left = rules.map((rule, index): LeftRule => (wrong.has(index) ? closedRule(rule) : { rule }));
    const read = readRoute(value, objectOf(value.spec), left);
    if (read.document !== undefined) return { wrong, document: read.document };
    found = read.issues;
  }
  return { wrong };
}

/** The route with all of its rules closed, at the parents and hosts that can be read. */
function closedRoute({ namespace, name, value }: Unreadable, written: readonly unknown[]): HTTPRoute {
  const spec = objectOf(objectOf(value).spec);
  const base = { apiVersion: gatewayVersions[0], kind: "HTTPRoute", metadata: { namespace, name } };
  let parentRefs = listOf(spec.parentRefs);
  const namesHosts = !isAbsent(spec.hostnames);
  let hostnames = listOf(spec.hostnames);
  let rules = written.map(closedRule);
  if (rules.every(isGone)) rules = [everything];
  for (let pass = 0; pass < mostPasses; pass += 1) {
    // A route whose hosts cannot be read must not take those of others.
    const isHostless = namesHosts && hostnames.length === 0;
    const parents = isHostless ? parentRefs.filter((ref) => objectOf(ref).kind === "Service") : parentRefs;
    const { document, issues } = readRoute(base, { parentRefs: parents, hostnames }, rules);
    if (document !== undefined) return document;
    parentRefs = without(parents, issues, "spec.parentRefs");
    hostnames = without(hostnames, issues, "spec.hostnames");
    // More rules or matches than a route may have: whatever comes is answered with 500.
    if (issues.some(({ path }) => path === rulesPath)) rules = [everything];
  }
  const { document } = readRoute(base, {}, [everything]);
  if (document === undefined) throw new TypeError(`Cannot stand in for HTTPRoute/${namespace}/${name}`);
  return document;
}

const isAbsent = (list: unknown): boolean =>
  list === undefined || list === null || (Array.isArray(list) && list.length === 0);

/** A list without the items that issues name; without any where they name the list. */
function without(list: readonly unknown[], issues: readonly Issue[], prefix: string): readonly unknown[] {
  if (issues.some(({ path }) => path === prefix)) return [];
  const wrong = new Set(issues.map(({ path }) => indexAfter(path, prefix)));
  return list.filter((_, index) => !wrong.has(index));
}

/** Whether each filter of a rule is right by itself, and only their combination is not. */
function hasIncompatibleFilters(rule: unknown): boolean {
  const { filters, backendRefs } = objectOf(rule);
  const lists = [filters, ...listOf(backendRefs).map((ref) => objectOf(ref).filters)].map(listOf);
  const read = lists.map((list) => list.map((one) => v.safeParse(filter, withoutAbsent(filter, one))));
  if (read.some((list) => list.some(({ success }) => !success))) return false;
  return read.some((list) => {
    const right = list.flatMap((one) => (one.success ? [one.output] : []));
    return filterFaults(right, []).next().done !== true;
  });
}
