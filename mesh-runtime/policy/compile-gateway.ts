import { boundHostnames } from "../routing/hostname-intersection.ts";
import type { Listener, Rule } from "../routing/words.ts";
import { byCodeUnits } from "./canonical.ts";
import type { Catalog } from "./catalog.ts";
import { rulesOf } from "./compile-route.ts";
import { type DocumentOf, keyOf } from "./documents.ts";
import { listenerConflicts } from "./listener-conflicts.ts";
import { type GatewayListener, notAttached, parentKey, workerOf } from "./references.ts";

/** The listeners that each Service's worker implements, by `namespace/name` of the Service. */
export function listenersByWorker(catalog: Catalog): ReadonlyMap<string, readonly Listener[]> {
  const listeners = new Map<string, Listener[]>();
  const conflicts = listenerConflicts(catalog);
  for (const gateway of catalog.gateways.values()) {
    const { key, unusable } = workerOf(catalog, gateway);
    if (unusable !== undefined) continue;
    const own = listeners.get(key) ?? [];
    // One that conflicts with another is not listened at (Gateway API `ListenerConditionConflicted`).
    const winning = gateway.spec.listeners.filter((listener) => !conflicts.has(listener));
    own.push(...winning.map((listener) => compiled(catalog, gateway, listener)));
    listeners.set(key, own);
  }
  return listeners;
}

function compiled(catalog: Catalog, gateway: DocumentOf<"Gateway">, listener: GatewayListener): Listener {
  const { name, port, protocol, hostname } = listener;
  return {
    name: `${keyOf(gateway)}/${name}`,
    port,
    protocol,
    ...(hostname === undefined ? {} : { hostname }),
    hosts: hostsOf(catalog, gateway, listener),
  };
}

/** The rules of all routes that a listener takes, by the hostname that route and listener have in common. */
function hostsOf(
  catalog: Catalog,
  gateway: DocumentOf<"Gateway">,
  listener: GatewayListener,
): Listener["hosts"] {
  const byHostname = new Map<string, Rule[]>();
  for (const route of catalog.routes) {
    const taken = route.spec.parentRefs.some(
      (ref) =>
        ref.kind === "Gateway" &&
        parentKey(route, ref) === keyOf(gateway) &&
        notAttached(catalog, gateway, listener, route, ref) === undefined,
    );
    if (!taken) continue;
    for (const { hostname = "" } of boundHostnames(route.spec.hostnames ?? [], listener.hostname)) {
      const rules = byHostname.get(hostname) ?? [];
      rules.push(...rulesOf(catalog, route, "Gateway"));
      byHostname.set(hostname, rules);
    }
  }
  return [...byHostname]
    .sort(([a], [b]) => byCodeUnits(a, b))
    .map(([hostname, rules]) => (hostname === "" ? { rules } : { hostname, rules }));
}
