import { WorkerEntrypoint } from "cloudflare:workers";
import { meshOf, presentMesh } from "../../adapters/cloudflare/isolate.ts";
import { call } from "../../adapters/fetch/calls.ts";
import { type Fault, hits, setFault } from "./fault.ts";

/** How often and how soon it is asked whether a report that is under way is through. */
const mostRounds = 1_000;
const roundMs = 5;

const realNow = Date.now;
let stoppedAt: number | undefined;
let offsetMs = 0;
const movedNow = (): number => (stoppedAt ?? realNow()) + offsetMs;

/** What a test can do inside of a running worker. Exported by every worker of a test mesh, never by a deployed one. */
export class TulleDriver extends WorkerEntrypoint<object> {
  /** Sends a request as this workload: through its outbound journey. */
  override async fetch(request: Request): Promise<Response> {
    const mesh = meshOf(this.env);
    const loaded = await mesh.ready();
    if (loaded instanceof Response) return loaded;
    const host = new URL(request.url).hostname;
    if (loaded.destinationByHost(host) === undefined) {
      return new Response(`No service of the mesh is called ${host}`, { status: 404 });
    }
    return call(mesh, { destination: (policy) => policy.destinationByHost(host) }, request);
  }

  /** Moves this isolate's clock on. */
  advance(ms: number): void {
    offsetMs += ms;
    Date.now = movedNow;
  }

  /** Stops this isolate's clock: only `advance` moves it on. */
  stopClock(at: number): void {
    stoppedAt = at;
    Date.now = movedNow;
  }

  /** Joins if need be, reports what is due, and tells the epoch in force; 0 where there is no mesh. */
  async report(join: boolean): Promise<number> {
    const mesh = join ? meshOf(this.env) : presentMesh();
    if (mesh === undefined) return 0;
    if (join) {
      const loaded = await mesh.ready();
      if (loaded instanceof Response) throw new Error(await loaded.text());
    }
    // One that is under way left before this was asked for; what is due now goes with the next.
    for (let round = 0; round < mostRounds && !(await mesh.report()); round++) await scheduler.wait(roundMs);
    return mesh.loaded()?.epoch ?? 0;
  }

  /** Breaks this worker, or mends it. */
  setFault(fault: Fault | null): void {
    setFault(fault ?? undefined);
  }

  /** How many requests the worker's fault has hit. */
  hits(): number {
    return hits();
  }
}
