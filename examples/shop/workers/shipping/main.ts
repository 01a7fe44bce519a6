import { caller, serve } from "@tulle/mesh-runtime/deno";

/*
 * Shipping runs on Deno, outside of Cloudflare, and is in the mesh all the same: it joins over HTTP with a
 * one-time token, verifies who calls, and signs what it sends.
 */

interface Parcel {
  readonly order: string;
  readonly goods: readonly { readonly good: string; readonly quantity: number }[];
}

serve({
  async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname !== "/ship") return new Response("Not found", { status: 404 });
    if (request.method !== "POST") return new Response("A shipment is a POST", { status: 405 });
    const parcel: unknown = await request.json();
    if (!isParcel(parcel)) return Response.json({ error: "order and goods are missing" }, { status: 422 });
    const weightGrams = await weightOf(parcel);
    if (weightGrams === undefined)
      return Response.json({ error: "The catalog did not answer" }, { status: 502 });
    return Response.json({ shipment: `sh-${parcel.order}`, weightGrams, orderedBy: caller()?.id.uri });
  },
});

/** A call from Deno to a worker, by the service's name in the mesh. */
async function weightOf({ goods }: Parcel): Promise<number | undefined> {
  let total = 0;
  for (const { good, quantity } of goods) {
    const answer = await fetch(`http://catalog/goods/${encodeURIComponent(good)}`);
    if (!answer.ok) {
      await answer.body?.cancel();
      return undefined;
    }
    const { weightGrams } = (await answer.json()) as { weightGrams: number };
    total += weightGrams * quantity;
  }
  return total;
}

function isParcel(value: unknown): value is Parcel {
  const parcel = value as Partial<Parcel> | null;
  return typeof parcel?.order === "string" && Array.isArray(parcel.goods) && parcel.goods.length <= 100;
}
