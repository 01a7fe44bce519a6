import { WorkerEntrypoint } from "cloudflare:workers";
import { caller, mesh } from "@tulle/mesh-runtime/cloudflare";

/** What an operator of the demo can make this version do. Kept in the isolate's memory, and forgotten with it. */
export interface Setting {
  /** Share of charges that fail, in [0, 1]. */
  readonly fail: number;
  /** How long each charge takes, milliseconds. */
  readonly latency: number;
}

const mostLatencyMs = 30_000;
let set: Setting = { fail: 0, latency: 0 };

/** The payments worker. Both versions are this code; only what they call themselves differs. */
export const payments = (version: string) =>
  mesh<object>({
    async fetch(request) {
      if (new URL(request.url).pathname !== "/charge") return new Response("Not found", { status: 404 });
      if (request.method !== "POST") return new Response("A charge is a POST", { status: 405 });
      return charge(request, version);
    },
  });

async function charge(request: Request, version: string): Promise<Response> {
  if (set.latency > 0) await scheduler.wait(set.latency);
  if (Math.random() < set.fail) {
    return Response.json({ version, error: "The switch of this demo made the charge fail" }, { status: 500 });
  }
  const amountCents = amountIn(await request.json());
  if (amountCents === undefined)
    return Response.json({ version, error: "amountCents is missing" }, { status: 422 });
  // The same key is the same charge: a retry after a lost answer does not take the money twice.
  const key = request.headers.get("idempotency-key");
  if (key === null) return Response.json({ version, error: "Idempotency-Key is missing" }, { status: 400 });
  return Response.json({ version, charge: `ch-${key}`, amountCents, chargedBy: caller()?.id.uri });
}

/**
 * The switch of the demo, for a binding of its own (a named entrypoint). Past the mesh on purpose: it breaks this
 * worker, and behind the circuit that opens then, the hand that mends would be refused as well.
 */
export class Switch extends WorkerEntrypoint<object> {
  /** Sets what is given, and tells what is set. */
  turn({ fail = set.fail, latency = set.latency }: Partial<Setting>): Setting {
    set = { fail: within(fail, 1), latency: within(latency, mostLatencyMs) };
    return set;
  }
}

const within = (value: number, most: number): number => Math.min(Math.max(value, 0), most);

function amountIn(body: unknown): number | undefined {
  if (typeof body !== "object" || body === null || !("amountCents" in body)) return undefined;
  const { amountCents } = body;
  return Number.isSafeInteger(amountCents) && Number(amountCents) > 0 ? Number(amountCents) : undefined;
}
