import { script } from "./script.ts";
import { style } from "./style.ts";
import type { Cart, Good, Outcome } from "./words.ts";

export interface Shown {
  /** Undefined when the catalog did not answer; likewise the cart. */
  readonly goods: readonly Good[] | undefined;
  readonly cart: Cart | undefined;
  readonly outcome: Outcome | undefined;
  /** SPIFFE ID of whoever called the storefront, and how it is known. */
  readonly callerId: string | undefined;
  readonly evidence: string | undefined;
  readonly traceId: string | undefined;
  /** For this page's own style and script: nothing else may run. */
  readonly nonce: string;
}

/** The whole page. Works without its script, which only adds the many orders. */
export const page = ({
  goods,
  cart,
  outcome,
  callerId,
  evidence,
  traceId,
  nonce,
}: Shown): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tulle &amp; Co.</title>
<style nonce="${nonce}">${style}</style>
<header>
  <h1>Tulle <i>&amp;</i> Co.</h1>
  <p>Netting by the metre, sold by seven workers on two runtimes.</p>
</header>
<main>
  <section aria-labelledby="goods">
    <h2 id="goods">Goods</h2>
    ${goods === undefined ? '<p class="bad">The catalog did not answer.</p>' : `<ul class="goods">${goods.map(goodItem).join("")}</ul>`}
  </section>
  <section aria-labelledby="cart">
    <h2 id="cart">Cart</h2>
    ${cart === undefined ? '<p class="bad">The cart did not answer.</p>' : cartList(cart, goods ?? [])}
    ${outcome === undefined ? "" : outcomeNote(outcome)}
  </section>
  <section aria-labelledby="canary">
    <h2 id="canary">Canary</h2>
    <p>Payments run as two versions. A route decides which one a charge goes to.</p>
    <p><button id="many" type="button" hidden>Place 50 orders</button></p>
    <dl id="split" aria-live="polite"></dl>
    <div class="switch">
      <form method="post" action="/demo/payments-v2/switch?fail=1&amp;latency=0"><button>Make v2 fail</button></form>
      <form method="post" action="/demo/payments-v2/switch?fail=0&amp;latency=800"><button>Make v2 slow</button></form>
      <form method="post" action="/demo/payments-v2/switch?fail=0&amp;latency=0"><button>Make v2 well</button></form>
    </div>
  </section>
</main>
<footer>
  <p>This page was asked for by <code>${text(callerId ?? "somebody without identity")}</code>${evidence === undefined ? "" : `, known by ${text(evidence)}`}.${traceId === undefined ? "" : ` How it went: <code>npx tulle trace ${text(traceId)}</code>`}</p>
</footer>
<script nonce="${nonce}">${script}</script>
</html>
`;

const goodItem = ({ id, name, description, priceCents }: Good): string => `
  <li>
    <h3>${text(name)}</h3>
    <p>${text(description)}</p>
    <form method="post" action="/cart">
      <b>${euros(priceCents)}</b>
      <button name="good" value="${text(id)}" aria-label="Add ${text(name)} to the cart">Add</button>
    </form>
  </li>`;

function cartList({ items }: Cart, goods: readonly Good[]): string {
  if (items.length === 0) return '<p class="empty">Nothing in it yet.</p>';
  const known = new Map(goods.map((good) => [good.id, good]));
  const total = items.reduce(
    (sum, { good, quantity }) => sum + (known.get(good)?.priceCents ?? 0) * quantity,
    0,
  );
  const lines = items.map(
    ({ good, quantity }) => `<li><span>${quantity} × ${text(known.get(good)?.name ?? good)}</span></li>`,
  );
  return `<ul class="items">${lines.join("")}</ul>
    <form method="post" action="/checkout"><button class="pay">Pay ${euros(total)}</button></form>`;
}

function outcomeNote({ ok, status, body }: Outcome): string {
  if (!ok) {
    const why =
      body.stoppedAt === undefined
        ? (body.error ?? body.title ?? "no reason given")
        : `${body.stoppedAt} answered ${body.status}`;
    return `<div class="note bad" role="status"><h3>Not bought</h3><p>${text(why)} (${status}). ${body.stoppedAt === undefined ? "" : "Nothing is lost: pay again, and no money is taken twice."}</p></div>`;
  }
  const { payment, shipment } = body;
  return `<div class="note good" role="status">
      <h3>Bought</h3>
      <dl>
        <dt>Payments version</dt><dd><b>${text(payment?.version ?? "?")}</b></dd>
        <dt>Charged by</dt><dd><code>${text(payment?.chargedBy ?? "?")}</code></dd>
        <dt>Shipment</dt><dd>${text(shipment?.shipment ?? "?")}, ${shipment?.weightGrams ?? 0} g, from Deno</dd>
        <dt>Shipped for</dt><dd><code>${text(shipment?.orderedBy ?? "?")}</code></dd>
      </dl>
    </div>`;
}

const euros = (cents: number): string => `€ ${(cents / 100).toFixed(2)}`;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text for HTML, in an element or a quoted attribute. */
const text = (raw: string): string => raw.replace(/[&<>"']/g, (character) => entities[character] ?? "");
