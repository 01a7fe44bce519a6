import { caller, mesh } from "@tulle/mesh-runtime/cloudflare";
import type { Switch } from "../payments.ts";
import { page } from "./page.ts";
import { switchPath, turn } from "./switch.ts";
import type { Cart, Good, Outcome } from "./words.ts";

interface Env {
  readonly CATALOG: Fetcher;
  readonly CART: Fetcher;
  readonly PAYMENTS_V2_SWITCH?: Service<Switch>;
}

export default mesh<Env>({
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const shopper = shopperOf(request) ?? crypto.randomUUID();
    const response = await answer(`${request.method} ${pathname}`, request, env, shopper);
    // The mesh has put the trace on the request; for `npx tulle trace`, the answer names it.
    const traceId = traceIdOf(request);
    if (traceId !== undefined) response.headers.set("trace-id", traceId);
    // Lax: another site's form cannot spend this shopper's cart.
    response.headers.append("set-cookie", `cart=${shopper}; Path=/; HttpOnly; SameSite=Lax; Max-Age=86400`);
    return response;
  },
});

async function answer(what: string, request: Request, env: Env, shopper: string): Promise<Response> {
  switch (what) {
    case "GET /":
      return show(request, env, shopper);
    case "POST /cart": {
      const good = (await request.formData()).get("good");
      await addTo(shopper, typeof good === "string" ? good : "", env);
      return new Response(null, { status: 303, headers: { location: "/" } });
    }
    case "POST /checkout":
      return show(request, env, shopper, await checkOut(shopper, env));
    case "GET /api/goods":
      return asJson(await env.CATALOG.fetch("http://catalog/goods"));
    case "GET /api/cart":
      return asJson(await env.CART.fetch(cartUrl(shopper)));
    case "POST /api/cart":
      return asJson(await addTo(shopper, goodIn(await request.json()), env));
    case "POST /api/checkout":
      return outcomeAsJson(await checkOut(shopper, env));
    case "POST /api/orders": {
      // For scripts: a cart of its own with one good in it, checked out at once.
      const own = crypto.randomUUID();
      const added = await addTo(own, "silk", env);
      return added.ok ? outcomeAsJson(await checkOut(own, env)) : asJson(added);
    }
    case `PUT ${switchPath}`:
    case `POST ${switchPath}`:
      return turn(request, env.PAYMENTS_V2_SWITCH);
    default:
      return new Response("Not found", { status: 404 });
  }
}

async function show(request: Request, env: Env, shopper: string, outcome?: Outcome): Promise<Response> {
  const [goods, cart] = await Promise.all([
    read<Good[]>(env.CATALOG.fetch("http://catalog/goods")),
    read<Cart>(env.CART.fetch(cartUrl(shopper))),
  ]);
  const nonce = crypto.randomUUID();
  const known = caller();
  const html = page({
    goods,
    cart,
    outcome,
    callerId: known?.id.uri,
    evidence: known?.evidence,
    traceId: traceIdOf(request),
    nonce,
  });
  return new Response(html, {
    status: outcome?.status ?? 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-store",
    },
  });
}

/** What the other service answered, or undefined when it did not: the page then shows the rest of itself. */
async function read<Body>(asked: Promise<Response>): Promise<Body | undefined> {
  const response = await asked;
  if (response.ok) return response.json<Body>();
  await response.body?.cancel();
  return undefined;
}

const cartUrl = (shopper: string): string => `http://cart/carts/${shopper}`;

const addTo = (shopper: string, good: string, env: Env): Promise<Response> =>
  env.CART.fetch(`${cartUrl(shopper)}/items`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ good }),
  });

async function checkOut(shopper: string, env: Env): Promise<Outcome> {
  const response = await env.CART.fetch(`${cartUrl(shopper)}/checkout`, { method: "POST" });
  const body: unknown = await response.json();
  return { ok: response.ok, status: response.status, body: body as Outcome["body"] };
}

const outcomeAsJson = ({ status, body }: Outcome): Response => Response.json(body, { status });

/** Another service's answer with headers of our own: its headers were meant for us. */
const asJson = (from: Response): Response =>
  new Response(from.body, {
    status: from.status,
    headers: {
      "content-type": from.headers.get("content-type") ?? "application/json",
      "cache-control": "no-store",
    },
  });

function goodIn(body: unknown): string {
  if (typeof body !== "object" || body === null || !("good" in body)) return "";
  return typeof body.good === "string" ? body.good : "";
}

/** W3C Trace Context: version, trace, parent, flags. */
const traceIdOf = (request: Request): string | undefined =>
  /^00-([0-9a-f]{32})-/.exec(request.headers.get("traceparent") ?? "")?.[1];

function shopperOf(request: Request): string | undefined {
  const cookies = request.headers.get("cookie") ?? "";
  return /(?:^|;\s*)cart=([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?:;|$)/.exec(
    cookies,
  )?.[1];
}
