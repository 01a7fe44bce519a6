import { barePrefix, pathMatches } from "./path-match.ts";
import type { Matched, PathChange } from "./words.ts";

/**
 * The path after a filter has changed it (Gateway API `HTTPPathModifier`). The query is not its matter.
 *
 * `ReplacePrefixMatch` goes by segments: the matched prefix makes way for the value, trailing slashes of
 * either count for nothing, and no `//` comes about where the two are joined (a path that begins with
 * `//` is read as another host by whoever resolves it as a reference, RFC 3986, 4.2). Where an earlier
 * filter has left nothing of the matched prefix, the path stays.
 */
export function changePath(path: string, change: PathChange, matched: Matched | undefined): string {
  if (change.type === "ReplaceFullPath") return change.value;
  const value = matched?.match.path.value ?? "/";
  if (!pathMatches({ type: "PathPrefix", value }, path)) return path;
  const rest = path.slice(barePrefix(value).length).replace(/^\/+/, "/");
  return barePrefix(change.value) + rest || "/";
}
