import { randomUUID } from "node:crypto";
import { type Captured, captured, type Difference, differences, type Sent, told } from "./compare.ts";
import { Failure, UnknownStep } from "./failure.ts";
import type { Step } from "./format.ts";
import type { Order } from "./order.ts";
import type { Running } from "./running.ts";
import { podsOf } from "./services.ts";
import { podWorker } from "./workers.ts";

/** Sends the request of a step once. @throws Failure when it is not answered as it must be */
export async function once(run: Running, step: Step): Promise<Captured> {
  const asked = withFreshUuid(step);
  const { found, sent } = await send(run, asked);
  const different: readonly Difference[] = [...differences(found, asked, sent)];
  if (different.length > 0) throw new Failure(different.map(told).join("; "));
  return found;
}

/** Upstream's retry tests need a value of their own for each probe. */
function withFreshUuid(step: Step): Step {
  if (!JSON.stringify(step).includes("{uuid}")) return step;
  return JSON.parse(JSON.stringify(step).replaceAll("{uuid}", randomUUID())) as Step;
}

/** What came of a request, and what it was. */
export interface Exchange {
  readonly found: Captured;
  readonly sent: Sent;
}

/** Sends the request of a step: from outside through a Gateway, or as a workload of the mesh. */
export async function send(run: Running, step: Step): Promise<Exchange> {
  const { order, headers } = await wayOf(run, step);
  const { method = "GET", body, path = "/" } = step.request ?? {};
  const sent: Sent = { method, url: order.url, target: path };
  run.requests++;
  try {
    const answer = await run.mesh.wire.send(order, {
      method,
      headers: { ...askedOfBackend(step), ...headers },
      ...(body === undefined ? {} : { body }),
    });
    return { found: captured(answer, sent), sent };
  } catch (error) {
    throw new Failure(`no answer: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * The header by which upstream has the echo server answer with headers, for those that the step says the backend
 * sets: a member of it called `backendSetResponseHeaders`, or much the same.
 */
function askedOfBackend({ request, expect, ...step }: Step): Readonly<Record<string, string>> {
  const members = [step, request ?? {}, expect ?? {}].flatMap((part) => Object.entries(part));
  const pairs = members.flatMap(([member, headers]) =>
    /^(?:backend|echo)Sets?|^backendResponseHeaders$/.test(member) && typeof headers === "object"
      ? Object.entries(headers ?? {}).map(([name, value]) => `${name}:${value}`)
      : [],
  );
  return pairs.length === 0 ? {} : { "X-Echo-Set-Header": pairs.join(",") };
}

/** Where a request goes, as an order to the edge, and its headers. */
export interface Way {
  readonly order: Order;
  readonly headers: Readonly<Record<string, string>>;
}

/** Finds the worker and the address that a step speaks of. @throws Failure for one that the file does not have */
export async function wayOf(run: Running, step: Step): Promise<Way> {
  const { host: given, path = "/", headers: all = {}, protocol = "" } = step.request ?? {};
  if (/h2c/i.test(protocol)) throw new UnknownStep("a worker does not speak h2c");
  // A test that sets the Host header means the host that the server sees, whatever was dialled.
  const { host, headers } = withoutHost(all, given);
  const { via, from, target = {} } = step;
  if (via !== undefined) {
    const { gateway, scheme = "http", port = scheme === "https" ? 443 : 80 } = via;
    const url = new URL(`${webScheme(scheme)}://${host || own(run, gateway)}${path}`);
    // A worker knows the port from the host alone, so one that a step leaves out of it stands there.
    if (!/:\d+$/.test(host)) url.port = String(port);
    return { order: { to: run.mesh.gatewayWorker(gateway), door: "worker", url: url.href }, headers };
  }
  if (from === undefined) throw new UnknownStep("the step says neither via which Gateway nor from which app");
  const { namespace = from.namespace ?? "default", service, port = 80 } = target;
  const caller = run.mesh.deployment(from.namespace ?? namespace, from.app);
  const destination = service ?? podsOf(run.mesh.deployment(namespace, podIn(step)));
  const url = new URL(`http://${hostIn(host) || destination}${path}`);
  // The port is that of the Service that is called; what the Host header says beside it changes nothing.
  url.port = String(port);
  return {
    order: { to: podWorker(caller), door: "runner", url: url.href },
    headers: { ...headers, "x-conformance-service": `${namespace}/${destination}` },
  };
}

/** The Deployment whose pod a step calls directly: as it says, or the one that is to answer. */
function podIn({ target = {}, expect = {} }: Step): string {
  const pod = target.pod ?? target.app ?? target.deployment ?? expect.backend;
  if (typeof pod !== "string") throw new UnknownStep("the step does not say to which Service");
  return pod;
}

/** Upstream fills in the address of a pod when it runs; what a file has in its place is no host. */
const hostIn = (host: string): string => (/[{}<>$\s]/.test(host) ? "" : host);

function withoutHost(headers: Readonly<Record<string, string>>, given = "") {
  const entries = Object.entries(headers);
  const host = entries.find(([name]) => name.toLowerCase() === "host")?.[1] ?? given;
  return { host, headers: Object.fromEntries(entries.filter(([name]) => name.toLowerCase() !== "host")) };
}

const webScheme = (scheme: string): string => (/^(?:https|wss)$/i.test(scheme) ? "https" : "http");

/** The address of a Gateway: one of RFC 5737 for each, as no name would be anybody's. */
function own(run: Running, gateway: string): string {
  const index = run.mesh.world.gateways.findIndex(
    ({ namespace, name }) => `${namespace}/${name}` === gateway,
  );
  return `192.0.2.${(index % 250) + 1}`;
}

/** The workers that decide about the requests of these steps: they must run the newest policy before one is sent. */
export function decidingWorkers(run: Running): ReadonlySet<string> {
  const workers = new Set<string>();
  for (const { via, from, target } of run.test.steps) {
    if (via !== undefined) workers.add(run.mesh.gatewayWorker(via.gateway));
    if (from !== undefined)
      workers.add(podWorker(run.mesh.deployment(from.namespace ?? target?.namespace ?? "default", from.app)));
  }
  return workers;
}
