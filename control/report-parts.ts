import { mayCall } from "@tulle/mesh-runtime/authorization/decide.ts";
import { parseSpiffeId } from "@tulle/mesh-runtime/identity/spiffe-id.ts";
import type { CircuitAnswer } from "@tulle/mesh-runtime/resilience/words.ts";
import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import type { EdgeDelta } from "@tulle/mesh-runtime/telemetry/words.ts";
import type { ReportRequest } from "@tulle/mesh-runtime/workload-contract.ts";
import type { MeshKnowledge } from "./freshness.ts";
import type { Host } from "./membership.ts";
import { serviceObject, traceObject } from "./objects.ts";
import type { ServiceReport } from "./services/service-object.ts";
import { forward } from "./traces/forward.ts";
import { byShard } from "./traces/shard.ts";
import { within } from "./within.ts";

/** How soon an isolate reports again when no circuit wants to hear of it sooner, milliseconds. */
export const defaultReportMs = 5_000;
/** How long a report waits for the objects that it is spread over, milliseconds; the answer leaves without the rest. */
const partsMs = 2_000;

/** What came of a report's parts. */
export interface PartsAnswer {
  readonly circuits: readonly CircuitAnswer[];
  readonly nextReportMs: number;
}

/**
 * Spreads a report over the objects that it concerns: what the isolate runs to its own service's object, each
 * circuit and each edge to the destination's, spans to the shards of their traces. Each part may fail alone.
 */
export async function spread(host: Host, mesh: MeshKnowledge, given: ReportRequest): Promise<PartsAnswer> {
  const request = attributed(given);
  const { env, freshness, waitUntil } = host;
  const lost = freshness.takeLost();
  const counters = lost === 0 ? request.counters : { ...request.counters, report_parts_lost: lost };
  const parts = [...partsOf(mesh, { ...request, counters })].map(([service, part]) =>
    settled(serviceObject(env, service).report(part)),
  );
  const spans = [...byShard(request.spans)].map(([shard, of]) => settled(traceObject(env, shard).ingest(of)));
  const endpoint = mesh.services.get(request.workload)?.otlpEndpoint;
  const sent = endpoint === undefined ? [] : [forwarded(endpoint, request)];
  waitUntil(Promise.all([...parts, ...spans, ...sent]));
  const answers = await Promise.all(parts.map((part) => within(part, partsMs)));
  freshness.lose(answers.filter((answer) => answer === undefined).length);
  const circuits = answers.flatMap((answer) => answer?.circuits ?? []);
  return {
    circuits,
    nextReportMs: Math.min(defaultReportMs, ...circuits.map(({ nextReportMs }) => nextReportMs)),
  };
}

/** Sends the spans on to the collector that policy names. What it does not take is lost, and the log says so. */
async function forwarded(endpoint: string, { spans, workload }: ReportRequest): Promise<void> {
  const { dropped, reason } = await forward({ fetch: (call) => fetch(call), endpoint }, spans);
  if (dropped > 0) console.warn(`control: ${dropped} spans of ${workload} were not forwarded: ${reason}`);
}

/**
 * The report with its own side named by what control knows, not by what it says: a workload that has been
 * taken over can tell lies about its own calls, and about nobody else's.
 */
export function attributed(request: ReportRequest): ReportRequest {
  const { workload } = request;
  return {
    ...request,
    edges: request.edges.map((edge) =>
      edge.perspective === "inbound" ? { ...edge, destination: workload } : { ...edge, source: workload },
    ),
    spans: request.spans.map((span) => ({ ...span, workload })),
  };
}

/** The parts of a report by the service whose object they go to. What names no service of the mesh stays with the reporter. */
export function partsOf(mesh: MeshKnowledge, request: ReportRequest): ReadonlyMap<ServiceKey, ServiceReport> {
  const { id, isolate, workload, epoch, nextRoot, counters } = request;
  const circuits = Map.groupBy(
    request.circuits.filter(({ circuit }) => maySpeakOf(circuit, mesh, workload)),
    ({ circuit }) => circuit,
  );
  const edges = Map.groupBy(request.edges, (edge) => keeperOf(edge, mesh, workload));
  const keepers = new Set([workload, ...circuits.keys(), ...edges.keys()]);
  return new Map(
    [...keepers].map((service): [ServiceKey, ServiceReport] => {
      const policy = mesh.services.get(service)?.circuit;
      return [
        service,
        {
          id,
          isolate,
          service,
          circuits: circuits.get(service) ?? [],
          edges: edges.get(service) ?? [],
          ...(policy === undefined ? {} : { policy }),
          ...(service === workload ? { ran: { epoch, nextRoot }, counters } : {}),
        },
      ];
    }),
  );
}

/**
 * Whether a workload may report on a circuit: only who may call a service can know how it does. Otherwise any
 * one worker that has been taken over could shut every service of the mesh.
 */
function maySpeakOf(circuit: ServiceKey, mesh: MeshKnowledge, workload: ServiceKey): boolean {
  const destination = mesh.services.get(circuit);
  const id = parseSpiffeId(mesh.services.get(workload)?.spiffeId ?? "");
  if (destination === undefined || !id.ok) return false;
  const [namespace = "", service = ""] = workload.split("/");
  const { rules, mode } = destination.access;
  return mayCall(rules, { id: id.value, namespace, service, evidence: "signature" }, mode);
}

/** Whose object keeps an edge: the callee's, for its own count and for others' attempts on it. */
function keeperOf(edge: EdgeDelta, mesh: MeshKnowledge, workload: ServiceKey): ServiceKey {
  if (edge.perspective === "inbound") return workload;
  const callee = edge.perspective === "attempt" ? edge.backend : edge.destination;
  return mesh.services.has(callee) ? callee : workload;
}

/** The value, or `undefined` where the work failed: whoever asked counts it. */
async function settled<Value>(work: Promise<Value>): Promise<Value | undefined> {
  try {
    return await work;
  } catch (error) {
    // An object that is being moved, reset or overloaded; `remote` errors carry no more than their message.
    console.warn(
      "control: an object did not take its part:",
      error instanceof Error ? error.message : "unknown reason",
    );
    return undefined;
  }
}
