import { firstOfEachName } from "./named-values.ts";
import type { NamedValue } from "./words.ts";

/**
 * Whether all query conditions hold. Names and values are case-sensitive and compared exactly after
 * decoding; of a parameter that came several times the first value counts, as Gateway API recommends.
 * A URL without conditions on it is not parsed for them.
 */
export const queryMatches = (conditions: readonly NamedValue[], url: URL): boolean =>
  conditions.length === 0 ||
  firstOfEachName(conditions).every(({ name, value }) => url.searchParams.get(name) === value);
