import { precedenceWords } from "../age.ts";
import type { Catalog } from "../catalog.ts";
import { type DocumentOf, keyOf, nameOf } from "../documents.ts";
import type { ListenerConflict } from "../listener-conflicts.ts";
import {
  type GatewayListener,
  notAttached,
  parentKey,
  servableKinds,
  unservableKinds,
  workerOf,
} from "../references.ts";
import type { RefusedListener } from "../refused/words.ts";
import { conditionsOf, fails, holds } from "./condition.ts";
import type { GatewayStatus, ListenerStatus, Observed, Verdict } from "./words.ts";

type Gateway = DocumentOf<"Gateway">;

/** What is known of the mesh when Gateways are judged, made once for all of them. */
export interface Surroundings {
  readonly catalog: Catalog;
  readonly conflicts: ReadonlyMap<GatewayListener, ListenerConflict>;
  /** The routes that name a Gateway, by `namespace/name` of it. */
  readonly routesAt: (gateway: string) => readonly DocumentOf<"HTTPRoute">[];
}

/** What a Gateway has come to (Gateway API `GatewayStatus`). */
export function gatewayStatus(mesh: Surroundings, gateway: Gateway, observed: Observed): GatewayStatus {
  const worker = workerVerdict(mesh.catalog, gateway);
  const refused = mesh.catalog.refused.get(nameOf(gateway));
  const invalid = refused?.gateway?.listeners ?? [];
  const listeners = gateway.spec.listeners.filter(
    ({ name }) => !invalid.some((one) => one.isKept && one.name === name),
  );
  const served = listeners.map(
    (listener): ListenerStatus => ({
      name: listener.name,
      supportedKinds: servableKinds(listener),
      attachedRoutes: attachedRoutes(mesh, gateway, listener),
      conditions: conditionsOf(listenerVerdicts(mesh, gateway, listener, worker), observed),
    }),
  );
  const whole = refused?.gateway?.whole;
  const verdicts =
    whole === undefined
      ? [accepted(mesh, listeners, invalid), programmed(mesh, listeners, worker)]
      : invalidGateway(`${whole} ${refused?.meanwhile ?? ""}`);
  return {
    conditions: conditionsOf(verdicts, observed),
    listeners: inPlace(
      served,
      invalid.map((one) => ({ index: one.index, status: invalidListener(one, observed) })),
    ),
  };
}

/** The listeners that are refused, where they stand among the others. */
function inPlace(
  served: readonly ListenerStatus[],
  invalid: readonly { readonly index: number; readonly status: ListenerStatus }[],
): readonly ListenerStatus[] {
  const all = [...served];
  for (const { index, status } of invalid) all.splice(index, 0, status);
  return all;
}

const invalidGateway = (message: string): readonly Verdict[] => [
  fails("Accepted", "Invalid", message),
  fails("Programmed", "Invalid", message),
];

/** A listener that was in force before and is refused by this version. */
const invalidListener = (
  { name, reason, message, isKept }: RefusedListener,
  observed: Observed,
): ListenerStatus => ({
  name,
  supportedKinds: [],
  attachedRoutes: 0,
  conditions: conditionsOf(
    [
      fails(
        "Accepted",
        reason,
        isKept
          ? `${message} It keeps its host and port and takes no route.`
          : `${message} Nothing listens there.`,
      ),
      fails("Programmed", "Invalid", message),
      holds("ResolvedRefs"),
      { type: "Conflicted", status: "False", reason: "NoConflicts", message: "" },
    ],
    observed,
  ),
});

/** Whether a listener is one that a worker can serve routes at. */
const works = ({ conflicts }: Surroundings, listener: GatewayListener): boolean =>
  !conflicts.has(listener) && servableKinds(listener).length > 0;

/** A Gateway is accepted as long as one of its listeners works. */
function accepted(
  mesh: Surroundings,
  listeners: readonly GatewayListener[],
  invalid: readonly RefusedListener[],
): Verdict {
  const inOrder =
    invalid.length === 0 &&
    listeners.every((listener) => works(mesh, listener) && unservableKinds(listener).length === 0);
  if (inOrder) return holds("Accepted");
  return listeners.some((listener) => works(mesh, listener))
    ? holds("Accepted", "ListenersNotValid", "Some listeners are not in order; their own conditions say why.")
    : fails("Accepted", "ListenersNotValid", "No listener is in order; their own conditions say why.");
}

function programmed(mesh: Surroundings, listeners: readonly GatewayListener[], worker: Verdict): Verdict {
  if (worker.status === "False" || listeners.some((listener) => works(mesh, listener))) return worker;
  return fails("Programmed", "Invalid", "No listener can be listened at; their own conditions say why.");
}

/** Whether there is a worker that implements the Gateway. */
function workerVerdict(catalog: Catalog, gateway: Gateway): Verdict {
  const { key, unusable } = workerOf(catalog, gateway);
  if (unusable === undefined) return holds("Programmed", "Programmed", `The worker of ${key} implements it.`);
  switch (unusable) {
    case "RefNotPermitted":
      return fails(
        "Programmed",
        "Invalid",
        `No ReferenceGrant lets Gateways of ${gateway.metadata.namespace} refer to ${key}; add one.`,
      );
    case "BackendNotFound":
      return fails(
        "Programmed",
        "NoResources",
        `The Service ${key}, whose worker would implement it, does not exist; add it.`,
      );
    case "VirtualBackend":
      return fails("Programmed", "NoResources", `The Service ${key} has no worker; name another.`);
  }
}

function listenerVerdicts(
  { catalog, conflicts }: Surroundings,
  gateway: Gateway,
  listener: GatewayListener,
  worker: Verdict,
): readonly Verdict[] {
  const conflict = conflicts.get(listener);
  return [
    holds("Accepted"),
    listenerProgrammed(listener, conflict, worker),
    resolvedRefs(listener),
    conflict === undefined
      ? { type: "Conflicted", status: "False", reason: "NoConflicts", message: "" }
      : holds("Conflicted", conflict.reason, conflictMessage(catalog, gateway, listener, conflict)),
  ];
}

function listenerProgrammed(
  listener: GatewayListener,
  conflict: ListenerConflict | undefined,
  worker: Verdict,
): Verdict {
  if (conflict !== undefined) return fails("Programmed", "Invalid", "It conflicts with another listener.");
  if (servableKinds(listener).length === 0)
    return fails("Programmed", "Invalid", "It takes no routes of a kind that can be served here.");
  return worker.status === "True" ? holds("Programmed") : fails("Programmed", "Pending", worker.message);
}

const conflictMessage = (
  { ages }: Catalog,
  gateway: Gateway,
  { port, hostname = "every host" }: GatewayListener,
  { reason, winner }: ListenerConflict,
): string => {
  const why = winner.gateway === gateway ? "" : `, which ${precedenceWords(ages, winner.gateway, gateway)}`;
  const other = `${nameOf(winner.gateway)}, listener ${winner.listener.name}${why}`;
  return reason === "ProtocolConflict"
    ? `Port ${port} speaks ${winner.listener.protocol} already (${other}); use another port or the same protocol.`
    : `Port ${port} and ${hostname} belong to ${other} already; change one of the two, or have another worker implement the Gateway.`;
};

function resolvedRefs(listener: GatewayListener): Verdict {
  const strange = unservableKinds(listener);
  if (strange.length === 0) return holds("ResolvedRefs");
  const names = strange.map(({ group, kind }) => (group === "" ? kind : `${kind}.${group}`)).join(", ");
  return fails("ResolvedRefs", "InvalidRouteKinds", `${names} cannot be served here; only HTTPRoute can.`);
}

/** Routes that are accepted at a listener; whether the listener itself works does not matter (Gateway API). */
const attachedRoutes = (
  { catalog, routesAt }: Surroundings,
  gateway: Gateway,
  listener: GatewayListener,
): number =>
  routesAt(keyOf(gateway)).filter((route) =>
    route.spec.parentRefs.some(
      (ref) =>
        ref.kind === "Gateway" &&
        parentKey(route, ref) === keyOf(gateway) &&
        notAttached(catalog, gateway, listener, route, ref) === undefined,
    ),
  ).length;
