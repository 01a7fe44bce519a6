import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Answer, blankNotes, type Message } from "../../../mesh-runtime/foundation/exchange.ts";
import type { Random } from "../../../mesh-runtime/foundation/ports.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import { type Balancing, balanced } from "../../../mesh-runtime/routing/balanced.ts";
import { type Copy, type CopyTo, type Mirroring, mirrored } from "../../../mesh-runtime/routing/mirrored.ts";
import type { Filter, Matched, Mirror, Rule } from "../../../mesh-runtime/routing/words.ts";
import { backend, match, message, named, onRequest, prefix, rule } from "./examples.ts";

interface Recipient {
  readonly at: string;
}

const to = (service: string, more: Partial<Mirror> = {}): Mirror => ({
  type: "RequestMirror",
  service,
  numerator: 100,
  denominator: 100,
  ...more,
});

const under = (one: Rule): Matched => ({ rule: one, match: match(prefix("/")) });
const mirroring = (...filters: readonly Filter[]): Matched => under(rule("mirrors", [], { filters }));

interface Given {
  readonly matched?: Matched | undefined;
  readonly sent?: Message;
  readonly random?: Random;
  readonly next?: (below: {
    readonly message: Message;
    readonly copyTo: CopyTo | undefined;
  }) => Promise<Answer>;
  readonly carry?: (copy: Copy<Recipient>) => Promise<void>;
}

/** Sends a request through the layer; what happened stands in `order`. */
function through({ matched, sent = message("/cart?q=1"), random = () => 0.5, next, carry }: Given) {
  const order: string[] = [];
  const copies: Copy<Recipient>[] = [];
  const work: Promise<unknown>[] = [];
  let dropped = 0;
  let reached: { message: Message; copyTo: CopyTo | undefined } | undefined;
  const step = mirrored<Recipient>({
    random,
    carry: (copy) => {
      order.push(`copy to ${copy.recipient.at}`);
      copies.push(copy);
      return carry?.(copy) ?? Promise.resolve();
    },
    dropped: () => {
      dropped++;
    },
  }).wrap<Mirroring<Recipient>>((below) => {
    order.push("request");
    reached = below;
    return next?.(below) ?? Promise.resolve(ok(new Response("hi")));
  });
  const exchange: Mirroring<Recipient> = {
    message: sent,
    matched,
    ruleName: matched?.rule.name ?? "default",
    deadlineAt: 16_000,
    cause: undefined,
    background: { run: (each) => work.push(each) },
    traffic: { retry: { maxReplayBytes: 10 } },
    policy: { destination: (key) => (key === "shop/unknown" ? undefined : { at: key }) },
  };
  return {
    answer: step(exchange),
    exchange,
    order,
    copies,
    work,
    reached: () => reached,
    dropped: () => dropped,
  };
}

describe("a request under a rule with mirrors", () => {
  test("goes first, and copies of it to all of them after it, in the background", async () => {
    const { answer, order, work } = through({ matched: mirroring(to("shop/v2"), to("shop/v3")) });
    expect(order).toEqual(["request", "copy to shop/v2", "copy to shop/v3"]);
    expect(work).toHaveLength(2);
    expect((await answer).ok).toBe(true);
  });

  test("is copied as it is after the rule's filters, with headers that are the copy's own", () => {
    const sent = message("/cart?q=1", { "x-set": "by the rule" });
    const { copies } = through({ matched: mirroring(to("shop/v2")), sent });
    expect(copies[0]).toMatchObject({ ruleName: "mirrors", recipient: { at: "shop/v2" } });
    const copied = copies[0]?.message;
    expect([copied?.url.href, copied?.method]).toEqual([sent.url.href, "GET"]);
    expect(copied?.headers.get("x-set")).toBe("by the rule");
    copied?.headers.set("x-set", "changed");
    expect(sent.headers.get("x-set")).toBe("by the rule");
  });

  test("is answered though a mirror never is", async () => {
    const { answer } = through({
      matched: mirroring(to("shop/v2")),
      carry: () => new Promise(() => undefined),
    });
    expect((await answer).ok).toBe(true);
  });

  test("and without any passes as it is, and no number is drawn for it", () => {
    for (const matched of [undefined, mirroring(onRequest({ set: named({ a: "1" }) }))]) {
      const { reached, exchange, copies } = through({
        matched,
        random: () => {
          throw new Error("a number was drawn");
        },
      });
      expect(reached()).toBe(exchange);
      expect(copies).toEqual([]);
    }
  });
});

describe("which requests are mirrored", () => {
  test.each([
    [{ numerator: 0, denominator: 100 }, 0, 0],
    [{ numerator: 20, denominator: 100 }, 0.1999, 1],
    [{ numerator: 20, denominator: 100 }, 0.2, 0],
    [{ numerator: 25, denominator: 50 }, 0.4999, 1],
    [{ numerator: 25, denominator: 50 }, 0.5, 0],
    [{ numerator: 100, denominator: 100 }, 0.9999999, 1],
    [{ numerator: 1, denominator: 2_147_483_647 }, 0.0000001, 0],
    [{ numerator: 0, denominator: 1 }, 0, 0],
  ])("%j at the point %d: %i", (share, point, expected) => {
    const { copies } = through({ matched: mirroring(to("shop/v2", share)), random: () => point });
    expect(copies).toHaveLength(expected);
  });

  test("is drawn for each mirror by itself", () => {
    const points = [0.9, 0.1, 0.9];
    const half = { numerator: 50, denominator: 100 };
    const filters = [to("shop/a", half), to("shop/b", half), to("shop/c")];
    const { copies } = through({ matched: mirroring(...filters), random: () => points.shift() ?? 1 });
    expect(copies.map(({ recipient }) => recipient.at)).toEqual(["shop/b", "shop/c"]);
  });

  test("comes to the share that is written", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 20 }), (one, other) => {
        const [numerator, denominator] = [Math.min(one, other), Math.max(one, other)];
        const total = 200;
        let mirrorings = 0;
        for (let draw = 0; draw < total; draw++) {
          const point = (draw + 0.5) / total;
          const matched = mirroring(to("shop/v2", { numerator, denominator }));
          mirrorings += through({ matched, random: () => point }).copies.length;
        }
        expect(Math.abs(mirrorings - (total * numerator) / denominator)).toBeLessThanOrEqual(0.5);
      }),
      { seed: 5, numRuns: 20 },
    );
  });
});

describe("a mirror of a backend", () => {
  const withMirror = (...filters: readonly Filter[]) =>
    under(
      rule("r", [], {
        backends: [backend("shop/v1", { filters }), backend("shop/v2", { filters: [to("shop/b")] })],
      }),
    );

  /** Lets `balanced` choose the first backend so many times, as tries of one request. */
  async function tries(matched: Matched, times: number) {
    const { copies, answer } = through({
      matched,
      next: async ({ message: sent, copyTo }) => {
        const step = balanced<Recipient>({ random: () => 0 }).wrap<Balancing<Recipient>>(async () =>
          ok(new Response()),
        );
        let last: Answer = no({ kind: "cancelled" });
        for (let attempt = 0; attempt < times; attempt++)
          last = await step({
            message: sent,
            copyTo,
            matched,
            tried: [],
            target: { destination: "shop/cart" },
            notes: blankNotes(),
            policy: { destination: (key) => ({ at: key }) },
            destination: "shop/cart",
            ruleName: "r",
            backends: matched.rule.backends,
            requestTimeoutMs: undefined,
            backendTimeoutMs: undefined,
            retry: undefined,
          });
        return last;
      },
    });
    await answer;
    return copies;
  }

  test("gets its copy when the backend is chosen, and only then, with what its filters change", async () => {
    const copies = await tries(withMirror(to("shop/a"), onRequest({ set: named({ "x-v": "1" }) })), 1);
    expect(copies.map(({ recipient }) => recipient.at)).toEqual(["shop/a"]);
    expect(copies[0]?.message.headers.get("x-v")).toBe("1");
  });

  test("gets one copy, however often the request is tried there", async () => {
    expect(await tries(withMirror(to("shop/a")), 3)).toHaveLength(1);
  });
});

describe("a copy that cannot be made is dropped and counted, and the request goes on", () => {
  test.each([
    ["its mirror is unusable", to("shop/v2", { unusable: "BackendNotFound" }), message("/")],
    ["its mirror is unknown here", to("shop/unknown"), message("/")],
    [
      "its body says that it is too large",
      to("shop/v2"),
      { ...message("/", { "content-length": "11" }), body: new Blob(["x".repeat(11)]).stream() },
    ],
  ])("%s", async (_why, mirror, sent) => {
    const { answer, copies, dropped, reached } = through({ matched: mirroring(mirror), sent });
    expect([copies.length, dropped()]).toEqual([0, 1]);
    expect(reached()?.message.body).toBe(sent.body);
    expect((await answer).ok).toBe(true);
  });
});

describe("a request that asks for a WebSocket", () => {
  const sent = message("/", { upgrade: "WebSocket", "sec-websocket-version": "13" });
  const asking = (next: Given["next"]) =>
    through({ matched: mirroring(to("shop/v2")), sent, ...(next && { next }) });

  test("and gets one has no copy", async () => {
    const [client] = Object.values(new WebSocketPair());
    const socket = new Response(null, { status: 101, webSocket: client ?? null });
    const { answer, copies, dropped, work, reached } = asking(async () => ok(socket));
    expect(await answer).toEqual({ ok: true, value: socket });
    await Promise.all(work);
    expect([copies.length, dropped()]).toEqual([0, 1]);
    expect(reached()?.message.headers.get("upgrade")).toBe("WebSocket");
  });

  test.each<[string, Answer]>([
    ["is answered otherwise", ok(new Response("no socket here"))],
    ["is refused", no({ kind: "cancelled" })],
  ])("and %s has sent an ordinary request, whose copy leaves then", async (_what, ends) => {
    const { answer, copies, dropped, work } = asking(async () => ends);
    expect(work).toHaveLength(1);
    expect(await answer).toBe(ends);
    await Promise.all(work);
    expect([copies.map(({ recipient }) => recipient.at), dropped()]).toEqual([["shop/v2"], 0]);
    expect(copies[0]?.message.headers.get("upgrade")).toBeNull();
  });

  test("is none with another method, or for another protocol: nobody keeps a request from its mirrors by a header", async () => {
    for (const each of [
      message("/", { upgrade: "x" }),
      message("/", { upgrade: "websocket, x" }),
      message("/", { upgrade: "h2c" }),
      { ...message("/", { upgrade: "websocket" }), method: "POST" },
    ]) {
      const { copies, dropped } = through({ matched: mirroring(to("shop/v2")), sent: each });
      expect([copies.length, dropped()]).toEqual([1, 0]);
    }
  });
});

test("a runtime that takes no more work in the background harms no request", async () => {
  const { answer, dropped } = through({
    matched: mirroring(to("shop/v2")),
    carry: () => {
      throw new TypeError("no more work");
    },
  });
  expect((await answer).ok).toBe(true);
  expect(dropped()).toBe(1);
});

test("the body of a stream reaches every copy whole, and the request as it comes", async () => {
  const body = new Blob(["streamed"]).stream();
  const { copies, answer, reached } = through({
    matched: mirroring(to("shop/v2"), to("shop/v3")),
    sent: { ...message("/"), body },
    next: async (below) => ok(new Response(below.message.body as BodyInit)),
  });
  const given = await answer;
  expect(given.ok && (await given.value.text())).toBe("streamed");
  expect(reached()?.message.body).not.toBe(body);
  for (const copy of copies)
    expect(new TextDecoder().decode((await copy.body) ?? undefined)).toBe("streamed");
});
