import type { Catalog } from "./catalog.ts";
import type { DocumentOf } from "./documents.ts";
import { type GatewayListener, workerOf } from "./references.ts";

/** A listener, and where it stands. */
export interface PlacedListener {
  readonly gateway: DocumentOf<"Gateway">;
  readonly listener: GatewayListener;
  /** In the Gateway's list. */
  readonly index: number;
}

/** Why a listener is not listened at (Gateway API `ListenerConditionReason`), and the one that is instead. */
export interface ListenerConflict {
  readonly reason: "HostnameConflict" | "ProtocolConflict";
  readonly winner: PlacedListener;
}

/**
 * The listeners that lose against another one of the same worker: a port speaks one protocol, and a hostname on a
 * port belongs to one listener. The oldest Gateway wins, then the alphabet, and within a Gateway the first.
 */
export function listenerConflicts(catalog: Catalog): ReadonlyMap<GatewayListener, ListenerConflict> {
  const conflicts = new Map<GatewayListener, ListenerConflict>();
  const byPort = new Map<string, PlacedListener>();
  const bySocket = new Map<string, PlacedListener>();
  for (const gateway of [...catalog.gateways.values()].sort(catalog.byAge)) {
    const { key, unusable } = workerOf(catalog, gateway);
    if (unusable !== undefined) continue;
    for (const [index, listener] of gateway.spec.listeners.entries()) {
      const port = `${key} ${listener.port}`;
      const socket = `${port} ${listener.hostname ?? "*"}`;
      const speaking = byPort.get(port);
      const taken = bySocket.get(socket);
      if (speaking !== undefined && speaking.listener.protocol !== listener.protocol) {
        conflicts.set(listener, { reason: "ProtocolConflict", winner: speaking });
      } else if (taken !== undefined) {
        conflicts.set(listener, { reason: "HostnameConflict", winner: taken });
      } else {
        const placed = { gateway, listener, index };
        if (speaking === undefined) byPort.set(port, placed);
        bySocket.set(socket, placed);
      }
    }
  }
  return conflicts;
}
