import { firstOfEachName } from "./named-values.ts";
import { valueMatches } from "./value-match.ts";
import type { NamedMatch } from "./words.ts";

/**
 * Whether all query conditions hold. Names and values are case-sensitive and compared as a whole after
 * decoding; of a parameter that came several times the first value counts, as Gateway API recommends.
 * A URL without conditions on it is not parsed for them.
 */
export const queryMatches = (conditions: readonly NamedMatch[], url: URL): boolean =>
  eachParameterMatches(firstOfEachName(conditions), url);

/** The same of conditions with a name each. */
export function eachParameterMatches(conditions: readonly NamedMatch[], url: URL): boolean {
  for (const each of conditions)
    if (!valueMatches(each, url.searchParams.get(each.name), "url")) return false;
  return true;
}
