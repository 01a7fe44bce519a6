import { intersectHostname } from "../routing/hostname-intersection.ts";
import type { Catalog } from "./catalog.ts";
import { defaultGatewayWorker } from "./defaults.ts";
import type { DocumentOf } from "./documents.ts";
import { gatewayGroup, meshGroup, workerAnnotation } from "./schema/metadata.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;
type Gateway = DocumentOf<"Gateway">;
export type ParentRef = HTTPRoute["spec"]["parentRefs"][number];
export type BackendRef = NonNullable<HTTPRoute["spec"]["rules"][number]["backendRefs"]>[number];
export type GatewayListener = Gateway["spec"]["listeners"][number];

/** What a reference leads to, and under which reason of Gateway API it does not. */
export interface Referred {
  /** `namespace/name`. */
  readonly key: string;
  readonly unusable?: "InvalidKind" | "RefNotPermitted" | "BackendNotFound" | "VirtualBackend";
}

/** The groups under which a Service of the mesh is known: Kubernetes' core, as routes are written, and ours. */
const serviceGroups: readonly string[] = ["", meshGroup];

/**
 * Where a backendRef leads. Beyond its namespace a route of a Gateway needs a ReferenceGrant (Gateway
 * API); a route of a Service does not (GEP-1294: the caller could call the backend itself).
 */
export function backendOf(
  catalog: Catalog,
  route: HTTPRoute,
  ref: BackendRef,
  parent: ParentRef["kind"],
): Referred {
  const namespace = ref.namespace ?? route.metadata.namespace;
  const key = `${namespace}/${ref.name}`;
  if (ref.kind !== "Service" || !serviceGroups.includes(ref.group)) return { key, unusable: "InvalidKind" };
  const from = { group: gatewayGroup, kind: "HTTPRoute", namespace: route.metadata.namespace };
  if (parent === "Gateway" && !permitted(catalog, from, namespace, ref.name)) {
    return { key, unusable: "RefNotPermitted" };
  }
  const service = catalog.services.get(key);
  if (service === undefined) return { key, unusable: "BackendNotFound" };
  // Routing goes one level (GEP-1294), so a Service that only routes has nothing to answer with.
  return service.spec.virtual === true ? { key, unusable: "VirtualBackend" } : { key };
}

/** Whether a reference stays in its namespace, or a ReferenceGrant of the other one lets it in. */
function permitted(
  { grants }: Catalog,
  from: { readonly group: string; readonly kind: string; readonly namespace: string },
  namespace: string,
  service: string,
): boolean {
  if (from.namespace === namespace) return true;
  return grants.some(
    ({ metadata, spec }) =>
      metadata.namespace === namespace &&
      spec.from.some(
        (one) => one.group === from.group && one.kind === from.kind && one.namespace === from.namespace,
      ) &&
      spec.to.some(
        (one) =>
          serviceGroups.includes(one.group) &&
          one.kind === "Service" &&
          (one.name === undefined || one.name === service),
      ),
  );
}

/** `namespace/name` of what a route is attached to. */
export const parentKey = ({ metadata }: HTTPRoute, { namespace, name }: ParentRef): string =>
  `${namespace ?? metadata.namespace}/${name}`;

/** The Service whose worker implements a Gateway; see {@link workerAnnotation}. */
export function workerOf(catalog: Catalog, gateway: Gateway): Referred {
  const written = gateway.metadata.annotations?.[workerAnnotation] ?? defaultGatewayWorker;
  const [namespace = "", name = ""] = written.includes("/")
    ? written.split("/", 2)
    : [gateway.metadata.namespace, written];
  const key = `${namespace}/${name}`;
  const from = { group: gatewayGroup, kind: "Gateway", namespace: gateway.metadata.namespace };
  if (!permitted(catalog, from, namespace, name)) return { key, unusable: "RefNotPermitted" };
  const service = catalog.services.get(key);
  if (service === undefined) return { key, unusable: "BackendNotFound" };
  return service.spec.virtual === true ? { key, unusable: "VirtualBackend" } : { key };
}

/** Why a route is not attached to a listener (Gateway API `RouteConditionReason`). */
export type NotAttached = "NoMatchingParent" | "NotAllowedByListeners" | "NoMatchingListenerHostname";

/**
 * Whether a listener takes a route that names its Gateway.
 * @returns the reason if it does not
 */
export function notAttached(
  gateway: Gateway,
  listener: GatewayListener,
  route: HTTPRoute,
  { sectionName, port }: ParentRef,
): NotAttached | undefined {
  if (sectionName !== undefined && sectionName !== listener.name) return "NoMatchingParent";
  if (port !== undefined && port !== listener.port) return "NoMatchingParent";
  const { from } = listener.allowedRoutes.namespaces;
  const allowed =
    from === "All" || (from === "Same" && gateway.metadata.namespace === route.metadata.namespace);
  if (!allowed) return "NotAllowedByListeners";
  const { hostnames } = route.spec;
  return hostnames === undefined ||
    hostnames.some((host) => intersectHostname(host, listener.hostname) !== undefined)
    ? undefined
    : "NoMatchingListenerHostname";
}
