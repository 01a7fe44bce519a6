import { type DocumentOf, keyOf, nameOf } from "../documents.ts";
import type { Issue } from "../issue.ts";
import { type GatewayListener, workerOf } from "../references.ts";
import { workerAnnotation } from "../schema/metadata.ts";
import type { Path } from "../source.ts";
import { type CheckedMesh, collisions } from "./checked-mesh.ts";
import { missing } from "./routes.ts";

type Gateway = DocumentOf<"Gateway">;

/** Every Gateway is implemented by a worker. */
export function* gatewayWorkers({ catalog, issue }: CheckedMesh): Generator<Issue> {
  for (const gateway of catalog.gateways.values()) {
    const { key, unusable } = workerOf(catalog, gateway);
    if (unusable === undefined) continue;
    const annotated = gateway.metadata.annotations?.[workerAnnotation] !== undefined;
    const [namespace = ""] = key.split("/");
    const messages = {
      InvalidKind: `${key} is no Service; name one in the annotation ${workerAnnotation}.`,
      RefNotPermitted: `A Gateway may be implemented by ${key} only if a ReferenceGrant in ${namespace} lets Gateways of ${gateway.metadata.namespace} refer to it; add one.`,
      BackendNotFound: annotated
        ? missing(`The Service ${key}`, key, catalog.services.keys())
        : `A Gateway is implemented by the Service ${key} unless the annotation ${workerAnnotation} names another; add the Service or the annotation.`,
      VirtualBackend: `${key} has no worker, so it cannot implement a Gateway; name another in the annotation ${workerAnnotation}.`,
    };
    yield issue(gateway, {
      path: annotated ? ["metadata", "annotations", workerAnnotation] : ["metadata", "name"],
      expected: "a Service with a worker that may implement it",
      found: `${key}: ${unusable}`,
      message: messages[unusable],
    });
  }
}

/** Of two listeners of one worker for the same port and hostname, one would never be asked. */
export function* listeners({ catalog, issue, place }: CheckedMesh): Generator<Issue> {
  const all = [...catalog.gateways.values()].flatMap((gateway) =>
    gateway.spec.listeners.map((listener, index) => ({
      gateway,
      listener,
      path: ["spec", "listeners", index] as Path,
    })),
  );
  const socket = ({ gateway, listener }: { gateway: Gateway; listener: GatewayListener }): string =>
    `${workerOf(catalog, gateway).key} ${listener.port} ${listener.hostname ?? "*"}`;
  yield* collisions(all, socket, (later, earlier) =>
    issue(later.gateway, {
      path: [...later.path, "port"],
      expected: "a port and hostname that no other listener of the worker has",
      found: `those of ${nameOf(earlier.gateway)} at ${place(earlier.gateway, earlier.path)}`,
      message: `The worker ${workerOf(catalog, later.gateway).key} has a listener for this port and hostname in ${keyOf(earlier.gateway)} already; change one, or annotate another worker.`,
    }),
  );
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
