import { type Order, orderHeader } from "../order.ts";

type Door = Fetcher & Record<string, (...args: readonly unknown[]) => Promise<unknown>>;

/**
 * The platform in front of a worker: takes a request as it came over the wire, and shows the worker the address
 * that the client used, TLS ended. The door of the runner besides.
 */
export default {
  async fetch(request: Request, doors: Readonly<Record<string, Door>>): Promise<Response> {
    const order = JSON.parse(request.headers.get(orderHeader) ?? "null") as Order | null;
    const door = order === null ? undefined : doors[`${order.door}:${order.to}`];
    if (order === null || door === undefined) return new Response("no such door", { status: 598 });
    if (order.call !== undefined) return called(door, order.call);
    const headers = new Headers(request.headers);
    headers.delete(orderHeader);
    headers.delete("host");
    const init = { method: request.method, headers, body: request.body, redirect: "manual" } as const;
    return door.fetch(new Request(order.url, init));
  },
};

async function called(door: Door, { method, args }: NonNullable<Order["call"]>): Promise<Response> {
  try {
    return Response.json({ value: (await door[method]?.(...args)) ?? null });
  } catch (error) {
    return Response.json({ error: String(error) });
  }
}
