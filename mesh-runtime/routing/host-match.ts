/** A host as it is compared: lower case, without the port. Brackets of an IPv6 address stay. */
export function bareHost(host: string): string {
  const colon = host.lastIndexOf(":");
  const port = colon > host.lastIndexOf("]") ? colon : host.length;
  return host.slice(0, port).toLowerCase();
}

/**
 * Whether a host falls under a hostname pattern. `*.a.com` takes `x.a.com` and `x.y.a.com` but not
 * `a.com`; absent takes every host. The port of the host is ignored.
 */
export function hostMatches(pattern: string | undefined, host: string): boolean {
  if (pattern === undefined) return true;
  const wanted = pattern.toLowerCase();
  const bare = bareHost(host);
  if (!wanted.startsWith("*.")) return bare === wanted;
  return bare.length >= wanted.length && bare.endsWith(wanted.slice(1));
}

/**
 * Finds the entry with the most specific hostname for a host: the exact one, otherwise the longest
 * wildcard, otherwise the entry for every host (Gateway API `HTTPRouteSpec.hostnames`). Of several
 * entries with one hostname the first counts.
 */
export function hostIndex<Value>(
  entries: readonly { readonly hostname?: string; readonly value: Value }[],
): (host: string) => Value | undefined {
  const exact = new Map<string, Value>();
  /** By what follows the asterisk, such as `.a.com`. */
  const wildcard = new Map<string, Value>();
  let every: { readonly value: Value } | undefined;
  for (const { hostname, value } of entries) {
    if (hostname === undefined) {
      every ??= { value };
      continue;
    }
    const [index, key] = hostname.startsWith("*.") ? [wildcard, hostname.slice(1)] : [exact, hostname];
    if (!index.has(key.toLowerCase())) index.set(key.toLowerCase(), value);
  }
  const longest = Math.max(0, ...[...wildcard.keys()].map(({ length }) => length));

  return (host) => {
    const bare = bareHost(host);
    const found = exact.get(bare);
    if (found !== undefined) return found;
    // At least one character must stand for the asterisk, and nothing longer than the longest pattern is looked up.
    let dot = bare.indexOf(".", Math.max(1, bare.length - longest));
    for (; dot !== -1; dot = bare.indexOf(".", dot + 1)) {
      const under = wildcard.get(bare.slice(dot));
      if (under !== undefined) return under;
    }
    return every?.value;
  };
}
