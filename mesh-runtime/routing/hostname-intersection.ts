import { hostMatches } from "./host-match.ts";

/** What a route is bound to at a listener; without `hostname`: every host. */
export interface BoundHostname {
  readonly hostname?: string;
}

/**
 * What a route's hostname and a listener's have in common: the more specific of the two, or `undefined`
 * if no host falls under both (Gateway API `HTTPRouteSpec.hostnames`). Absent means every host.
 */
export function intersectHostname(
  route: string | undefined,
  listener: string | undefined,
): BoundHostname | undefined {
  const [ours, theirs] = [route?.toLowerCase(), listener?.toLowerCase()];
  if (ours === undefined) return theirs === undefined ? {} : { hostname: theirs };
  if (theirs === undefined || ours === theirs || covers(theirs, ours)) return { hostname: ours };
  return covers(ours, theirs) ? { hostname: theirs } : undefined;
}

/**
 * What a route with these hostnames is bound to at a listener, each hostname once, in the order given.
 * A route without hostnames takes what the listener takes. Nothing in common: an empty list, and the
 * route is not attached (`NoMatchingListenerHostname`).
 */
export function boundHostnames(
  route: readonly string[],
  listener: string | undefined,
): readonly BoundHostname[] {
  const bound = new Map<string | undefined, BoundHostname>();
  for (const hostname of route.length === 0 ? [undefined] : route) {
    const common = intersectHostname(hostname, listener);
    if (common !== undefined) bound.set(common.hostname, common);
  }
  return [...bound.values()];
}

/** Whether every host of `narrow` falls under the wildcard `wide`. A wildcard's asterisk stands for a label as good as any. */
const covers = (wide: string, narrow: string): boolean => wide.startsWith("*.") && hostMatches(wide, narrow);
