import { expect, test } from "vitest";
import {
  type Answer,
  blankNotes,
  type Message,
  type Notes,
} from "../../../mesh-runtime/foundation/exchange.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import { routeTable } from "../../../mesh-runtime/routing/route-table.ts";
import { routed } from "../../../mesh-runtime/routing/routed.ts";
import type { Routed, Rule, Target } from "../../../mesh-runtime/routing/words.ts";
import {
  backend,
  expression,
  match,
  message,
  named,
  onRequest,
  onResponse,
  prefix,
  rule,
} from "./examples.ts";

const target = (rules: readonly Rule[], more: Partial<Target> = {}): Target => ({
  destination: "shop/cart",
  table: routeTable(rules),
  ...more,
});

/** Sends a message through the layer; `reached` is what the next layer was given. */
async function through(
  to: Target,
  sent: Message = message("/cart/1"),
  answering: Answer = ok(new Response("hi")),
) {
  const notes: Notes = blankNotes();
  let reached: (Routed & { message: Message }) | undefined;
  const step = routed().wrap(async (exchange) => {
    reached = exchange;
    return answering;
  });
  const answer = await step({ message: sent, target: to, notes });
  return { answer, reached, notes };
}

test("a destination without routes is its own backend", async () => {
  const { answer, reached, notes } = await through({ destination: "shop/cart" });
  expect(reached).toMatchObject({
    destination: "shop/cart",
    ruleName: "default",
    matched: undefined,
    backends: [{ service: "shop/cart", weight: 1, filters: [] }],
  });
  expect([notes.destination, notes.route]).toEqual(["shop/cart", "default"]);
  expect(answer.ok).toBe(true);
});

test("the rule that a message falls under is known to what comes after", async () => {
  const cart = rule("HTTPRoute/shop/cart/0", [match(prefix("/cart"))], {
    backends: [backend("shop/cart-v2")],
    requestTimeoutMs: 100,
    backendTimeoutMs: 10,
    retry: { codes: [503], attempts: 2 },
  });
  const { reached, notes } = await through(target([cart]));
  expect(reached).toMatchObject({
    destination: "shop/cart",
    ruleName: cart.name,
    matched: { rule: cart, match: cart.matches[0] },
    backends: cart.backends,
    requestTimeoutMs: 100,
    backendTimeoutMs: 10,
    retry: cart.retry,
  });
  expect([notes.destination, notes.route]).toEqual(["shop/cart", cart.name]);
});

test("what no rule matches is refused, not passed to the destination", async () => {
  const { answer, reached, notes } = await through(target([rule("other", [match(prefix("/other"))])]));
  expect(answer).toEqual(no({ kind: "no-route", destination: "shop/cart" }));
  expect(reached).toBeUndefined();
  expect(notes.destination).toBe("shop/cart");
});

test("what takes too long to compare with expressions is refused, and nothing behind them takes it", async () => {
  const path = `/${"AB".repeat(4_000)}`;
  const long = [match(expression("/[AB]*A[AB]{900}"))];
  const everything = rule("everything", [match(prefix("/"))], { backends: [backend("shop/cart")] });
  const { answer, reached } = await through(target([rule("long", long), everything]), message(path));
  expect(answer).toEqual(no({ kind: "too-long-to-match", destination: "shop/cart", part: "url" }));
  expect(reached).toBeUndefined();
});

test("a rule without backends refuses", async () => {
  const { answer, reached } = await through(target([rule("empty", [], { backends: [] })]));
  expect(answer).toMatchObject({
    ok: false,
    reason: { kind: "no-backend", rule: "empty", destination: "shop/cart" },
  });
  expect(reached).toBeUndefined();
});

test("a redirect answers at once, needs no backend, and keeps the listener's port", async () => {
  const filters = [
    { type: "RequestRedirect", statusCode: 301 } as const,
    onResponse({ set: named({ "x-answered-by": "rule" }) }),
  ];
  const moved = rule("moved", [], { filters, backends: [] });
  const { answer, reached, notes } = await through(target([moved], { listenerPort: 8080 }));
  expect(reached).toBeUndefined();
  expect(notes.route).toBe("moved");
  if (!answer.ok) throw new Error("refused");
  expect(answer.value.status).toBe(301);
  expect(answer.value.headers.get("location")).toBe("http://shop.example.com:8080/cart/1");
  expect(answer.value.headers.get("x-answered-by")).toBe("rule");
});

test("the rule's filters change the message on the way out and the response on the way back", async () => {
  const filters = [
    onRequest({ set: named({ "x-request": "1" }) }),
    onResponse({ set: named({ "x-response": "1" }) }),
    { type: "URLRewrite", path: { type: "ReplacePrefixMatch", value: "/basket" } } as const,
  ];
  const sent = message("/cart/1?q=1");
  const { answer, reached } = await through(target([rule("r", [match(prefix("/cart"))], { filters })]), sent);
  expect(reached?.message.url.href).toBe("http://shop.example.com/basket/1?q=1");
  expect(Object.fromEntries(reached?.message.headers ?? [])).toEqual({ "x-request": "1" });
  expect(sent.url.pathname).toBe("/cart/1");
  if (!answer.ok) throw new Error("refused");
  expect([answer.value.headers.get("x-request"), answer.value.headers.get("x-response")]).toEqual([
    null,
    "1",
  ]);
});

test("a refusal from below passes as it is", async () => {
  const refused: Answer = no({ kind: "circuit-open", circuit: "shop/cart", retryAfterMs: 1_000 });
  const filters = [onResponse({ set: named({ "x-response": "1" }) })];
  const { answer } = await through(target([rule("r", [], { filters })]), message("/"), refused);
  expect(answer).toBe(refused);
});

test("a rule that is strict about replays says so on the message, and no other does", async () => {
  const rules = [
    rule("HTTPRoute/shop/pay/0", [match(prefix("/pay"))], {
      backends: [backend("shop/cart")],
      replay: "strict",
    }),
    rule("HTTPRoute/shop/cart/0", [match(prefix("/cart"))], { backends: [backend("shop/cart")] }),
  ];
  const headersAt = async (path: string) =>
    (await through(target(rules), message(path))).reached?.message.headers;
  expect((await headersAt("/pay/1"))?.get("tulle-replay")).toBe("strict");
  expect((await headersAt("/cart/1"))?.has("tulle-replay")).toBe(false);
});
