import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BreakingStream } from "../../../mesh-runtime/foundation/breaking-stream.ts";
import type { Answer, Message } from "../../../mesh-runtime/foundation/exchange.ts";
import { journey } from "../../../mesh-runtime/foundation/layer.ts";
import { timeout } from "../../../mesh-runtime/foundation/time-limit.ts";
import { CircuitBook } from "../../../mesh-runtime/resilience/circuit-book.ts";
import { type AskPermit, type Guarding, guarded } from "../../../mesh-runtime/resilience/guarded.ts";
import type { CircuitAnswer, CircuitPolicy, Verdict } from "../../../mesh-runtime/resilience/words.ts";
import { circuitPolicy, faceOf, notesFor, refuses, responds, traffic } from "./examples.ts";

const key = "default/payments";

beforeEach(() => vi.useFakeTimers({ now: 1_000_000, toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => vi.useRealTimers());

const answer = (changed: Partial<Verdict> = {}, more: Partial<CircuitAnswer> = {}): CircuitAnswer => ({
  verdict: { circuit: key, incarnation: 1, epoch: 2, state: "closed", ageMs: 0, ...changed },
  sentinel: true,
  nextReportMs: 500,
  ...more,
});
const open = (changed: Partial<Verdict> = {}) => answer({ state: "open", probeInMs: 0, ...changed });
const permit = { id: "p1", leaseMs: 3_000 };

/** A backend, whose policy states a timeout where it is told one. */
const settingsOf = ({
  policy,
  stated,
}: {
  readonly policy?: Partial<CircuitPolicy>;
  readonly stated?: { readonly timeoutMs: number; readonly perTryTimeoutMs?: number };
}): Guarding["recipient"]["settings"] => ({
  key,
  traffic: {
    timeoutMs: stated?.timeoutMs ?? traffic.timeoutMs,
    retry: { ...traffic.retry, perTryTimeoutMs: stated?.perTryTimeoutMs ?? 0 },
    circuit: { ...circuitPolicy, ...policy },
  },
  ...(stated === undefined ? {} : { stated: ["timeout"] }),
});

function setUp(askPermit: AskPermit = () => Promise.reject(new Error("nobody should ask"))) {
  const book = new CircuitBook(() => 0);
  const asked: string[] = [];
  const clock = { now: () => Date.now() };
  const ask: AskPermit = (circuit) => {
    asked.push(circuit);
    return askPermit(circuit);
  };
  const sent: number[] = [];
  const send = (
    last: () => Promise<Answer>,
    known: {
      signal?: AbortSignal;
      policy?: Partial<CircuitPolicy>;
      body?: Message["body"];
      impatient?: boolean;
      stated?: { readonly timeoutMs: number; readonly perTryTimeoutMs?: number };
    } = {},
  ): Promise<Answer> =>
    journey<Guarding, Answer>()
      .through(guarded({ book, clock, askPermit: ask }))
      .to(() => {
        sent.push(Date.now());
        return last();
      })({
      notes: notesFor(),
      message: { body: known.body ?? null },
      signal: known.signal,
      ...(known.impatient === undefined ? {} : { impatient: known.impatient }),
      recipient: { settings: settingsOf(known) },
    });
  return { book, asked, send, sent };
}

const answers = (status: number) => () => Promise.resolve(responds(status));

test("attempts pass, and their outcomes reach the circuit and the next report", async () => {
  const { book, send, asked } = setUp();
  await send(answers(200));
  await send(answers(503));
  await send(answers(404));
  await send(answers(429));
  const total = { success: 0, failure: 0, overload: 0 };
  for (const row of book.drain()) {
    total.success += row.success;
    total.failure += row.failure;
    total.overload += row.overload;
  }
  expect([total, asked]).toEqual([{ success: 2, failure: 1, overload: 1 }, []]);
});

test("a circuit that is open refuses without sending, and says when to come again", async () => {
  const { book, send, sent } = setUp();
  book.learn(open({ probeInMs: 700 }), Date.now());
  expect(await send(answers(200))).toEqual({
    ok: false,
    reason: { kind: "circuit-open", circuit: key, retryAfterMs: 700 },
  });
  expect(sent).toEqual([]);
});

test("a circuit that is switched off judges nothing and reports nothing", async () => {
  const { book, send } = setUp();
  book.learn(open(), Date.now());
  expect(faceOf(await send(answers(503), { policy: { enabled: false } }))).toBe(503);
  expect(book.quiet()).toBe(true);
});

test("when the probe is due one request asks, becomes the probe, and its outcome goes back", async () => {
  const { book, send, asked } = setUp(async () => answer({ state: "half-open", epoch: 3 }, { permit }));
  book.learn(open(), Date.now());
  expect(faceOf(await send(answers(200)))).toBe(200);
  expect(asked).toEqual([key]);
  expect(book.drain()).toMatchObject([{ epoch: 3, probe: { permit: "p1", outcome: "success" } }]);
});

test("a request that gets no permit is refused, and does not ask again", async () => {
  const { book, send, asked, sent } = setUp(async () =>
    answer({ state: "half-open", epoch: 3, probeInMs: 0 }),
  );
  book.learn(open(), Date.now());
  expect(faceOf(await send(answers(200)))).toBe("circuit-open");
  expect([asked.length, sent.length]).toEqual([1, 0]);
});

test("a request that asks and hears that the circuit is closed passes", async () => {
  const { book, send, sent } = setUp(async () => answer({ epoch: 5 }));
  book.learn(open(), Date.now());
  expect(faceOf(await send(answers(200)))).toBe(200);
  expect(sent).toHaveLength(1);
});

test("no request waits for another's question", async () => {
  const { book, send, asked } = setUp(() => new Promise(() => undefined));
  book.learn(open(), Date.now());
  void send(answers(200));
  expect(faceOf(await send(answers(200)))).toBe("circuit-open");
  expect(asked).toHaveLength(1);
});

test.each<[string, AskPermit]>([
  ["does not answer within 300 ms", () => new Promise(() => undefined)],
  ["breaks", () => Promise.reject(new Error("overloaded"))],
  ["answers nothing", () => Promise.resolve(undefined)],
])("when the authority %s the request is refused and the circuit judged here alone", async (_, ask) => {
  const { book, send, asked } = setUp(ask);
  book.learn(open(), Date.now());
  const refused = send(answers(200));
  await vi.advanceTimersByTimeAsync(300);
  expect(faceOf(await refused)).toBe("circuit-open");
  expect(vi.getTimerCount()).toBe(0);

  await vi.advanceTimersByTimeAsync(4_000);
  expect(faceOf(await send(answers(200)))).toBe(200);
  expect(faceOf(await send(answers(200)))).toBe(200);
  expect(asked).toHaveLength(1);
});

test("a caller who leaves while we ask costs nothing but the permit, which is given back", async () => {
  const caller = new AbortController();
  const { book, send, sent } = setUp(async () => {
    caller.abort();
    return answer({ state: "half-open", epoch: 3 }, { permit });
  });
  book.learn(open(), Date.now());
  expect(faceOf(await send(answers(200), { signal: caller.signal }))).toBe("cancelled");
  expect(sent).toEqual([]);
  expect(book.drain()).toMatchObject([{ probe: { permit: "p1", outcome: "neutral" } }]);
});

test("an attempt that a limit of time ends is a failure at that moment, even if it never answers", async () => {
  const limit = new AbortController();
  const { book, send } = setUp();
  void send(() => new Promise(() => undefined), { signal: limit.signal });
  limit.abort(timeout());
  expect(book.drain()).toMatchObject([{ failure: 1 }]);
});

test("a limit of time that ends while the body is still on its way says nothing of the destination", async () => {
  const chunks = [new Uint8Array(1)];
  const slow = () =>
    new BreakingStream(
      async () => chunks.shift() ?? new Promise(() => undefined),
      () => undefined,
    );
  for (const body of [slow(), new Response("of the platform's own").body]) {
    const limit = new AbortController();
    const { book, send } = setUp();
    void send(() => new Promise(() => undefined), { signal: limit.signal, body });
    limit.abort(timeout());
    expect(book.drain()).toEqual([]);
  }
});

test("and it is the destination's failure once the whole body is there", async () => {
  const limit = new AbortController();
  const { book, send } = setUp();
  const chunks = [new Uint8Array(1)];
  const body = new BreakingStream(
    async () => chunks.shift(),
    () => undefined,
  );
  void send(() => new Promise(() => undefined), { signal: limit.signal, body });
  await new Response(body).arrayBuffer();
  limit.abort(timeout());
  expect(book.drain()).toMatchObject([{ failure: 1 }]);
});

test("an attempt that its caller ends is nothing, whatever the transport makes of it", async () => {
  const caller = new AbortController();
  const { book, send } = setUp();
  const late = Promise.withResolvers<Answer>();
  const sending = send(() => late.promise, { signal: caller.signal });
  caller.abort();
  late.resolve(refuses({ kind: "unreachable", destination: key, delivered: true, detail: "aborted" }));
  await sending;
  expect(book.drain()).toEqual([]);
});

test("an application's own timeout is nothing: how long it waits is its own choice", async () => {
  const { book, send } = setUp();
  const caller = new AbortController();
  const signal = AbortSignal.any([caller.signal, new AbortController().signal]);
  void send(() => new Promise(() => undefined), { signal });
  caller.abort(new DOMException("", "TimeoutError"));
  expect(book.drain()).toEqual([]);
});

test("a limit of ours is the destination's failure through signals that depend on one another, too", async () => {
  const { book, send } = setUp();
  const limit = new AbortController();
  const signal = AbortSignal.any([AbortSignal.any([limit.signal]), new AbortController().signal]);
  void send(() => new Promise(() => undefined), { signal });
  limit.abort(timeout());
  expect(book.drain()).toMatchObject([{ failure: 1 }]);
});

test.each<[string, { timeoutMs: number; perTryTimeoutMs?: number } | undefined, number, number]>([
  ["no policy of its own states one", undefined, 20, 1],
  ["its policy gives twice as much, or less", { timeoutMs: 2_000 }, 1_000, 1],
  ["its policy gives more than that", { timeoutMs: 2_000 }, 999, 0],
  ["its policy gives so much to each try", { timeoutMs: 60_000, perTryTimeoutMs: 1_000 }, 1_000, 1],
  ["its policy gives any time", { timeoutMs: 0 }, 60_000, 0],
])("a route's limit, where %s", async (_what, stated, waitedMs, failures) => {
  const { book, send } = setUp();
  const limit = new AbortController();
  void send(() => new Promise(() => undefined), { signal: limit.signal, ...(stated && { stated }) });
  await vi.advanceTimersByTimeAsync(waitedMs);
  limit.abort(timeout());
  expect(book.drain().reduce((sum, { failure }) => sum + failure, 0)).toBe(failures);
});

test("a 504 says nothing where a caller gave too little time; any other failure does", async () => {
  const { book, send } = setUp();
  await send(answers(504), { impatient: true });
  expect(book.drain()).toEqual([]);
  await send(answers(503), { impatient: true });
  await send(answers(504), { impatient: false });
  expect(book.drain().reduce((sum, { failure }) => sum + failure, 0)).toBe(2);
});

test("what fires after the answer is here changes nothing: a body may be given up", async () => {
  const caller = new AbortController();
  const { book, send } = setUp();
  await send(answers(200), { signal: caller.signal });
  caller.abort(new DOMException("", "TimeoutError"));
  expect(book.drain()).toMatchObject([{ success: 1, failure: 0 }]);
});

test("an exception inside the mesh is no fault of the destination and passes on", async () => {
  const { book, send } = setUp();
  await expect(send(() => Promise.reject(new Error("ours")))).rejects.toThrow("ours");
  expect(book.drain()).toEqual([]);
});
