import { caller, mesh } from "@tulle/mesh-runtime/cloudflare";

/** What an operator of the demo can make this version do. Kept in the isolate's memory, and forgotten with it. */
interface Switch {
  /** Share of charges that fail, in [0, 1]. */
  readonly fail: number;
  /** How long each charge takes, milliseconds. */
  readonly latency: number;
}

const mostLatencyMs = 30_000;
let set: Switch = { fail: 0, latency: 0 };

/** The payments worker. Both versions are this code; only what they call themselves differs. */
export const payments = (version: string) =>
  mesh<object>({
    async fetch(request) {
      const url = new URL(request.url);
      if (/^\/demo\/[a-z0-9-]+\/switch$/.test(url.pathname)) return turn(request, url, version);
      if (url.pathname !== "/charge") return new Response("Not found", { status: 404 });
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

/** `PUT /demo/<service>/switch?fail=0.5&latency=800` turns the switch; the page's buttons POST the same. */
function turn(request: Request, url: URL, version: string): Response {
  if (request.method === "PUT" || request.method === "POST") {
    set = {
      fail: numberIn(url, "fail", 1) ?? set.fail,
      latency: numberIn(url, "latency", mostLatencyMs) ?? set.latency,
    };
    if (request.method === "POST") return new Response(null, { status: 303, headers: { location: "/" } });
  }
  return Response.json({ version, ...set, turnedBy: caller()?.id.uri });
}

/** A number of a query parameter within [0, most]; undefined when it is absent or none. */
function numberIn(url: URL, name: string, most: number): number | undefined {
  const text = url.searchParams.get(name);
  const value = text === null || text === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) ? Math.min(Math.max(value, 0), most) : undefined;
}

function amountIn(body: unknown): number | undefined {
  if (typeof body !== "object" || body === null || !("amountCents" in body)) return undefined;
  const { amountCents } = body;
  return Number.isSafeInteger(amountCents) && Number(amountCents) > 0 ? Number(amountCents) : undefined;
}
