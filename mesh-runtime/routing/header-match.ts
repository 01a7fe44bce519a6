import type { HeaderFields } from "../foundation/fields.ts";
import { firstOfEachName } from "./named-values.ts";
import type { NamedValue } from "./words.ts";

/**
 * Whether all header conditions hold. Names are case-insensitive, values are compared exactly; a field
 * that came several times has the value that `Headers` makes of it, joined with a comma and a space.
 */
export const headersMatch = (
  conditions: readonly NamedValue[],
  headers: Pick<HeaderFields, "get">,
): boolean =>
  conditions.length === 0 ||
  firstOfEachName(conditions).every(({ name, value }) => headers.get(name) === value);
