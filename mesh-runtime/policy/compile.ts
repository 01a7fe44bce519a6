import type { Rule, ServiceKey } from "../routing/words.ts";
import { type Catalog, catalogOf, type MeshOptions } from "./catalog.ts";
import { accessRules, entryRules } from "./compile-access.ts";
import { balancingOf, bindingOf, endpointsOf, spiffeIdOf } from "./compile-endpoints.ts";
import { listenersByWorker } from "./compile-gateway.ts";
import { rulesOf, timeoutStated } from "./compile-route.ts";
import { defaultRule } from "./compile-session.ts";
import { inboundOf, responsesOf, statedOf, telemetryOf, trafficOf } from "./compile-settings.ts";
import { userRules } from "./compile-users.ts";
import { type DocumentOf, keyOf, type PolicyDocument } from "./documents.ts";
import { notAttachedToService, parentKey } from "./references.ts";
import { hasWorker } from "./schema/service.ts";
import { type Destination, type Snapshot, snapshotVersion } from "./snapshot.ts";

type Service = DocumentOf<"Service">;

/**
 * Compiles documents into one snapshot for each Service that has a worker, in order of keys. Pure: the
 * same set of documents, in any order, gives the same bytes of canonical JSON.
 *
 * What does not resolve compiles all the same, and closed: a backend that does not exist keeps its share
 * and answers 500, a route whose parent does not exist is attached to nothing (Gateway API). Snapshots of one
 * namespace share the object `destinations`, so that whoever writes them can write it once.
 *
 * @param documents that the schema has let through
 */
export function compile(
  documents: readonly PolicyDocument[],
  options: MeshOptions = {},
): ReadonlyMap<ServiceKey, Snapshot> {
  const catalog = catalogOf(documents, options);
  const listeners = listenersByWorker(catalog);
  const promised = promisedRetries(catalog);
  const destinations = destinationsByNamespace(catalog);
  const snapshots = new Map<ServiceKey, Snapshot>();
  for (const [key, service] of catalog.services) {
    if (!hasWorker(service)) continue;
    snapshots.set(key, {
      version: snapshotVersion,
      trustDomain: catalog.trustDomain,
      workload: key,
      spiffeId: spiffeIdOf(catalog, service),
      inbound: {
        ...inboundOf(catalog, service),
        authorization: accessRules(catalog, service),
        ...userRules(catalog, service),
      },
      ...(listeners.has(key) ? entryRules(catalog, service) : {}),
      ...(promised > 1 ? { promisedRetries: promised } : {}),
      destinations: destinations(service.metadata.namespace),
      listeners: listeners.get(key) ?? [],
      telemetry: telemetryOf(catalog, service),
    });
  }
  return snapshots;
}

/** The most retries that a route of the mesh promises (Gateway API `HTTPRouteRetry.attempts`). */
const promisedRetries = ({ routes }: Catalog): number =>
  routes.reduce(
    (most, { spec }) => spec.rules.reduce((so, { retry }) => Math.max(so, retry?.attempts ?? 0), most),
    0,
  );

/** What callers of a namespace can name. Made once a namespace, and shared by its snapshots. */
function destinationsByNamespace(catalog: Catalog): (namespace: string) => Snapshot["destinations"] {
  const routes = serviceRoutes(catalog);
  const common = new Map(
    [...catalog.services].map(([key, service]) => [key, destinationOf(catalog, service)]),
  );
  const made = new Map<string, Snapshot["destinations"]>();
  return (namespace) => {
    const known = made.get(namespace);
    if (known !== undefined) return known;
    const destinations = Object.fromEntries(
      [...common].map(([key, destination]) => {
        const attached = routes(key, namespace);
        const own = attached.rules === undefined ? defaultRule(catalog, key) : undefined;
        const rules = own === undefined ? attached : { ...attached, rules: [own] };
        const [itsNamespace = "", name = ""] = key.split("/");
        const hosts = itsNamespace === namespace ? [name, ...destination.hosts] : destination.hosts;
        return [key, { ...destination, hosts, ...rules }];
      }),
    );
    made.set(namespace, destinations);
    return destinations;
  };
}

/** Everything about a destination that does not depend on who calls it. */
function destinationOf(catalog: Catalog, service: Service): Destination {
  const { name, namespace } = service.metadata;
  const { trustDomain } = service.spec;
  const { evidence, largeBody, maxDigestBytes, sessionProofs } = inboundOf(catalog, service);
  const binding = bindingOf(service);
  const stated = statedOf(catalog, service);
  const endpoints = endpointsOf(catalog, service);
  return {
    key: keyOf(service),
    spiffeId: spiffeIdOf(catalog, service),
    hosts: [`${name}.${namespace}`, `${name}.${namespace}.mesh`],
    ...(binding === undefined ? {} : { binding }),
    endpoints,
    ...balancingOf(catalog, service, endpoints),
    // No platform vouches for a caller to another mesh, whatever this one's default is.
    evidence: trustDomain === undefined ? evidence : "signature",
    ...(trustDomain === undefined ? {} : { trustDomain }),
    largeBody,
    maxDigestBytes,
    ...responsesOf(service),
    ...(sessionProofs === undefined ? {} : { sessionProofs }),
    traffic: trafficOf(catalog, service),
    ...(stated.length === 0 ? {} : { stated }),
  };
}

/** Rules of one route at a Service, for one port or all. */
interface Attached {
  readonly port: number | undefined;
  readonly rules: readonly Rule[];
}

type DestinationRules = Pick<Destination, "rules" | "portRules">;

/**
 * The rules that callers of a namespace fall under at a Service (GAMMA, GEP-1294): those of routes in
 * their own namespace if there are any (consumer routes), and then only those; otherwise those of routes
 * in the Service's namespace (producer routes). None: the Service is its own backend.
 */
function serviceRoutes(catalog: Catalog): (key: ServiceKey, caller: string) => DestinationRules {
  const byParent = new Map<string, Attached[]>();
  for (const route of catalog.routes) {
    const parents = route.spec.parentRefs.filter(
      (ref) => ref.kind === "Service" && notAttachedToService(catalog, route, ref) === undefined,
    );
    if (parents.length === 0) continue;
    const ports = new Map<ServiceKey, Set<number | undefined>>();
    for (const ref of parents) {
      const key = parentKey(route, ref);
      ports.set(key, (ports.get(key) ?? new Set()).add(ref.port));
    }
    for (const [key, named] of ports) {
      const place = `${route.metadata.namespace} ${key}`;
      const attached = byParent.get(place) ?? [];
      const rules = rulesOf(catalog, route, "Service", timeoutStated(catalog, key));
      // One parentRef without port is for all ports, whatever others name.
      for (const port of named.has(undefined) ? [undefined] : named) attached.push({ port, rules });
      byParent.set(place, attached);
    }
  }
  const none: DestinationRules = {};
  return (key, caller) => {
    const attached =
      byParent.get(`${caller} ${key}`) ?? byParent.get(`${key.slice(0, key.indexOf("/"))} ${key}`);
    return attached === undefined ? none : byPort(attached);
  };
}

/** Rules for every port that a route names, and for all others. */
function byPort(attached: readonly Attached[]): DestinationRules {
  const on = (port: number | undefined): readonly Rule[] =>
    attached.filter((one) => one.port === undefined || one.port === port).flatMap(({ rules }) => rules);
  const ports = [...new Set(attached.flatMap(({ port }) => (port === undefined ? [] : [port])))];
  return {
    ...(attached.some(({ port }) => port === undefined) ? { rules: on(undefined) } : {}),
    ...(ports.length === 0
      ? {}
      : { portRules: Object.fromEntries(ports.map((port) => [String(port), on(port)])) }),
  };
}
