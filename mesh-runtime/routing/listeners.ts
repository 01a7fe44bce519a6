import { hostIndex } from "./host-match.ts";
import { routeTable } from "./route-table.ts";
import type { Listener, Target } from "./words.ts";

/** Finds where a request from outside belongs. */
export type ListenerIndex = (host: string, port: number | undefined) => Target | undefined;

/**
 * Builds the tables of all listeners. A look-up takes the listener with the most specific hostname, and
 * at it the most specific host that routes are bound to; it never goes back to a less specific one, so
 * that what one team binds to `a.com` is not answered by what another binds to `*.com` (Gateway API
 * listener isolation). A listener that has nothing for a host answers with a table that matches nothing.
 *
 * The returned function takes the host as the request has it (a port in it is ignored), and the port
 * that it came in on: where any listener is on that port, only those count, so that what is bound to one
 * for HTTPS is not answered in the clear on another's port; where the port is unknown or no listener's,
 * all of them, the first in order where two have one hostname.
 */
export function listenerIndex(listeners: readonly Listener[]): ListenerIndex {
  const entries = listeners.map((listener) => ({
    port: listener.port,
    ...(listener.hostname === undefined ? {} : { hostname: listener.hostname }),
    value: targetsOf(listener),
  }));
  const onAnyPort = hostIndex(entries);
  const onPort = new Map(
    [...new Set(entries.map(({ port }) => port))].map((port) => [
      port,
      hostIndex(entries.filter((entry) => entry.port === port)),
    ]),
  );
  return (host, port) => ((port === undefined ? undefined : onPort.get(port)) ?? onAnyPort)(host)?.(host);
}

/**
 * Where a request from outside belongs by its URL. A worker does not choose its port: the one that the
 * client used tells listeners apart, and counts for nothing where no listener at all has it.
 */
export const entering = (listenerFor: ListenerIndex, url: URL): Target | undefined =>
  listenerFor(url.hostname, portOf(url));

const portOf = (url: URL): number => Number(url.port) || (url.protocol === "https:" ? 443 : 80);

function targetsOf({ name, port, hosts }: Listener): (host: string) => Target {
  const bound = hostIndex(
    hosts.map(({ hostname, rules }) => ({
      ...(hostname === undefined ? {} : { hostname }),
      value: { destination: name, table: routeTable(rules), listenerPort: port },
    })),
  );
  const nothing: Target = { destination: name, table: routeTable([]), listenerPort: port };
  return (host) => bound(host) ?? nothing;
}
