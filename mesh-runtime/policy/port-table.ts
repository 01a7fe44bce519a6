import { everyRequest } from "../routing/precedence.ts";
import { routeTable } from "../routing/route-table.ts";
import type { RouteTable, Rule, ServiceKey } from "../routing/words.ts";
import type { Destination } from "./snapshot.ts";

/**
 * The table of a destination; undefined where no route is attached, so that it is its own backend. Where
 * routes name a port (GEP-1294), the port of the URL says which rules hold: a port that no route is for
 * falls to the Service itself, under the rule `default`.
 */
export function destinationTable({ key, rules, portRules }: Destination): RouteTable | undefined {
  const common = rules === undefined ? undefined : routeTable(rules);
  if (portRules === undefined) return common;
  const otherwise = common ?? routeTable([ownBackend(key)]);
  const byPort = new Map(Object.entries(portRules).map(([port, its]) => [port, routeTable(its)]));
  return { find: (message) => (byPort.get(portOf(message.url)) ?? otherwise).find(message) };
}

/** The rules that {@link destinationTable} asks for a URL; undefined where no route is attached. */
export function rulesAt({ key, rules, portRules }: Destination, url: URL): readonly Rule[] | undefined {
  if (portRules === undefined) return rules;
  return portRules[portOf(url)] ?? rules ?? [ownBackend(key)];
}

/** The port that a URL means, in digits. */
export const portOf = ({ port, protocol }: URL): string =>
  port === "" ? (protocol === "https:" ? "443" : "80") : port;

/** The rule under which a destination is its own backend. */
export const ownBackend = (service: ServiceKey): Rule => ({
  name: "default",
  matches: [everyRequest],
  filters: [],
  backends: [{ service, weight: 1, filters: [] }],
});
