import { changePath } from "./path-change.ts";
import type { Filter, Matched } from "./words.ts";

/** The filter that answers instead of a backend. */
export type Redirect = Extract<Filter, { type: "RequestRedirect" }>;

/** The redirect among filters; Gateway API allows one at most. */
export const redirectAmong = (filters: readonly Filter[]): Redirect | undefined =>
  filters.find((filter) => filter.type === "RequestRedirect");

const wellKnown = { http: "80", https: "443" } as const;

/**
 * The answer of a redirect (Gateway API `HTTPRequestRedirectFilter`).
 *
 * The port in `Location` is the filter's; otherwise, with a scheme, that scheme's well-known port;
 * otherwise the listener's. It is left out where it is the scheme's well-known one. The listener's port
 * comes from configuration, because a worker may see another one in its URL; without a listener, inside
 * the mesh, the URL is the one that the caller wrote, and its port counts. The query is kept; user
 * information and fragment are not, since a `Location` shall not repeat what was not sent to anybody.
 *
 * @param url as the request has it
 * @param matched what `ReplacePrefixMatch` refers to
 * @param listenerPort of the gateway listener; `undefined` inside the mesh
 */
export function redirectOf(
  filter: Redirect,
  url: URL,
  matched: Matched | undefined,
  listenerPort: number | undefined,
): Response {
  const location = new URL(url);
  location.username = "";
  location.password = "";
  location.hash = "";
  if (filter.scheme !== undefined) location.protocol = filter.scheme;
  if (filter.hostname !== undefined) location.hostname = filter.hostname;
  location.port = portOf(filter, url, listenerPort);
  if (filter.path !== undefined) location.pathname = changePath(url.pathname, filter.path, matched);
  return new Response(null, { status: filter.statusCode, headers: { location: location.href } });
}

/** As text; the URL leaves it out by itself where the scheme implies it. */
function portOf(filter: Redirect, url: URL, listenerPort: number | undefined): string {
  if (filter.port !== undefined) return String(filter.port);
  if (filter.scheme !== undefined) return wellKnown[filter.scheme];
  if (listenerPort === undefined) return url.port;
  const other = url.protocol === "https:" ? wellKnown.http : wellKnown.https;
  return String(listenerPort) === other ? "" : String(listenerPort);
}
