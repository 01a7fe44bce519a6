import { intersectHostname } from "../routing/hostname-intersection.ts";
import type { Catalog } from "./catalog.ts";
import { defaultGatewayWorker, defaultNamespace } from "./defaults.ts";
import { type DocumentOf, nameOf } from "./documents.ts";
import { labelsOf, selects } from "./namespace-labels.ts";
import { gatewayGroup, meshGroup, workerAnnotation } from "./schema/metadata.ts";
import { hasWorker } from "./schema/service.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;
type Gateway = DocumentOf<"Gateway">;
export type ParentRef = HTTPRoute["spec"]["parentRefs"][number];
export type BackendRef = NonNullable<HTTPRoute["spec"]["rules"][number]["backendRefs"]>[number];
/** What any reference to a backend says of where it leads: that of a rule, that of a mirror. */
export type BackendName = Pick<BackendRef, "group" | "kind" | "name" | "namespace" | "port">;
export type GatewayListener = Gateway["spec"]["listeners"][number];

/**
 * Why a reference leads nowhere: the reasons of Gateway API, and two of ours that it counts as
 * `BackendNotFound`.
 */
export type Unusable =
  | "InvalidKind"
  | "RefNotPermitted"
  | "BackendNotFound"
  | "VirtualBackend"
  | "PortNotFound"
  | "UnsupportedProtocol";

/** What a reference leads to, and why it does not. */
export interface Referred<Reason extends Unusable = Unusable> {
  /** `namespace/name`. */
  readonly key: string;
  readonly unusable?: Reason;
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
  ref: BackendName,
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
  if (service.spec.virtual === true) return { key, unusable: "VirtualBackend" };
  if (!namesPort(service, ref.port)) return { key, unusable: "PortNotFound" };
  return unspokenAt(catalog, service, ref.port) === undefined
    ? { key }
    : { key, unusable: "UnsupportedProtocol" };
}

/** Whether a Service is in force and cannot be read, so that nobody may reach it or be let in by it. */
export const isClosed = ({ refused }: Catalog, service: DocumentOf<"Service">): boolean =>
  refused.get(nameOf(service))?.service?.isClosed === true;

/**
 * Why a port of a Service is no backend: it speaks what a worker cannot. A reference without a port means all of
 * them, so one that can be spoken to is enough.
 */
export function unspokenAt(
  { refused }: Catalog,
  service: DocumentOf<"Service">,
  port: number | undefined,
): string | undefined {
  const unspoken = refused.get(nameOf(service))?.service?.ports;
  if (unspoken === undefined || unspoken.size === 0) return undefined;
  if (port !== undefined) return unspoken.get(port);
  const { ports = [] } = service.spec;
  return ports.every((one) => unspoken.has(one.port)) ? [...unspoken.values()][0] : undefined;
}

/** Whether a Service has a port that a reference names. One that names no ports has them all: a worker has one way in. */
export const namesPort = ({ spec }: DocumentOf<"Service">, port: number | undefined): boolean =>
  port === undefined || spec.ports === undefined || spec.ports.some((one) => one.port === port);

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

/** A reference to a backend, and where in the route it stands. */
export interface PlacedBackend {
  readonly ref: BackendName;
  readonly path: readonly (string | number)[];
  /** Whether copies go there, and not the requests themselves. */
  readonly mirrors: boolean;
}

/** Every reference to a backend in a route, those of its mirrors among them. */
export function* backendNames(route: HTTPRoute): Generator<PlacedBackend> {
  for (const [index, { filters = [], backendRefs = [] }] of route.spec.rules.entries()) {
    const path = ["spec", "rules", index];
    yield* mirrorsOf(filters, [...path, "filters"]);
    for (const [backend, ref] of backendRefs.entries()) {
      yield { ref, path: [...path, "backendRefs", backend], mirrors: false };
      yield* mirrorsOf(ref.filters ?? [], [...path, "backendRefs", backend, "filters"]);
    }
  }
}

function* mirrorsOf(
  filters: NonNullable<BackendRef["filters"]>,
  path: readonly (string | number)[],
): Generator<PlacedBackend> {
  for (const [index, { requestMirror }] of filters.entries()) {
    if (requestMirror === undefined) continue;
    yield {
      ref: requestMirror.backendRef,
      path: [...path, index, "requestMirror", "backendRef"],
      mirrors: true,
    };
  }
}

/** `namespace/name` of what a route is attached to. */
export const parentKey = ({ metadata }: HTTPRoute, { namespace, name }: ParentRef): string =>
  `${namespace ?? metadata.namespace}/${name}`;

/**
 * The Service whose worker implements a Gateway; see {@link workerAnnotation}. Where nothing is written it is the
 * one of the Gateway's own name, so that several Gateways of a namespace work as they are, and `gateway` otherwise.
 */
export function workerOf(
  catalog: Catalog,
  { metadata }: Gateway,
): Referred<"RefNotPermitted" | "BackendNotFound" | "VirtualBackend"> {
  const own = catalog.services.get(`${metadata.namespace}/${metadata.name}`);
  const unwritten = own === undefined || !hasWorker(own) ? defaultGatewayWorker : metadata.name;
  const written = metadata.annotations?.[workerAnnotation] ?? unwritten;
  const [namespace = "", name = ""] = written.includes("/")
    ? written.split("/", 2)
    : [metadata.namespace, written];
  const key = `${namespace}/${name}`;
  const from = { group: gatewayGroup, kind: "Gateway", namespace: metadata.namespace };
  if (!permitted(catalog, from, namespace, name)) return { key, unusable: "RefNotPermitted" };
  const service = catalog.services.get(key);
  if (service === undefined) return { key, unusable: "BackendNotFound" };
  return hasWorker(service) ? { key } : { key, unusable: "VirtualBackend" };
}

/** Why a route is not attached to a listener (Gateway API `RouteConditionReason`). */
export type NotAttached = "NoMatchingParent" | "NotAllowedByListeners" | "NoMatchingListenerHostname";

/**
 * Whether a route is attached to a Service that it names as parent: one that exists, at a port that it has.
 * @returns the reason if it is not
 */
export function notAttachedToService(
  { services }: Catalog,
  route: HTTPRoute,
  ref: ParentRef,
): NotAttached | undefined {
  const service = services.get(parentKey(route, ref));
  return service !== undefined && namesPort(service, ref.port) ? undefined : "NoMatchingParent";
}

/**
 * Whether a listener takes a route that names its Gateway.
 * @returns the reason if it does not
 */
export function notAttached(
  catalog: Catalog,
  gateway: Gateway,
  listener: GatewayListener,
  route: HTTPRoute,
  { sectionName, port }: ParentRef,
): NotAttached | undefined {
  if (sectionName !== undefined && sectionName !== listener.name) return "NoMatchingParent";
  if (port !== undefined && port !== listener.port) return "NoMatchingParent";
  if (servableKinds(listener).length === 0 || !takesNamespace(catalog, gateway, listener, route))
    return "NotAllowedByListeners";
  const { hostnames } = route.spec;
  return hostnames === undefined ||
    hostnames.some((host) => intersectHostname(host, listener.hostname) !== undefined)
    ? undefined
    : "NoMatchingListenerHostname";
}

/** Whether a listener lets in routes of a route's namespace (Gateway API `RouteNamespaces`). */
function takesNamespace(
  catalog: Catalog,
  { metadata }: Gateway,
  { allowedRoutes }: GatewayListener,
  route: HTTPRoute,
): boolean {
  const { from, selector } = allowedRoutes.namespaces;
  const { namespace } = route.metadata;
  switch (from) {
    case "All":
      return true;
    case "Same":
      return metadata.namespace === namespace;
    case "Selector":
      // What labels a namespace has is not known when its document cannot be read, nor which ones it lacks.
      return (
        selector !== undefined &&
        !catalog.refused.has(`Namespace/${defaultNamespace}/${namespace}`) &&
        selects(selector, labelsOf(catalog, namespace))
      );
    case "None":
      return false;
  }
}

/** A kind of route, as a Gateway's status names it. */
export interface RouteKind {
  readonly group: string;
  readonly kind: string;
}

const servable: readonly RouteKind[] = [{ group: gatewayGroup, kind: "HTTPRoute" }];

/** The kinds of routes that a listener takes and this mesh serves (Gateway API `ListenerStatus.supportedKinds`). */
export function servableKinds({ allowedRoutes: { kinds = [] } }: GatewayListener): readonly RouteKind[] {
  if (kinds.length === 0) return servable;
  return servable.filter((one) => kinds.some(({ group, kind }) => group === one.group && kind === one.kind));
}

/** The kinds of routes that a listener asks for and this mesh does not serve (`InvalidRouteKinds`). */
export const unservableKinds = ({ allowedRoutes: { kinds = [] } }: GatewayListener): readonly RouteKind[] =>
  kinds.filter(({ group, kind }) => !servable.some((one) => group === one.group && kind === one.kind));
