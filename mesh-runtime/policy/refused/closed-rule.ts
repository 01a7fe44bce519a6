import * as v from "valibot";
import type { DocumentOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { withoutAbsent } from "../schema/members.ts";
import { match } from "../schema/route-match.ts";
import { listOf, objectOf, readValue } from "./values.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;

/** A rule of a route that is read again: as it was written, or closed, which leaves its matches alone. */
export type LeftRule = { readonly rule: unknown } | { readonly matches: readonly unknown[] };

/** Matches every request. */
export const everything: LeftRule = { matches: [{}] };

/** A rule with nothing but its matches, as far as these can be read: it has no backend, and so answers 500. */
export function closedRule(rule: unknown): LeftRule {
  const { matches } = objectOf(rule);
  if (matches === undefined || matches === null || (Array.isArray(matches) && matches.length === 0))
    return everything;
  return {
    matches: listOf(matches).filter((one) => v.safeParse(match, withoutAbsent(match, one)).success),
  };
}

/** Whether nothing is left of a rule. */
export const isGone = (left: LeftRule | undefined): boolean =>
  left !== undefined && "matches" in left && left.matches.length === 0;

/** An empty list of matches would match everything, so this stands there while the rest is read. */
const somewhere = [{ path: { type: "Exact", value: "/" } }];

const asWritten = (left: LeftRule): unknown =>
  "rule" in left ? left.rule : { matches: isGone(left) ? somewhere : left.matches };

/** Reads a route with these rules. A rule of which nothing is left has no matches in it, and takes no request. */
export function readRoute(
  value: Readonly<Record<string, unknown>>,
  spec: Readonly<Record<string, unknown>>,
  rules: readonly LeftRule[],
): { readonly document?: HTTPRoute; readonly issues: readonly Issue[] } {
  const { written, issues } = readValue({ ...value, spec: { ...spec, rules: rules.map(asWritten) } });
  const document = written[0]?.document;
  if (document?.kind !== "HTTPRoute") return { issues };
  const kept = document.spec.rules.map((rule, index) =>
    isGone(rules[index]) ? { ...rule, matches: [] } : rule,
  );
  return { document: { ...document, spec: { ...document.spec, rules: kept } }, issues };
}
