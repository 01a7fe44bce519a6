import { expect, test } from "vitest";
import { type Answer, blankNotes, type Notes } from "../../../mesh-runtime/foundation/exchange.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import { type Balancing, balanced } from "../../../mesh-runtime/routing/balanced.ts";
import type { Backend, Filter } from "../../../mesh-runtime/routing/words.ts";
import { backend, matched, message, named, onRequest, onResponse, prefix } from "./examples.ts";

interface Recipient {
  readonly at: string;
}

/** Sends one attempt through the layer; `reached` is what the next layer was given. */
async function through(
  backends: readonly Backend[],
  {
    tried = [] as readonly string[],
    point = 0,
    answering = ok(new Response("hi")) as Answer,
    known = (key: string): Recipient | undefined => ({ at: key }),
  } = {},
) {
  const notes: Notes = blankNotes();
  const exchange: Balancing<Recipient> = {
    message: message("/cart/1"),
    target: { destination: "shop/cart", listenerPort: 8080 },
    notes,
    tried,
    policy: { destination: known },
    destination: "shop/cart",
    ruleName: "HTTPRoute/shop/cart/0",
    matched: matched(prefix("/cart")),
    backends,
    requestTimeoutMs: undefined,
    backendTimeoutMs: undefined,
    retry: undefined,
    copyTo: undefined,
  };
  let reached: { backend: Backend; recipient: Recipient; message: typeof exchange.message } | undefined;
  const step = balanced<Recipient>({ random: () => point }).wrap<Balancing<Recipient>>(async (below) => {
    reached = below;
    return answering;
  });
  return { answer: await step(exchange), reached, notes, sent: exchange.message };
}

const refusal = (detail: string) =>
  no({ kind: "no-backend", destination: "shop/cart", rule: "HTTPRoute/shop/cart/0", detail });

test("an attempt goes to the backend that its point falls on", async () => {
  const both = [backend("shop/v1"), backend("shop/v2")];
  const { reached, notes, answer } = await through(both, { point: 0.5 });
  expect(reached).toMatchObject({ backend: both[1], recipient: { at: "shop/v2" } });
  expect(notes.backend).toBe("shop/v2");
  expect(answer.ok).toBe(true);
});

test("a second attempt goes elsewhere", async () => {
  const { reached } = await through([backend("shop/v1"), backend("shop/v2")], { tried: ["shop/v1"] });
  expect(reached?.recipient.at).toBe("shop/v2");
});

test.each([
  ["has no weight", [backend("shop/v1", { weight: 0 })], "no backend of the rule has weight"],
  [
    "is unusable",
    [backend("shop/v1", { unusable: "BackendNotFound" })],
    "shop/v1 cannot be used: BackendNotFound",
  ],
  ["is unknown", [backend("shop/v9")], "shop/v9 is not known here"],
])("when the backend %s, the attempt is refused", async (_, backends, detail) => {
  const known = (key: string) => (key === "shop/v9" ? undefined : { at: key });
  const { answer, reached, notes } = await through(backends, { known });
  expect(answer).toEqual(refusal(detail));
  expect(reached).toBeUndefined();
  expect(notes.backend).toBe("");
});

test("a backend's filters apply when it is chosen, to the attempt and to its answer", async () => {
  const filters: readonly Filter[] = [
    onRequest({ set: named({ "x-version": "2" }) }),
    onResponse({ set: named({ "x-answered-by": "v2" }) }),
  ];
  const both = [backend("shop/v1"), backend("shop/v2", { filters })];
  const chosen = await through(both, { point: 0.5 });
  expect(chosen.reached?.message.headers.get("x-version")).toBe("2");
  expect(chosen.sent.headers.has("x-version")).toBe(false);
  expect(chosen.answer.ok && chosen.answer.value.headers.get("x-answered-by")).toBe("v2");

  const other = await through(both, { point: 0 });
  expect(other.reached?.message).toBe(other.sent);
  expect(other.answer.ok && other.answer.value.headers.has("x-answered-by")).toBe(false);
});

test("a backend whose filter redirects answers at once, with the listener's port", async () => {
  const path = { type: "ReplacePrefixMatch", value: "/moved" } as const;
  const filters: readonly Filter[] = [{ type: "RequestRedirect", statusCode: 302, path }];
  const { answer, reached } = await through([backend("shop/v1", { filters })]);
  expect(reached).toBeUndefined();
  expect(answer.ok && answer.value.headers.get("location")).toBe("http://shop.example.com:8080/moved/1");
});

test("a refusal from below passes as it is", async () => {
  const refused: Answer = no({ kind: "circuit-open", circuit: "shop/v1", retryAfterMs: 1_000 });
  const filters = [onResponse({ set: named({ a: "1" }) })];
  const { answer } = await through([backend("shop/v1", { filters })], { answering: refused });
  expect(answer).toBe(refused);
});
