import { attached, listenersOf } from "./attachment.ts";
import {
  impliedBy,
  mustHave,
  parentsTo,
  routeMustHave,
  statusOf,
  type Wanted,
  wantedBy,
} from "./conditions.ts";
import { Failure, UnknownStep } from "./failure.ts";
import type { Manifest, Step } from "./format.ts";
import { keyOf } from "./manifests.ts";
import type { Running } from "./running.ts";
import type { Condition } from "./status.ts";

type Assertion = (run: Running, step: Step) => Promise<void>;

/** Each route of the step has this condition at its Gateway. */
const everyRoute =
  (wanted: Wanted): Assertion =>
  async (run, step) => {
    for (const route of some(run, step))
      await routeMustHave(run, route, run.parentsOf(step, route), () => wanted);
  };

const accepted: Wanted = { type: "Accepted", status: "True" };
const resolved: Wanted = { type: "ResolvedRefs", status: "True" };
const programmed: Wanted = { type: "Programmed", status: "True" };

/** The assertion helpers of the upstream suite for HTTPRoutes, Gateways and the mesh, by their names there. */
const assertions: Readonly<Record<string, Assertion>> = {
  GatewayAndHTTPRoutesMustBeAccepted: routesAccepted,
  GatewayAndRoutesMustBeAccepted: routesAccepted,
  RoutesAndParentMustBeAccepted: routesAccepted,
  HTTPRouteMustHaveResolvedRefsConditionsTrue: everyRoute(resolved),
  HTTPRouteMustHaveRouteAcceptedConditionsTrue: everyRoute(accepted),
  HTTPRouteMustHaveResolvedRefsMustHaveBackendsNotFound: everyRoute({
    type: "ResolvedRefs",
    status: "False",
    reason: "BackendNotFound",
  }),
  async HTTPRouteMustBeAcceptedAndResolved(run, step) {
    await everyRoute(accepted)(run, step);
    await everyRoute(resolved)(run, step);
  },
  async HTTPRouteMustHaveCondition(run, step) {
    const wanted = wantedBy(step);
    if (wanted === undefined) await impliedEverywhere(run, step);
    else
      await someOf(some(run, step), (route) =>
        routeMustHave(run, route, run.parentsOf(step, route), () => wanted),
      );
  },
  HTTPRouteMustHaveParents: impliedEverywhere,
  async HTTPRouteMustHaveNoAcceptedParents(run, step) {
    for (const route of some(run, step)) {
      const { parents = [] } = await statusOf(run, "HTTPRoute", keyOf(route));
      if (parents.length > 1)
        throw new Failure(`HTTPRoute ${keyOf(route)}: expected one parent at most, found ${parents.length}`);
      for (const { conditions } of parents)
        mustHave(`HTTPRoute ${keyOf(route)}`, conditions, { type: "Accepted", status: "False" });
    }
  },
  async HTTPRouteMustHaveLatestConditions(run, step) {
    for (const route of some(run, step)) {
      const { parents = [] } = await statusOf(run, "HTTPRoute", keyOf(route));
      await mustBeLatest(
        run,
        "HTTPRoute",
        route,
        parents.flatMap(({ conditions }) => conditions),
      );
    }
  },
  async GatewayMustHaveLatestConditions(run, step) {
    for (const gateway of gatewaysOf(run, step)) {
      const { conditions = [] } = await statusOf(run, "Gateway", keyOf(gateway));
      await mustBeLatest(run, "Gateway", gateway, conditions);
    }
  },
  async GatewayMustHaveZeroRoutes(run, step) {
    for (const gateway of gatewaysOf(run, step)) {
      const { listeners = [] } = await statusOf(run, "Gateway", keyOf(gateway));
      const routes = listeners.map(({ attachedRoutes }) => attachedRoutes);
      if (routes.length > 1 || routes.some((count) => count > 0))
        throw new Failure(
          `Gateway ${keyOf(gateway)}: expected one listener with 0 attached routes, or none; found ${routes.join(", ")}`,
        );
    }
  },
  async GatewayMustHaveCondition(run, step) {
    for (const gateway of gatewaysOf(run, step)) {
      const { conditions = [] } = await statusOf(run, "Gateway", keyOf(gateway));
      mustHave(`Gateway ${keyOf(gateway)}`, conditions, wantedBy(step) ?? accepted);
    }
  },
  GatewayListenerMustHaveConditions: listenerConditions,
  GatewayListenersMustHaveConditions: listenerConditions,
  ResourceListenersMustHaveConditions: listenerConditions,
  GatewayStatusMustHaveListeners: listenersWithRoutes,
  async WaitForGatewayAddress(run, step) {
    for (const gateway of gatewaysOf(run, step)) run.mesh.gatewayWorker(keyOf(gateway));
  },
  NamespacesMustBeReady: gatewaysReady,
  async MeshNamespacesMustBeReady() {
    // Every worker of the run has answered by the time that a case begins.
  },
};

/**
 * Runs an assertion of the upstream suite.
 * @throws Failure when it does not hold
 * @throws UnknownStep when nobody knows what it asserts
 */
export async function assert(run: Running, step: Step): Promise<void> {
  const assertion = assertions[step.call ?? ""];
  if (assertion === undefined)
    throw new UnknownStep(`the runner does not know the assertion ${step.call ?? "(none)"}`);
  await assertion(run, step);
}

/** The routes that an assertion speaks of, of which there must be one. */
function some(run: Running, step: Step): readonly Manifest[] {
  const routes = run.routesOf(step);
  if (routes.length === 0) throw new Failure("the case has no HTTPRoute");
  return routes;
}

/** The Gateways that an assertion speaks of, of which there must be one. */
function gatewaysOf(run: Running, step: Step): readonly Manifest[] {
  const gateways = run.gatewaysOf(step);
  if (gateways.length === 0) throw new Failure("the case has no Gateway");
  return gateways;
}

/** Every route has come to what its attachment says. */
async function impliedEverywhere(run: Running, step: Step): Promise<void> {
  const routes = (step.routes ?? []).length > 0 ? run.routesOf(step) : run.own("HTTPRoute");
  for (const route of routes)
    await routeMustHave(run, route, run.parentsOf(step, route), (gateway) => impliedBy(run, route, gateway));
}

/** Upstream means one of them, and a file may not say which: where there are several, some one it is. */
async function someOf<Thing>(
  things: readonly Thing[],
  check: (thing: Thing) => Promise<void>,
): Promise<void> {
  const failures: Failure[] = [];
  for (const thing of things) {
    try {
      await check(thing);
      return;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(error);
    }
  }
  const [first] = failures;
  if (first !== undefined) throw first;
}

/** Every route is accepted by its parent, and the parent's listeners are in order. */
export async function routesAccepted(run: Running, step: Step): Promise<void> {
  run.accepted(step);
  const { gateway, service } = step.parent ?? {};
  if (service !== undefined) {
    for (const key of step.routes ?? []) await acceptedByService(run, key, service);
    return;
  }
  const gateways = gateway === undefined ? gatewaysOf(run, step) : [run.document("Gateway", gateway)];
  for (const key of step.routes ?? []) {
    const route = run.document("HTTPRoute", key);
    await routeMustHave(run, route, gateways, () => ({ ...accepted, reason: "Accepted" }));
  }
  for (const one of gateways) await listenersInOrder(run, one, step.parent?.listeners ?? []);
}

async function acceptedByService(run: Running, key: string, service: string): Promise<void> {
  const route = run.document("HTTPRoute", key);
  const parents = parentsTo(await statusOf(run, "HTTPRoute", key), route, service, "Service");
  if (parents.length === 0)
    throw new Failure(`HTTPRoute ${key} at ${service}: expected Accepted True, found no parent`);
  for (const { conditions } of parents) mustHave(`HTTPRoute ${key} at ${service}`, conditions, accepted);
}

async function listenersInOrder(run: Running, gateway: Manifest, names: readonly string[]): Promise<void> {
  const { listeners = [] } = await statusOf(run, "Gateway", keyOf(gateway));
  for (const { name, conditions } of listeners) {
    if (names.length > 0 && !names.includes(name)) continue;
    for (const wanted of [resolved, accepted, programmed])
      mustHave(`Gateway ${keyOf(gateway)}, listener ${name}`, conditions, wanted);
  }
}

async function gatewaysReady(run: Running): Promise<void> {
  for (const gateway of run.own("Gateway")) {
    const { conditions = [] } = await statusOf(run, "Gateway", keyOf(gateway));
    for (const wanted of [accepted, programmed]) mustHave(`Gateway ${keyOf(gateway)}`, conditions, wanted);
  }
}

async function listenerConditions(run: Running, step: Step): Promise<void> {
  const wanted = wantedBy(step);
  const names = (step.listeners ?? []) as readonly string[];
  for (const gateway of gatewaysOf(run, step)) {
    if (wanted === undefined) {
      await listenersInOrder(run, gateway, names);
      continue;
    }
    const { listeners = [] } = await statusOf(run, "Gateway", keyOf(gateway));
    const concerned = listeners.filter(({ name }) => names.length === 0 || names.includes(name));
    if (concerned.length === 0)
      throw new Failure(`Gateway ${keyOf(gateway)}: expected listeners, found none`);
    for (const { name, conditions } of concerned)
      mustHave(`Gateway ${keyOf(gateway)}, listener ${name}`, conditions, wanted);
  }
}

/** Every listener is there, with as many routes as it takes; one says of itself what the heading says, if it does. */
async function listenersWithRoutes(run: Running, step: Step): Promise<void> {
  const wanted = wantedBy(step);
  const said: (() => void)[] = [];
  for (const gateway of gatewaysOf(run, step)) {
    const { listeners = [] } = await statusOf(run, "Gateway", keyOf(gateway));
    for (const listener of listenersOf(gateway)) {
      const where = `Gateway ${keyOf(gateway)}, listener ${listener.name}`;
      const found = listeners.find(({ name }) => name === listener.name);
      if (found === undefined) throw new Failure(`${where}: expected a status, found none`);
      const routes = attached(run.all("HTTPRoute"), gateway, listener, run.all("Namespace")).length;
      if (found.attachedRoutes !== routes)
        throw new Failure(`${where}: expected ${routes} attached routes, found ${found.attachedRoutes}`);
      if (wanted !== undefined) said.push(() => mustHave(where, found.conditions, wanted));
    }
  }
  await someOf(said, async (say) => say());
}

/** Conditions speak of the document as it is now. */
async function mustBeLatest(
  run: Running,
  kind: string,
  manifest: Manifest,
  conditions: readonly Condition[],
): Promise<void> {
  const key = keyOf(manifest);
  const document = await run.mesh.control.document(kind, key);
  const generation = document?.generation ?? document?.revision;
  if (conditions.length === 0) throw new Failure(`${kind} ${key}: expected conditions, found none`);
  for (const { type, observedGeneration } of conditions)
    if (observedGeneration !== generation)
      throw new Failure(
        `${kind} ${key}: expected ${type} of generation ${generation}, found ${observedGeneration}`,
      );
}
