import { describe, expect, test } from "vitest";
import { copied, mostCopies, type Underway } from "../../../mesh-runtime/copied.ts";
import type { Answer } from "../../../mesh-runtime/foundation/exchange.ts";
import { Fields } from "../../../mesh-runtime/foundation/fields.ts";
import { journey } from "../../../mesh-runtime/foundation/layer.ts";
import type { Refusal } from "../../../mesh-runtime/foundation/refusal.ts";
import { no, ok } from "../../../mesh-runtime/foundation/result.ts";
import { meshTraffic } from "../../../mesh-runtime/policy/defaults.ts";
import type { LoadedDestination } from "../../../mesh-runtime/policy/loaded.ts";
import { InFlight } from "../../../mesh-runtime/resilience/admitted.ts";
import { CircuitBook } from "../../../mesh-runtime/resilience/circuit-book.ts";
import { guarded } from "../../../mesh-runtime/resilience/guarded.ts";
import type { Copy } from "../../../mesh-runtime/routing/mirrored.ts";
import { Instruments } from "../../../mesh-runtime/telemetry/instruments.ts";

const key = "shop/v2";

/** As much of a destination as a copy needs. */
const recipient = (timeoutMs = 0): LoadedDestination =>
  ({
    destination: key,
    settings: { key, traffic: { ...meshTraffic, timeoutMs } },
  }) as unknown as LoadedDestination;

const copy = (more: Partial<Copy<LoadedDestination>> = {}): Copy<LoadedDestination> => ({
  message: {
    url: new URL("http://shop.example.com/cart"),
    method: "POST",
    headers: new Fields(
      new Headers({
        "tulle-attempt-credits": "7",
        "tulle-deadline-ms": "5",
        "tulle-hops": "9",
        "x-own": "kept",
      }),
    ),
    body: null,
  },
  body: new TextEncoder().encode("bytes"),
  recipient: recipient(),
  deadlineAt: undefined,
  ruleName: "HTTPRoute/shop/cart/0",
  cause: undefined,
  background: { run: () => undefined },
  ...more,
});

/** Carries copies to a mirror that does as it is told. */
function mirror(answering: (underway: Underway) => Promise<Answer> = async () => ok(new Response("hi"))) {
  const instruments = new Instruments();
  const inFlight = new InFlight();
  const reached: Underway[] = [];
  const clock = { at: 1_000, now: () => clock.at };
  const carry = copied({ clock, inFlight, tracing: { instruments, workload: "shop/web" } }, (underway) => {
    reached.push(underway);
    return answering(underway);
  });
  return { carry, clock, reached, inFlight, counted: () => instruments.drain() };
}

const refusing = (reason: Refusal) => async (): Promise<Answer> => no(reason);
const hanging = (): Promise<Answer> => new Promise(() => undefined);

describe("a copy on its way", () => {
  test("tells its mirror its own time, no credits and one hop more, whatever the request had", async () => {
    const { carry, reached } = mirror();
    const credits = { left: 3 };
    const cause = { hops: 2, credits, deadlineAt: 1_001 } as unknown as NonNullable<Copy<unknown>["cause"]>;
    await carry(copy({ cause, recipient: recipient(2_000) }));
    expect(Object.fromEntries(reached[0]?.message.headers ?? [])).toEqual({
      "tulle-attempt-credits": "0",
      "tulle-deadline-ms": "2000",
      "tulle-hops": "3",
      "x-own": "kept",
    });
    expect(credits.left).toBe(3);
    await carry(copy());
    expect(reached[1]?.message.headers.get("tulle-deadline-ms")).toBe(String(meshTraffic.timeoutMs));
  });

  test("brings the whole body, once the request has read it", async () => {
    const { carry, reached } = mirror();
    let arrive: (body: Uint8Array) => void = () => undefined;
    const body = new Promise<Uint8Array>((resolve) => {
      arrive = resolve;
    });
    const carried = carry(copy({ body }));
    expect(reached).toEqual([]);
    arrive(new Uint8Array(3));
    await carried;
    expect(reached[0]?.message.body).toEqual(new Uint8Array(3));
  });

  test("takes neither place nor time while its body is on the way: slow senders keep no other copy from its mirror", async () => {
    const { carry, reached, counted } = mirror();
    const never = new Promise<Uint8Array>(() => undefined);
    const slow = Array.from({ length: mostCopies }, () => carry(copy({ body: never })));
    await carry(copy());
    expect([reached.length, counted().counters]).toEqual([1, {}]);
    expect(slow).toHaveLength(mostCopies);
  });

  test("waits for its body as long as the request may last, and its mirror's limit begins then", async () => {
    const { carry, reached, clock } = mirror();
    const body = Promise.withResolvers<Uint8Array>();
    const carried = carry(
      copy({ body: body.promise, deadlineAt: clock.at + 60_000, recipient: recipient(5) }),
    );
    clock.at += 50_000;
    body.resolve(new Uint8Array(1));
    await carried;
    expect(reached[0]?.message.headers.get("tulle-deadline-ms")).toBe("5");
  });

  test("counts as one attempt at the mirror, and its answer is let go of unread", async () => {
    let cancelled = false;
    const { carry, counted } = mirror(async () =>
      ok(
        new Response(
          new ReadableStream({
            cancel() {
              cancelled = true;
            },
          }),
          { status: 500 },
        ),
      ),
    );
    await carry(copy());
    const { edges, counters } = counted();
    expect(edges).toMatchObject([
      {
        perspective: "attempt",
        source: "shop/web",
        destination: key,
        backend: key,
        route: "HTTPRoute/shop/cart/0",
        class: "5xx",
        count: 1,
      },
    ]);
    expect([cancelled, counters]).toEqual([true, {}]);
  });
});

describe("a copy that does not leave is dropped and counted", () => {
  test.each<[string, Refusal]>([
    ["there is no credential", { kind: "mesh-not-ready", detail: "", retryAfterMs: 1 }],
    ["it was never delivered", { kind: "unreachable", destination: key, delivered: false, detail: "" }],
    ["its mirror has no endpoint", { kind: "no-backend", destination: key, rule: "", detail: "" }],
  ])("because %s", async (_why, refusal) => {
    const { carry, counted } = mirror(refusing(refusal));
    await carry(copy());
    const { edges, counters } = counted();
    expect(counters).toEqual({ mirrors_dropped: 1 });
    expect(edges).toMatchObject([{ class: "refused", refusal: refusal.kind, count: 1 }]);
  });

  test("because its body does not come while its request may last", async () => {
    const { carry, counted, reached } = mirror();
    const never = new Promise<Uint8Array>(() => undefined);
    await carry(copy({ body: never, deadlineAt: 1_000, recipient: recipient(1) }));
    expect([reached, counted().counters]).toEqual([[], { mirrors_dropped: 1 }]);
  });

  test("because its body is too large or broke off, and its mirror hears nothing", async () => {
    const { carry, counted, reached } = mirror();
    await carry(copy({ body: Promise.resolve(undefined) }));
    expect([reached, counted().counters]).toEqual([[], { mirrors_dropped: 1 }]);
  });

  test("because the circuit of its mirror is open", async () => {
    const book = new CircuitBook(() => 0.5);
    const circuit = { ...meshTraffic.circuit, consecutiveFailures: 1, minimumSpanMs: 0 };
    const clock = { now: () => 1_000 };
    const instruments = new Instruments();
    let sent = 0;
    const carry = copied(
      { clock, inFlight: new InFlight(), tracing: { instruments, workload: "shop/web" } },
      journey<Underway, Answer>()
        .through(guarded({ book, clock, askPermit: async () => undefined }))
        .to(async () => {
          sent++;
          return ok(new Response(null, { status: 503 }));
        }),
    );
    const to = {
      ...recipient(),
      settings: { key, traffic: { ...meshTraffic, circuit } },
    } as unknown as LoadedDestination;
    await carry(copy({ recipient: to }));
    await carry(copy({ recipient: to }));
    const { counters, edges } = instruments.drain();
    expect([sent, counters]).toEqual([1, { mirrors_dropped: 1 }]);
    expect(edges.map((edge) => edge.refusal)).toEqual(["", "circuit-open"]);
  });

  test("because too many are under way to a mirror that hangs; places of requests are not theirs", async () => {
    const { carry, counted, inFlight, reached } = mirror(hanging);
    const started = Array.from({ length: mostCopies + 2 }, () => carry(copy()));
    await Promise.all(started.slice(mostCopies));
    expect(reached).toHaveLength(mostCopies);
    expect(counted().counters).toEqual({ mirrors_dropped: 2 });
    expect(inFlight.count(key)).toBe(0);
  });
});

describe("nothing that happens to a copy is told to anybody", () => {
  test("not that its mirror took too long, which ends it all the same", async () => {
    const { carry, counted, inFlight } = mirror(hanging);
    await carry(copy({ recipient: recipient(1) }));
    const { edges, counters } = counted();
    expect(edges).toMatchObject([{ class: "refused", refusal: "deadline-exceeded" }]);
    expect(counters).toEqual({});
    expect(inFlight.count(`copies to ${key}`)).toBe(0);
  });

  test("nor that something inside the mesh threw", async () => {
    const { carry, counted } = mirror(async () => {
      throw new TypeError("of the mesh's own making");
    });
    await expect(carry(copy())).resolves.toBeUndefined();
    expect(counted().edges).toMatchObject([{ class: "refused", refusal: "internal" }]);
  });
});
