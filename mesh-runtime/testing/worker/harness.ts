import { type Order, orderHeader } from "./order.ts";

type Doors = Readonly<
  Record<string, Fetcher & Record<string, (...args: readonly unknown[]) => Promise<unknown>>>
>;

/** The first worker of a test mesh: takes orders from Node and passes requests through the right door. */
export default {
  async fetch(request: Request, doors: Doors): Promise<Response> {
    const order = JSON.parse(request.headers.get(orderHeader) ?? "null") as Order | null;
    const door = order === null ? undefined : doors[`${order.door}:${order.to}`];
    if (order === null || door === undefined) return new Response("no such door", { status: 404 });
    if (order.call === undefined) {
      const headers = new Headers(request.headers);
      headers.delete(orderHeader);
      return door.fetch(new Request(request, { headers, redirect: "manual" }));
    }
    try {
      const value = await door[order.call.method]?.(...order.call.args);
      return Response.json({ value: value ?? null });
    } catch (error) {
      return Response.json({ error: String(error) });
    }
  },
};
