import type { HeaderFields } from "../foundation/fields.ts";
import { firstOfEachName } from "./named-values.ts";
import { valueMatches } from "./value-match.ts";
import type { NamedMatch } from "./words.ts";

/**
 * Whether all header conditions hold. Names are case-insensitive, values are compared as a whole; a field
 * that came several times has the value that `Headers` makes of it, joined with a comma and a space
 * (RFC 9110, 5.3), and that is what a regular expression is asked about too.
 */
export const headersMatch = (conditions: readonly NamedMatch[], headers: Asked): boolean =>
  eachHeaderMatches(firstOfEachName(conditions), headers);

/** The same of conditions with a name each. */
export function eachHeaderMatches(conditions: readonly NamedMatch[], headers: Asked): boolean {
  for (const each of conditions) if (!valueMatches(each, headers.get(each.name), "headers")) return false;
  return true;
}

type Asked = Pick<HeaderFields, "get">;
