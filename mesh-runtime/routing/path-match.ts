import { patternMatches } from "./automaton.ts";
import type { PathMatch } from "./words.ts";

/** A prefix as it is compared: a trailing slash of the rule says nothing (Gateway API `PathPrefix`). */
export const barePrefix = (value: string): string => (value.endsWith("/") ? value.slice(0, -1) : value);

/**
 * Whether a path falls under a path match. Case-sensitive, and on the path as it was sent: `%2F` is not
 * a separator and `%61` is not `a`, because the callee sees the same bytes and may read them otherwise.
 * (Dot segments are resolved by the URL parser before a path comes here, `%2e%2e` among them.)
 *
 * A prefix is compared by segments: `/v2` takes `/v2`, `/v2/` and `/v2/x`, but not `/v2example`.
 * An exact match forgives nothing, no trailing slash either. A regular expression stands for the whole path.
 *
 * @param path `URL.pathname`
 */
export function pathMatches(match: PathMatch, path: string): boolean {
  if (match.type === "Exact") return path === match.value;
  if (match.type === "RegularExpression") return patternMatches(match.pattern, path);
  const prefix = barePrefix(match.value);
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === "/");
}
