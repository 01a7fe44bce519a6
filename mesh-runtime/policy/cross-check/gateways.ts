import { precedenceWords } from "../age.ts";
import { keyOf, nameOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { listenerConflicts } from "../listener-conflicts.ts";
import { servableKinds, unservableKinds, workerOf } from "../references.ts";
import { workerAnnotation } from "../schema/metadata.ts";
import type { Path } from "../source.ts";
import { missing } from "../unresolved.ts";
import type { CheckedMesh } from "./checked-mesh.ts";

/** Every Gateway is implemented by a worker. One that is not listens to nothing, and its condition `Programmed` says so. */
export function* gatewayWorkers({ catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const gateway of catalog.gateways.values()) {
    const { key, unusable } = workerOf(catalog, gateway);
    if (unusable === undefined) continue;
    const annotated = gateway.metadata.annotations?.[workerAnnotation] !== undefined;
    const [namespace = ""] = key.split("/");
    const messages = {
      RefNotPermitted: `A Gateway may be implemented by ${key} only if a ReferenceGrant in ${namespace} lets Gateways of ${gateway.metadata.namespace} refer to it; add one.`,
      BackendNotFound: annotated
        ? missing(`The Service ${key}`, key, catalog.services.keys())
        : `A Gateway is implemented by the Service of its own name or by ${key}, unless the annotation ${workerAnnotation} names another; add the Service or the annotation.`,
      VirtualBackend: `${key} has no worker, so it cannot implement a Gateway; name another in the annotation ${workerAnnotation}.`,
    };
    yield issue(gateway, {
      unresolved: true,
      path: annotated ? ["metadata", "annotations", workerAnnotation] : ["metadata", "name"],
      expected: "a Service with a worker that may implement it",
      found: `${key}: ${unusable}`,
      message: `${messages[unusable]} Until then nothing listens.`,
    });
  }
}

/** Of listeners of one worker for the same port and hostname only the oldest is asked; the others carry the condition `Conflicted`. */
export function* listeners({ catalog, issue, place }: CheckedMesh): Generator<Issue> {
  const conflicts = listenerConflicts(catalog);
  const all = [...catalog.gateways.values()].flatMap((gateway) =>
    gateway.spec.listeners.map((listener, index) => ({
      gateway,
      listener,
      path: ["spec", "listeners", index] as Path,
    })),
  );
  for (const { gateway, listener, path } of all) {
    const conflict = conflicts.get(listener);
    if (conflict === undefined) continue;
    const { reason, winner } = conflict;
    const why =
      winner.gateway === gateway ? "" : `, which ${precedenceWords(catalog.ages, winner.gateway, gateway)}`;
    const taken = `${nameOf(winner.gateway)} at ${place(winner.gateway, ["spec", "listeners", winner.index])}${why}`;
    const worker = workerOf(catalog, gateway).key;
    yield issue(
      gateway,
      reason === "ProtocolConflict"
        ? {
            path: [...path, "protocol"],
            unresolved: true,
            expected: `${winner.listener.protocol}, as on this port in ${taken}`,
            found: listener.protocol,
            message: `Port ${listener.port} of the worker ${worker} speaks one protocol; use another port or the same protocol; until then nothing listens here.`,
          }
        : {
            path: [...path, "port"],
            unresolved: true,
            expected: "a port and hostname that no other listener of the worker has",
            found: `those of ${taken}`,
            message: `The worker ${worker} has a listener for this port and hostname in ${keyOf(winner.gateway)} already; change one, or annotate another worker; until then the other one alone listens.`,
          },
    );
  }
  for (const { gateway, listener, path } of all) {
    const strange = unservableKinds(listener);
    if (strange.length === 0) continue;
    const kinds = strange.map(({ kind }) => kind).join(", ");
    yield issue(gateway, {
      path: [...path, "allowedRoutes", "kinds"],
      unresolved: true,
      expected: "HTTPRoute alone",
      found: kinds,
      message: `${kinds} cannot be served here; remove it; until then ${servableKinds(listener).length === 0 ? "no route attaches to this listener" : "HTTPRoutes alone attach to this listener"}.`,
    });
  }
  for (const { gateway, listener, path } of all) {
    if ((listener.tls?.certificateRefs ?? []).length === 0) continue;
    yield issue(gateway, {
      severity: "warning",
      path: [...path, "tls", "certificateRefs"],
      expected: "no certificateRefs",
      found: `${listener.tls?.certificateRefs?.length}`,
      message: "The platform ends TLS with its own certificates, and these are not read; remove them.",
    });
  }
}
