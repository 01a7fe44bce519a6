import { caller } from "@tulle/mesh-runtime/cloudflare";
import type { Switch } from "../payments.ts";

/** Where the switch is turned. */
export const switchPath = "/demo/payments-v2/switch";

/** `PUT …/switch?fail=0.5&latency=800` turns the switch and answers how it stands; the page's buttons POST the same. */
export async function turn(request: Request, payments: Service<Switch> | undefined): Promise<Response> {
  // Who shows the shop to others takes the binding away.
  if (payments === undefined) return new Response("This shop has no switch", { status: 404 });
  const { searchParams } = new URL(request.url);
  const set = await payments.turn({
    ...numberIn(searchParams, "fail"),
    ...numberIn(searchParams, "latency"),
  });
  if (request.method === "POST") return new Response(null, { status: 303, headers: { location: "/" } });
  return Response.json({ version: "v2", ...set, turnedBy: caller()?.id.uri });
}

/** A number of the query, under its name; nothing when it is absent or none. */
function numberIn(query: URLSearchParams, name: "fail" | "latency"): { fail?: number; latency?: number } {
  const text = query.get(name);
  const value = text === null || text === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) ? { [name]: value } : {};
}
