import { WorkerEntrypoint } from "cloudflare:workers";
import { call } from "@tulle/mesh-runtime/adapters/fetch/calls.ts";
import { mesh } from "@tulle/mesh-runtime/cloudflare";
import { meshOf } from "@tulle/mesh-runtime/cloudflare/isolate";
import type { Pod } from "../echo-words.ts";
import { type Attempts, answerOf } from "./echo-server.ts";
import { report } from "./report.ts";

interface EchoEnv {
  readonly POD: Pod;
}

/** Requests that were echoed, for `seen`; the oldest go. Plain data. */
const log: string[] = [];
const mostLogged = 20_000;

/** How often each simulated failure has happened, by its `uuid`. */
const attempts: Attempts = new Map();

const app = mesh<EchoEnv>({
  fetch: (request, env) =>
    answerOf(request, { pod: env.POD, attempts, wait: (ms) => scheduler.wait(ms), log: remember }),
});

/** The backend of a conformance run: answers what it was asked. */
export default app;

function remember(target: string): void {
  if (log.length >= mostLogged) log.splice(0, mostLogged / 2);
  log.push(target);
}

/** What the runner asks of a backend, past the mesh. */
export class ConformanceDoor extends WorkerEntrypoint<EchoEnv> {
  /** Sends a request as this workload, through its outbound journey, to the Service that the header names. */
  override fetch(request: Request): Promise<Response> {
    const headers = new Headers(request.headers);
    const service = headers.get("x-conformance-service") ?? "";
    headers.delete("x-conformance-service");
    return this.#send(service, new Request(request, { headers, redirect: "manual" }));
  }

  async #send(service: string, request: Request): Promise<Response> {
    const own = meshOf(this.env);
    const loaded = await own.ready();
    if (loaded instanceof Response) return loaded;
    if (loaded.destination(service) === undefined)
      return new Response(`No service of the mesh is called ${service}`, { status: 599 });
    return call(own, { destination: (policy) => policy.destination(service) }, request);
  }

  /** Joins if need be, reports what is due, and tells the epoch in force. */
  report(): Promise<number> {
    return report(this.env);
  }

  /** How many requests for this path and query were echoed since the run began. */
  seen(target: string): number {
    return log.filter((one) => one === target).length;
  }
}
