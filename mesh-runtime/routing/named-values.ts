import type { NamedValue } from "./words.ts";

/**
 * The conditions that count: of several with one name only the first (Gateway API HTTPHeaderMatch and
 * HTTPQueryParamMatch: "subsequent entries with an equivalent name MUST be ignored").
 */
export function firstOfEachName<Condition extends NamedValue>(
  conditions: readonly Condition[],
): readonly Condition[] {
  if (conditions.length < 2) return conditions;
  const seen = new Set<string>();
  return conditions.filter(({ name }) => !seen.has(name) && seen.add(name));
}
