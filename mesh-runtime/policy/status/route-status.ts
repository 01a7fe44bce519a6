import type { Catalog } from "../catalog.ts";
import { type DocumentOf, nameOf } from "../documents.ts";
import { backendNames, type ParentRef } from "../references.ts";
import { rulesWords } from "../refused/salvage.ts";
import type { Refused } from "../refused/words.ts";
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
 * resolve are two questions, and each is answered for every parent. What cannot be served is refused when it is
 * applied, so only what was in force before can be invalid, as a whole or in part.
 */
export function routeStatus(catalog: Catalog, route: HTTPRoute, observed: Observed): RouteStatus {
  return {
    parents: route.spec.parentRefs.map(
      (ref): RouteParentStatus => ({
        parentRef: parentRefOf(ref),
        controllerName,
        conditions: conditionsOf(
          [
            accepted(catalog, route, ref),
            resolvedRefs(catalog, route, ref),
            ...partiallyInvalid(catalog, route, ref),
          ],
          observed,
        ),
      }),
    ),
  };
}

function accepted(catalog: Catalog, route: HTTPRoute, ref: ParentRef): Verdict {
  const refused = catalog.refused.get(nameOf(route));
  if (refused?.route?.whole !== undefined)
    return fails("Accepted", refused.route.whole, `${firstOf(refused)} ${refused.meanwhile}`);
  const wrong = unresolvedParent(catalog, route, ref);
  return wrong === undefined ? holds("Accepted") : fails("Accepted", wrong.reason, wrong.message);
}

/** Only there when it is true, of a route that is accepted (Gateway API `RouteConditionPartiallyInvalid`). */
function partiallyInvalid(catalog: Catalog, route: HTTPRoute, ref: ParentRef): readonly Verdict[] {
  const refused = catalog.refused.get(nameOf(route));
  if (refused?.route === undefined || refused.route.whole !== undefined) return [];
  if (unresolvedParent(catalog, route, ref) !== undefined) return [];
  const { rules } = refused.route;
  const first = rulesWords([...rules.keys()]);
  const dropped = `Dropped ${first.charAt(0).toUpperCase()}${first.slice(1)}`;
  const reasons = [...rules].slice(0, maxShown).map(([index, why]) => `spec.rules[${index}]: ${why}`);
  return [
    holds("PartiallyInvalid", "UnsupportedValue", `${dropped}. ${reasons.join(" ")} ${refused.meanwhile}`),
  ];
}

const firstOf = ({ issues }: Refused): string => issues[0]?.message ?? "";

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
