import type { Catalog } from "../catalog.ts";
import type { DocumentOf } from "../documents.ts";
import { backendNames, type ParentRef } from "../references.ts";
import { pathText } from "../source.ts";
import { type UnresolvedBackend, unresolvedBackend, unresolvedParent } from "../unresolved.ts";
import { conditionsOf, fails, holds } from "./condition.ts";
import {
  controllerName,
  type Observed,
  type RouteParentStatus,
  type RouteStatus,
  type Verdict,
} from "./words.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;

/**
 * What a route has come to (Gateway API `HTTPRouteStatus`). Whether it is accepted and whether its references
 * resolve are two questions, and each is answered for every parent. Rules are never dropped from a route, so
 * nothing is `PartiallyInvalid`: what cannot be read is refused as a whole when it is applied.
 */
export function routeStatus(catalog: Catalog, route: HTTPRoute, observed: Observed): RouteStatus {
  return {
    parents: route.spec.parentRefs.map(
      (ref): RouteParentStatus => ({
        parentRef: parentRefOf(ref),
        controllerName,
        conditions: conditionsOf(
          [accepted(catalog, route, ref), resolvedRefs(catalog, route, ref)],
          observed,
        ),
      }),
    ),
  };
}

function accepted(catalog: Catalog, route: HTTPRoute, ref: ParentRef): Verdict {
  const wrong = unresolvedParent(catalog, route, ref);
  return wrong === undefined ? holds("Accepted") : fails("Accepted", wrong.reason, wrong.message);
}

/** References that a message names; the others are mended after these. */
const maxShown = 3;

function resolvedRefs(catalog: Catalog, route: HTTPRoute, { kind }: ParentRef): Verdict {
  const wrong: (UnresolvedBackend & { readonly place: string })[] = [];
  for (const { ref, path } of backendNames(route)) {
    const found = unresolvedBackend(catalog, route, ref, kind);
    if (found !== undefined) wrong.push({ ...found, place: pathText(path) });
  }
  const [first] = wrong;
  if (first === undefined) return holds("ResolvedRefs");
  const told = wrong.slice(0, maxShown).map(({ place, message }) => `${place}: ${message}`);
  const more = wrong.length > maxShown ? [`And ${wrong.length - maxShown} more.`] : [];
  return fails("ResolvedRefs", first.reason, [...told, ...more].join(" "));
}

function parentRefOf({
  group,
  kind,
  namespace,
  name,
  sectionName,
  port,
}: ParentRef): RouteParentStatus["parentRef"] {
  return {
    group: group ?? (kind === "Gateway" ? "gateway.networking.k8s.io" : ""),
    kind,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    ...(sectionName === undefined ? {} : { sectionName }),
    ...(port === undefined ? {} : { port }),
  };
}
