import { type DocumentOf, keyOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { didYouMean } from "../nearest.ts";
import {
  type BackendName,
  backendOf,
  type NotAttached,
  namesPort,
  notAttached,
  type ParentRef,
  parentKey,
} from "../references.ts";
import type { Finding, Path } from "../source.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;

/**
 * Every route is attached to something. One that is not changes nothing until its parent is there, and
 * carries a condition meanwhile (Gateway API), so this is told and not refused.
 */
export function* parents(mesh: CheckedMesh): Generator<Issue> {
  for (const route of mesh.catalog.routes) {
    for (const [index, ref] of route.spec.parentRefs.entries()) {
      const path = ["spec", "parentRefs", index];
      if (ref.kind === "Service") yield* serviceParent(mesh, route, ref, path);
      else yield* gatewayParent(mesh, route, ref, path);
    }
    if (route.spec.hostnames === undefined || route.spec.parentRefs.some(({ kind }) => kind === "Gateway"))
      continue;
    yield mesh.issue(route, {
      severity: "warning",
      path: ["spec", "hostnames"],
      expected: "hostnames only where a Gateway is a parent",
      found: "Services alone",
      message:
        "A route of a Service does not look at hosts (GEP-1294), so hostnames change nothing; remove them.",
    });
  }
}

function* serviceParent(
  { catalog, issue }: CheckedMesh,
  route: HTTPRoute,
  ref: ParentRef,
  path: Path,
): Generator<Issue> {
  const key = parentKey(route, ref);
  const service = catalog.services.get(key);
  if (service === undefined) {
    yield issue(route, {
      path: [...path, "name"],
      unresolved: true,
      expected: "a Service that exists",
      found: key,
      message: `${missing(`The Service ${key}`, key, catalog.services.keys())} Until then the route is attached to nothing there.`,
    });
    return;
  }
  if (!namesPort(service, ref.port))
    yield issue(
      route,
      unnamedPort(service, ref.port, path, "until then the route is attached to nothing there"),
    );
}

/** What is wrong with a port that a Service, which names its ports, does not name. */
const unnamedPort = (
  service: DocumentOf<"Service">,
  port: number | undefined,
  path: Path,
  meanwhile: string,
): Finding => ({
  path: [...path, "port"],
  unresolved: true,
  expected: `one of ${(service.spec.ports ?? []).map((one) => one.port).join(", ")}`,
  found: `${port}`,
  message: `The Service ${keyOf(service)} does not name the port ${port}; correct it, or add it to the Service; ${meanwhile}.`,
});

function* gatewayParent(
  { catalog, issue }: CheckedMesh,
  route: HTTPRoute,
  ref: ParentRef,
  path: Path,
): Generator<Issue> {
  const key = parentKey(route, ref);
  const gateway = catalog.gateways.get(key);
  if (gateway === undefined) {
    yield issue(route, {
      path: [...path, "name"],
      unresolved: true,
      expected: "a Gateway that exists",
      found: key,
      message: `${missing(`The Gateway ${key}`, key, catalog.gateways.keys())} Until then the route is attached to nothing there.`,
    });
    return;
  }
  const reasons = gateway.spec.listeners.map((listener) => notAttached(gateway, listener, route, ref));
  if (reasons.includes(undefined)) return;
  // The listener that came closest says what to change.
  const reason = closeness.find((one) => reasons.includes(one)) ?? "NoMatchingParent";
  yield issue(route, {
    path,
    unresolved: true,
    expected: `a listener of ${key} that takes this route`,
    found: reason,
    message: `No listener of ${key} takes this route: ${why[reason]}.`,
  });
}

const closeness: readonly NotAttached[] = [
  "NoMatchingListenerHostname",
  "NotAllowedByListeners",
  "NoMatchingParent",
];

const why: Readonly<Record<NotAttached, string>> = {
  NoMatchingListenerHostname: "their hostnames and the route's have nothing in common; change one of the two",
  NotAllowedByListeners:
    "they do not allow routes of this namespace; set allowedRoutes.namespaces.from of the listener to All",
  NoMatchingParent: "none has the sectionName and port that the parentRef names; correct the parentRef",
};

/**
 * Every backend exists, may be referred to, and has a worker. The share of one that does not is answered with 500,
 * and the route carries a condition (Gateway API `HTTPRouteRule.backendRefs`), so this is told and not refused.
 */
export function* backends(mesh: CheckedMesh): Generator<Issue> {
  for (const route of mesh.catalog.routes) {
    const kinds = new Set(route.spec.parentRefs.map(({ kind }) => kind));
    // A Gateway asks for more, so what it accepts a Service accepts.
    const kind: ParentRef["kind"] = kinds.has("Gateway") ? "Gateway" : "Service";
    for (const [rule, { backendRefs = [], filters = [] }] of route.spec.rules.entries()) {
      const path = ["spec", "rules", rule, "backendRefs"];
      for (const [index, ref] of backendRefs.entries())
        yield* backend(mesh, route, ref, kind, [...path, index], refused);
      const redirects = filters.some(({ type }) => type === "RequestRedirect");
      if (redirects || backendRefs.some(({ weight }) => weight > 0)) continue;
      yield mesh.issue(route, {
        severity: "warning",
        path: backendRefs.length === 0 ? ["spec", "rules", rule] : path,
        expected: "a backend with a weight above 0, or a redirect",
        found: backendRefs.length === 0 ? "no backendRefs" : "weights of 0 alone",
        message:
          "Every request that this rule matches is answered with 500; name a backend, or remove the rule.",
      });
    }
  }
}

function* backend(
  { catalog, issue }: CheckedMesh,
  route: HTTPRoute,
  ref: BackendName,
  kind: ParentRef["kind"],
  path: Path,
  meanwhile: string,
): Generator<Issue> {
  const { key, unusable } = backendOf(catalog, route, ref, kind);
  const [namespace = ""] = key.split("/");
  switch (unusable) {
    case "InvalidKind":
      yield issue(route, {
        path: [...path, "kind"],
        unresolved: true,
        expected: 'kind Service of the group ""',
        found: `kind ${ref.kind} of the group "${ref.group}"`,
        message: `A backend is a Service (group ""), not a ${ref.kind} of the group "${ref.group}"; refer to a Service; ${meanwhile}.`,
      });
      return;
    case "RefNotPermitted":
      yield issue(route, {
        path: [...path, "namespace"],
        unresolved: true,
        expected: `a ReferenceGrant in the namespace ${namespace}`,
        found: "none that fits",
        message: `A route of a Gateway may go to ${key} only if a ReferenceGrant in ${namespace} lets HTTPRoutes of ${route.metadata.namespace} refer to it; add one; ${meanwhile}.`,
      });
      return;
    case "BackendNotFound":
      yield issue(route, {
        path: [...path, "name"],
        unresolved: true,
        expected: "a Service that exists",
        found: key,
        message: `${missing(`The Service ${key}`, key, catalog.services.keys())} ${capital(meanwhile)}.`,
      });
      return;
    case "VirtualBackend":
      yield issue(route, {
        path: [...path, "name"],
        unresolved: true,
        expected: "a Service with a worker",
        found: `${key}, which is virtual`,
        message: `${key} only routes to others, and routing goes one level; name the Services that it routes to; ${meanwhile}.`,
      });
      return;
    case "PortNotFound": {
      const service = catalog.services.get(key);
      if (service !== undefined) yield issue(route, unnamedPort(service, ref.port, path, meanwhile));
      return;
    }
    case undefined:
      return;
  }
}

/** What happens as long as a backend does not resolve. */
const refused = "until then its share of the requests is answered with 500";

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A Service without worker needs a route, or nothing answers for it. */
export function* virtualServices({ catalog, issue }: CheckedMesh): Generator<Issue> {
  const routed = new Set(
    catalog.routes.flatMap((route) =>
      route.spec.parentRefs.filter(({ kind }) => kind === "Service").map((ref) => parentKey(route, ref)),
    ),
  );
  for (const service of catalog.services.values()) {
    const key = keyOf(service);
    if (service.spec.virtual !== true || routed.has(key)) continue;
    yield issue(service, {
      path: ["spec", "virtual"],
      unresolved: true,
      expected: "an HTTPRoute with this Service as parent",
      found: "none",
      message: `${key} is virtual and nothing routes its requests; add an HTTPRoute with the parent ${service.metadata.name}, or give it a worker; until then its requests are refused.`,
    });
  }
}

/** Says that something is not there, and what was probably meant. */
export function missing(what: string, key: string, candidates: Iterable<string>): string {
  const meant = didYouMean(key, candidates);
  return `${what} does not exist${meant === "" ? "; add it, or correct the name." : meant}`;
}
