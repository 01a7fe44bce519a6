import type { Ages } from "@tulle/mesh-runtime/policy/age.ts";
import { effectiveRules, routesOf } from "@tulle/mesh-runtime/policy/effective-rules.ts";
import { didYouMean } from "@tulle/mesh-runtime/policy/nearest.ts";
import { ownBackend } from "@tulle/mesh-runtime/policy/port-table.ts";
import type { Rule } from "@tulle/mesh-runtime/routing/words.ts";
import { type Traffic, trafficOf } from "@tulle/mesh-runtime/telemetry/edge-signals.ts";
import { latencyBoundsMs } from "@tulle/mesh-runtime/telemetry/histogram.ts";
import { maxName } from "@tulle/mesh-runtime/telemetry/instruments.ts";
import type { EdgeDelta } from "@tulle/mesh-runtime/telemetry/words.ts";
import type { Env } from "../env.ts";
import { policyStore, serviceObject } from "../objects.ts";
import type { DestinationView, ListenerView } from "../policy-store/shelf.ts";
import { parseService } from "../service-key.ts";
import type { RoutesAnswer, RoutesView } from "./contract.ts";
import { gatewayNamed, noSuchGateway } from "./gateway-name.ts";
import { type Handlers, wholeInQuery } from "./handler.ts";
import { malformed, missing } from "./problems.ts";
import { windowOf } from "./services.ts";

/** Matches that one view shows at most. */
const mostRules = 1_000;

/** The rules in force at a service or a gateway, in order of precedence, with their traffic. */
export const routes: Handlers<"GET /api/routes"> = {
  "GET /api/routes": async (context) => {
    const asked = wholeInQuery(context, "windowMs");
    if (asked instanceof Response) return asked;
    const windowMs = windowOf(asked);
    const { service, gateway, namespace } = context.req.query();
    if ((service === undefined) === (gateway === undefined))
      return malformed("Name one service, or one gateway, in the query.");
    const answer =
      gateway === undefined
        ? await ofService(context.env, service ?? "", namespace, windowMs)
        : await ofGateway(context.env, gateway, windowMs);
    return answer instanceof Response ? answer : context.json(answer);
  },
};

async function ofService(
  env: Env,
  named: string,
  namespace: string | undefined,
  windowMs: number,
): Promise<RoutesAnswer | Response> {
  const { services = [] } = await policyStore(env).view(-1);
  const service = parseService(named);
  const keys = services.map((each) => each.service);
  if (service === undefined || !keys.includes(service)) {
    const names = keys.flatMap((key) =>
      key.startsWith("default/") ? [key.slice("default/".length), key] : [key],
    );
    return missing(`There is no service ${named}${didYouMean(named, names) || "."}`);
  }
  const all = await policyStore(env).destinations(service);
  const views = namespace === undefined ? all : all.filter((view) => view.namespace === namespace);
  if (namespace !== undefined && views.length === 0) {
    const known = all.map((view) => view.namespace);
    return missing(`No workload is in the namespace ${namespace}${didYouMean(namespace, known) || "."}`);
  }
  const edges = from(
    views.map((view) => view.namespace),
    await edgesOf(env, service, windowMs, (destination) => destination === service),
  );
  return {
    of: service,
    kind: "Service",
    windowMs,
    views: serviceViews(service, views, edges, { windowMs, ages: await policyStore(env).ages("HTTPRoute") }),
    ...unrouted(edges, windowMs),
  };
}

/** How far back traffic is counted, and how old routes are. */
interface Looked {
  readonly windowMs: number;
  readonly ages: Ages;
}

/** One view for all who fall under the owner's routes, one for each namespace that has its own; each by port. */
function serviceViews(
  service: string,
  callers: readonly DestinationView[],
  edges: readonly EdgeDelta[],
  looked: Looked,
): readonly RoutesView[] {
  const own = ({ destination: { rules, portRules } }: DestinationView) =>
    routesOf(service, rules ?? Object.values(portRules ?? {})[0]);
  const consumers = callers.filter((view) => own(view) === "consumer");
  const others = callers.filter((view) => !consumers.includes(view));
  return [others, ...consumers.map((view) => [view])].flatMap((group): RoutesView[] => {
    const [first] = group;
    if (first === undefined) return [];
    const namespaces = group.map(({ namespace }) => namespace);
    const theirs = from(namespaces, edges);
    return atPorts(first).map(({ port, rules }) => ({
      routes: own(first),
      namespaces,
      ...(port === undefined ? {} : { port }),
      ...withTraffic(rules, theirs, looked),
    }));
  });
}

const from = (namespaces: readonly string[], edges: readonly EdgeDelta[]): readonly EdgeDelta[] =>
  edges.filter(({ source }) => namespaces.includes(source.slice(0, source.indexOf("/"))));

function atPorts({ destination: { key, rules, portRules } }: DestinationView): readonly {
  readonly port?: number;
  readonly rules: readonly Rule[];
}[] {
  const named = Object.entries(portRules ?? {}).map(([port, its]) => ({ port: Number(port), rules: its }));
  return [...named, { rules: rules ?? [ownBackend(key)] }];
}

async function ofGateway(env: Env, named: string, windowMs: number): Promise<RoutesAnswer | Response> {
  const all = await policyStore(env).listeners();
  const found = gatewayNamed(named, all);
  if (found === undefined) return noSuchGateway(named, all);
  const { gateway, listener } = found;
  const start = listener === undefined ? `${gateway}/` : `${gateway}/${listener}/`;
  const its = all.filter((each) => `${each.listener.name}/`.startsWith(start));
  const names = new Set(its.map((each) => each.listener.name));
  const workers = [...new Set(its.map(({ worker }) => worker))];
  const seen = await Promise.all(
    workers.map((worker) => edgesOf(env, worker, windowMs, (destination) => names.has(destination))),
  );
  const edges = seen.flat();
  const ages = await policyStore(env).ages("HTTPRoute");
  return {
    of: gateway,
    kind: "Gateway",
    windowMs,
    views: its.flatMap((each) => listenerViews(each, edges, { windowMs, ages })),
    ...unrouted(edges, windowMs),
  };
}

function listenerViews(
  { listener: { name, hosts } }: ListenerView,
  edges: readonly EdgeDelta[],
  looked: Looked,
): readonly RoutesView[] {
  const here = edges.filter(({ destination }) => destination === name);
  const entries = hosts.length === 0 ? [{ rules: [] }] : hosts;
  return entries.map(({ rules, ...bound }) => ({
    routes: "listener",
    namespaces: [],
    listener: name,
    ...bound,
    ...withTraffic(rules, here, looked),
  }));
}

/** What callers counted of requests to some destinations; empty where the object that keeps it does not answer. */
async function edgesOf(
  env: Env,
  keeper: string,
  windowMs: number,
  wanted: (destination: string) => boolean,
): Promise<readonly EdgeDelta[]> {
  try {
    const { edges } = await serviceObject(env, keeper).recent(windowMs);
    return edges.filter((edge) => edge.perspective === "effective" && wanted(edge.destination));
  } catch {
    // An object that is being moved or is overloaded must not cost the operator the rules.
    return [];
  }
}

function withTraffic(
  rules: readonly Rule[],
  edges: readonly EdgeDelta[],
  { windowMs, ages }: Looked,
): Pick<RoutesView, "rules" | "omitted"> {
  const byRule = new Map(
    rules.map(({ name }) => [name, trafficAt(name.slice(0, maxName), edges, windowMs)] as const),
  );
  const all = effectiveRules(rules, ages);
  return {
    rules: all.slice(0, mostRules).map((one) => {
      const traffic = byRule.get(one.rule);
      return { ...one, ...(traffic === undefined ? {} : { traffic }) };
    }),
    omitted: Math.max(0, all.length - mostRules),
  };
}

const trafficAt = (route: string, edges: readonly EdgeDelta[], windowMs: number): Traffic | undefined =>
  trafficOf(
    edges.filter((edge) => edge.route === route),
    windowMs,
    latencyBoundsMs,
  );

/** What no rule took. */
function unrouted(edges: readonly EdgeDelta[], windowMs: number): Pick<RoutesAnswer, "unrouted"> {
  const traffic = trafficAt("", edges, windowMs);
  return traffic === undefined ? {} : { unrouted: traffic };
}
