import { mesh } from "@tulle/mesh-runtime/cloudflare";
import type { CartObject, Order } from "./cart-object.ts";

export { CartObject } from "./cart-object.ts";

interface Env {
  readonly CARTS: DurableObjectNamespace<CartObject>;
  readonly CATALOG: Fetcher;
}

/** A step of the checkout that did not succeed: what the shopper is told, and what the other side said. */
interface Stopped {
  readonly at: "catalog" | "payments" | "shipping";
  readonly status: number;
  readonly answer: unknown;
}

export default mesh<Env>({
  async fetch(request, env) {
    const found = /^\/carts\/([0-9a-f-]{36})(\/items|\/checkout)?$/.exec(new URL(request.url).pathname);
    if (found === null) return new Response("Not found", { status: 404 });
    const [, id = "", action] = found;
    const cart = env.CARTS.getByName(id);
    if (action === undefined) return Response.json({ items: await cart.items() });
    if (request.method !== "POST") return new Response("This changes the cart: POST", { status: 405 });
    if (action === "/checkout") return checkOut(cart, env);
    const good = goodIn(await request.json());
    if (good === undefined) return Response.json({ error: "good is missing" }, { status: 422 });
    return Response.json({ items: await cart.add(good) });
  },
});

/** Charges, then ships. Either may be asked again for the same order: its id is their idempotency key. */
async function checkOut(cart: DurableObjectStub<CartObject>, env: Env): Promise<Response> {
  const order = await cart.begin();
  if (order.items.length === 0) return Response.json({ error: "The cart is empty" }, { status: 409 });

  const amountCents = await priceOf(order, env);
  if (typeof amountCents !== "number") return stopped(order, amountCents);

  // Not a binding but a host name of the mesh: which version answers is the route's affair, not ours.
  const payment = await post("http://payments/charge", order, { amountCents });
  if (!payment.ok) return stopped(order, { at: "payments", ...payment });

  const shipment = await post("http://shipping/ship", order, { order: order.id, goods: order.items });
  if (!shipment.ok) return stopped(order, { at: "shipping", ...shipment });

  await cart.settle(order.id);
  return Response.json({ order: order.id, payment: payment.answer, shipment: shipment.answer });
}

async function priceOf(order: Order, env: Env): Promise<number | Stopped> {
  const response = await env.CATALOG.fetch("http://catalog/goods");
  if (!response.ok) return { at: "catalog", status: response.status, answer: await said(response) };
  const goods = await response.json<{ id: string; priceCents: number }[]>();
  const prices = new Map(goods.map(({ id, priceCents }) => [id, priceCents]));
  return order.items.reduce((total, { good, quantity }) => total + (prices.get(good) ?? 0) * quantity, 0);
}

async function post(url: string, order: Order, body: unknown) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": order.id },
    body: JSON.stringify(body),
  });
  return { ok: response.ok, status: response.status, answer: await said(response) };
}

/** A refusal of the mesh and an application's error are both JSON; whatever is not stays text. */
async function said(response: Response): Promise<unknown> {
  const text = await response.text();
  return /\bjson\b/.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : text;
}

/** 424, not 502: the cart is well, and what payments or shipping do must not open the cart's own circuit. */
const stopped = (order: Order, { at, status, answer }: Stopped): Response =>
  Response.json({ order: order.id, stoppedAt: at, status, answer }, { status: 424 });

function goodIn(body: unknown): string | undefined {
  if (typeof body !== "object" || body === null || !("good" in body)) return undefined;
  return typeof body.good === "string" && /^[a-z]{1,40}$/.test(body.good) ? body.good : undefined;
}
