/** One segment, at least one character of it. */
export const oneSegment = "{*}";
/** Whatever stands there, slashes too, or nothing. */
export const anySegments = "{**}";

/**
 * Whether a path fits a template: segments as they stand, `{*}` for any one of them, and one `{**}` for
 * any number (Istio `Operation.paths`). `/foo/{**}` fits `/foo/` and all below it, but not `/foo`. Time is
 * linear in the path: everything before `{**}` is compared from the front, everything after it from the end.
 */
export function templateMatches(template: string, path: string): boolean {
  const wanted = template.split("/");
  const given = path.split("/");
  const many = wanted.indexOf(anySegments);
  if (many === -1) return wanted.length === given.length && fit(wanted, given);
  const after = wanted.slice(many + 1);
  if (given.length < wanted.length) return false;
  return fit(wanted.slice(0, many), given) && (after.length === 0 || fit(after, given.slice(-after.length)));
}

const fit = (wanted: readonly string[], given: readonly string[]): boolean =>
  wanted.every((segment, index) => (segment === oneSegment ? given[index] !== "" : segment === given[index]));
