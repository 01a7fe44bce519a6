/**
 * An origin in the one form in which two of them are the same text: lower case, and without the port that its
 * scheme implies (Gateway API `HTTPCORSFilter.allowOrigins`; RFC 6454 §6.2). Browsers send this form.
 */
export function canonicalOrigin(origin: string): string {
  const lower = origin.toLowerCase();
  const implied = lower.startsWith("https:") ? ":443" : ":80";
  return lower.endsWith(implied) ? lower.slice(0, -implied.length) : lower;
}

/** What a `*` stands for: labels, as many as there are, or an address; never a port, and no part of a scheme. */
const anyHost = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/;

/**
 * Whether an origin is one that is allowed: scheme and port are the same, and so is the host, but for a `*`, which
 * takes in every label to its left.
 *
 * @param allowed `*`, or an origin in canonical form, whose host may begin with `*`
 * @param origin in canonical form
 */
export function originMatches(allowed: string, origin: string): boolean {
  if (allowed === "*" || allowed === origin) return true;
  const star = allowed.indexOf("*");
  if (star === -1) return false;
  const scheme = allowed.slice(0, star);
  const rest = allowed.slice(star + 1);
  return (
    origin.length > scheme.length + rest.length &&
    origin.startsWith(scheme) &&
    origin.endsWith(rest) &&
    anyHost.test(origin.slice(scheme.length, origin.length - rest.length))
  );
}
