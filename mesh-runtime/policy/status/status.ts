import type { Catalog } from "../catalog.ts";
import type { DocumentOf, PolicyDocument } from "../documents.ts";
import { listenerConflicts } from "../listener-conflicts.ts";
import { parentKey } from "../references.ts";
import { gatewayStatus } from "./gateway-status.ts";
import { policyStatus } from "./policy-status.ts";
import { routeStatus } from "./route-status.ts";
import type { DocumentStatus, Observed } from "./words.ts";

/** What a document of the mesh has come to; `undefined` for kinds that have no status. */
export type StatusOf = (document: PolicyDocument, observed: Observed) => DocumentStatus | undefined;

/** Kinds whose documents have a status. */
export const kindsWithStatus: readonly string[] = [
  "HTTPRoute",
  "Gateway",
  "XBackendTrafficPolicy",
] satisfies PolicyDocument["kind"][];

/** Judges what documents have come to in a mesh. What all of them need is made once. */
export function statuses(catalog: Catalog): StatusOf {
  const conflicts = listenerConflicts(catalog);
  const routes = routesByGateway(catalog);
  const mesh = { catalog, conflicts, routesAt: (gateway: string) => routes.get(gateway) ?? [] };
  return (document, observed) => {
    switch (document.kind) {
      case "HTTPRoute":
        return routeStatus(catalog, document, observed);
      case "Gateway":
        return gatewayStatus(mesh, document, observed);
      case "XBackendTrafficPolicy":
        return policyStatus(catalog, document, observed);
      default:
        return undefined;
    }
  };
}

/** What one document has come to; {@link statuses} is for many. */
export const statusOf = (
  catalog: Catalog,
  document: PolicyDocument,
  observed: Observed,
): DocumentStatus | undefined => statuses(catalog)(document, observed);

function routesByGateway({ routes }: Catalog): ReadonlyMap<string, readonly DocumentOf<"HTTPRoute">[]> {
  const byGateway = new Map<string, DocumentOf<"HTTPRoute">[]>();
  for (const route of routes) {
    const keys = route.spec.parentRefs.flatMap((ref) =>
      ref.kind === "Gateway" ? [parentKey(route, ref)] : [],
    );
    for (const key of new Set(keys)) {
      const known = byGateway.get(key);
      if (known === undefined) byGateway.set(key, [route]);
      else known.push(route);
    }
  }
  return byGateway;
}
