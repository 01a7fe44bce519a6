/**
 * The member of a JSON value that names lead to, object by object; undefined where there is none. Inside a list there is
 * none, because nobody could say which.
 *
 * @param path names, outermost first
 */
export function nestedMember(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null || Array.isArray(found)) return undefined;
    if (!Object.hasOwn(found, name)) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[name];
  }
  return found;
}
