import type { Catalog } from "./catalog.ts";
import { type DocumentOf, keyOf, nameOf } from "./documents.ts";
import { didYouMean } from "./nearest.ts";
import {
  type BackendName,
  backendOf,
  type NotAttached,
  namesPort,
  notAttached,
  type ParentRef,
  parentKey,
  unspokenAt,
} from "./references.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;

/** What is wrong with a reference, for whoever applies the document and for the condition that it then carries. */
export interface Unresolved<Reason extends string> {
  /** Gateway API `RouteConditionReason`. */
  readonly reason: Reason;
  /** The member of the reference that leads nowhere; absent: the reference as a whole. */
  readonly member?: "name" | "namespace" | "kind" | "port";
  readonly expected: string;
  readonly found: string;
  /** What is wrong and what to do; ends as a sentence does. */
  readonly message: string;
}

/** Why a route is not attached to a parent that it names; `undefined` where it is. */
export function unresolvedParent(
  catalog: Catalog,
  route: HTTPRoute,
  ref: ParentRef,
): Unresolved<NotAttached> | undefined {
  const key = parentKey(route, ref);
  if (ref.kind === "Service") {
    const service = catalog.services.get(key);
    if (service === undefined)
      return { reason: "NoMatchingParent", ...nowhere("Service", key, catalog.services) };
    return namesPort(service, ref.port)
      ? undefined
      : { reason: "NoMatchingParent", ...unnamedPort(service, ref.port) };
  }
  const gateway = catalog.gateways.get(key);
  if (gateway === undefined)
    return { reason: "NoMatchingParent", ...nowhere("Gateway", key, catalog.gateways) };
  const reasons = gateway.spec.listeners.map((listener) =>
    notAttached(catalog, gateway, listener, route, ref),
  );
  if (reasons.includes(undefined)) return undefined;
  // The listener that came closest says what to change.
  const reason = closeness.find((one) => reasons.includes(one)) ?? "NoMatchingParent";
  return {
    reason,
    expected: `a listener of ${key} that takes this route`,
    found: reason,
    message: `No listener of ${key} takes this route: ${why[reason]}.${catalog.refused.has(nameOf(gateway)) ? " Some are refused by this version of Tulle; see the Gateway's own conditions." : ""}`,
  };
}

const closeness: readonly NotAttached[] = [
  "NoMatchingListenerHostname",
  "NotAllowedByListeners",
  "NoMatchingParent",
];

const why: Readonly<Record<NotAttached, string>> = {
  NoMatchingListenerHostname: "their hostnames and the route's have nothing in common; change one of the two",
  NotAllowedByListeners:
    "they do not allow HTTPRoutes of this namespace; set allowedRoutes.namespaces.from of the listener to All or to a Selector, and leave allowedRoutes.kinds out",
  NoMatchingParent: "none has the sectionName and port that the parentRef names; correct the parentRef",
};

/** Why requests cannot go to a backend (Gateway API `ResolvedRefs`). */
export type UnresolvedBackend = Unresolved<
  "InvalidKind" | "RefNotPermitted" | "BackendNotFound" | "UnsupportedProtocol"
>;

/**
 * Why a backend of a route does not resolve; `undefined` where it does.
 * @param parent the kind of parent that the route is attached to: a Gateway asks for more than a Service
 */
export function unresolvedBackend(
  catalog: Catalog,
  route: HTTPRoute,
  ref: BackendName,
  parent: ParentRef["kind"],
): UnresolvedBackend | undefined {
  const { key, unusable } = backendOf(catalog, route, ref, parent);
  const [namespace = ""] = key.split("/");
  switch (unusable) {
    case undefined:
      return undefined;
    case "InvalidKind":
      return {
        reason: "InvalidKind",
        member: "kind",
        expected: 'kind Service of the group ""',
        found: `kind ${ref.kind} of the group "${ref.group}"`,
        message: `A backend is a Service (group ""), not a ${ref.kind} of the group "${ref.group}"; refer to a Service.`,
      };
    case "RefNotPermitted":
      return {
        reason: "RefNotPermitted",
        member: "namespace",
        expected: `a ReferenceGrant in the namespace ${namespace}`,
        found: "none that fits",
        message: `A route of a Gateway may go to ${key} only if a ReferenceGrant in ${namespace} lets HTTPRoutes of ${route.metadata.namespace} refer to it; add one.`,
      };
    case "BackendNotFound":
      return { reason: "BackendNotFound", ...nowhere("Service", key, catalog.services) };
    case "VirtualBackend":
      return {
        reason: "BackendNotFound",
        member: "name",
        expected: "a Service with a worker",
        found: `${key}, which is virtual`,
        message: `${key} only routes to others, and routing goes one level; name the Services that it routes to.`,
      };
    case "PortNotFound": {
      const service = catalog.services.get(key);
      return service && { reason: "BackendNotFound", ...unnamedPort(service, ref.port) };
    }
    case "UnsupportedProtocol": {
      const service = catalog.services.get(key);
      const why = service && unspokenAt(catalog, service, ref.port);
      return {
        reason: "UnsupportedProtocol",
        member: "port",
        expected: "a port that speaks HTTP",
        found: `${ref.port ?? "none"}`,
        message: `A worker cannot speak to ${key}${ref.port === undefined ? "" : `, port ${ref.port}`}: ${why ?? ""}`,
      };
    }
  }
}

/** What is wrong with a port that a Service, which names its ports, does not name. */
const unnamedPort = (service: DocumentOf<"Service">, port: number | undefined) =>
  ({
    member: "port",
    expected: `one of ${(service.spec.ports ?? []).map((one) => one.port).join(", ")}`,
    found: `${port}`,
    message: `The Service ${keyOf(service)} does not name the port ${port}; correct it, or add it to the Service.`,
  }) as const;

const nowhere = (kind: "Service" | "Gateway", key: string, known: ReadonlyMap<string, unknown>) =>
  ({
    member: "name",
    expected: `a ${kind} that exists`,
    found: key,
    message: missing(`The ${kind} ${key}`, key, known.keys()),
  }) as const;

/** Says that something is not there, and what was probably meant. */
export function missing(what: string, key: string, candidates: Iterable<string>): string {
  const meant = didYouMean(key, candidates);
  return `${what} does not exist${meant === "" ? "; add it, or correct the name." : meant}`;
}
