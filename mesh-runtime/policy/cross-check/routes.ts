import { type DocumentOf, keyOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { backendNames, type ParentRef, parentKey } from "../references.ts";
import type { Finding, Path } from "../source.ts";
import { type Unresolved, unresolvedBackend, unresolvedParent } from "../unresolved.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;

/** The finding for a reference that does not resolve, with what happens as long as it is so. */
const finding = (
  path: Path,
  { member, expected, found, message }: Unresolved<string>,
  meanwhile: string,
): Finding => ({
  path: member === undefined ? path : [...path, member],
  unresolved: true,
  expected,
  found,
  message: `${message} Until then ${meanwhile}.`,
});

/**
 * Every route is attached to something. One that is not changes nothing until its parent is there, and
 * carries a condition meanwhile (Gateway API), so this is told and not refused.
 */
export function* parents({ catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const route of catalog.routes) {
    for (const [index, ref] of route.spec.parentRefs.entries()) {
      const wrong = unresolvedParent(catalog, route, ref);
      if (wrong === undefined) continue;
      yield issue(
        route,
        finding(["spec", "parentRefs", index], wrong, "the route is attached to nothing there"),
      );
    }
    if (route.spec.parentRefs.length === 0) {
      yield issue(route, {
        severity: "warning",
        path: ["spec", "parentRefs"],
        expected: "a Gateway or a Service as parent",
        found: "none",
        message: "The route is attached to nothing and takes no requests; name a parent.",
      });
      continue;
    }
    if (route.spec.hostnames === undefined || route.spec.parentRefs.some(({ kind }) => kind === "Gateway"))
      continue;
    yield issue(route, {
      severity: "warning",
      path: ["spec", "hostnames"],
      expected: "hostnames only where a Gateway is a parent",
      found: "Services alone",
      message:
        "A route of a Service does not look at hosts (GEP-1294), so hostnames change nothing; remove them.",
    });
  }
}

/**
 * Every backend exists, may be referred to, and has a worker. The share of one that does not is answered with 500,
 * and the route carries a condition (Gateway API `HTTPRouteRule.backendRefs`), so this is told and not refused.
 */
export function* backends(mesh: CheckedMesh): Generator<Issue> {
  for (const route of mesh.catalog.routes) {
    yield* unresolvedBackends(mesh, route);
    for (const [rule, { backendRefs = [], filters = [] }] of route.spec.rules.entries()) {
      const path = ["spec", "rules", rule];
      const redirects = filters.some(({ type }) => type === "RequestRedirect");
      if (redirects || backendRefs.some(({ weight }) => weight > 0)) continue;
      yield mesh.issue(route, {
        severity: "warning",
        path: backendRefs.length === 0 ? path : [...path, "backendRefs"],
        expected: "a backend with a weight above 0, or a redirect",
        found: backendRefs.length === 0 ? "no backendRefs" : "weights of 0 alone",
        message:
          "Every request that this rule matches is answered with 500; name a backend, or remove the rule.",
      });
    }
  }
}

function* unresolvedBackends({ catalog, issue }: CheckedMesh, route: HTTPRoute): Generator<Issue> {
  // A Gateway asks for more, so what it accepts a Service accepts.
  const parent: ParentRef["kind"] = route.spec.parentRefs.some(({ kind }) => kind === "Gateway")
    ? "Gateway"
    : "Service";
  for (const { ref, path, mirrors } of backendNames(route)) {
    const wrong = unresolvedBackend(catalog, route, ref, parent);
    if (wrong === undefined) continue;
    const meanwhile = mirrors
      ? "nothing is mirrored there"
      : "its share of the requests is answered with 500";
    yield issue(route, finding(path, wrong, meanwhile));
  }
}

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
