import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type {
  Answer,
  Arrival,
  Cause,
  Departure,
  Noted,
  Said,
} from "../../../mesh-runtime/foundation/exchange.ts";
import { journey } from "../../../mesh-runtime/foundation/layer.ts";
import { ok } from "../../../mesh-runtime/foundation/result.ts";
import { boundedArrival, boundedDeparture, mostHops } from "../../../mesh-runtime/resilience/bounded.ts";
import { arrivalCredits } from "../../../mesh-runtime/resilience/credits.ts";
import { outcomeOfAbort } from "../../../mesh-runtime/resilience/outcome.ts";
import { leastPatienceMs, patienceMs } from "../../../mesh-runtime/resilience/patience.ts";
import type { Bounded, TrafficSettings } from "../../../mesh-runtime/resilience/words.ts";
import { causeWith, faceOf, messageFor, notesFor, responds, traffic } from "./examples.ts";

const clock = { now: () => Date.now() };
const background = { run: () => undefined };
const never = () => new Promise<Answer>(() => undefined);

beforeEach(() => vi.useFakeTimers({ now: 1_000_000, toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => vi.useRealTimers());

type Leaving = Departure &
  Noted & { readonly requestTimeoutMs: number | undefined; readonly traffic: TrafficSettings };

interface Known {
  readonly requestTimeoutMs?: number;
  readonly timeoutMs?: number;
  readonly cause?: Cause;
  readonly signal?: AbortSignal;
  readonly startedAt?: number;
}

/** Sends a departure through `bounded` to `last`; `seen` is what the layer added. */
function depart(last: (bounded: Bounded) => Promise<Answer>, known: Known = {}) {
  const seen: Bounded[] = [];
  const step = journey<Leaving, Answer>()
    .through(boundedDeparture({ clock }))
    .to((exchange) => {
      const { deadlineAt, signal, impatient = false } = exchange;
      seen.push({ deadlineAt, signal, impatient });
      return last(exchange);
    });
  const answer = step({
    message: messageFor(),
    signal: known.signal,
    cause: known.cause,
    startedAt: known.startedAt ?? Date.now(),
    background,
    notes: notesFor(),
    requestTimeoutMs: known.requestTimeoutMs,
    traffic: { ...traffic, timeoutMs: known.timeoutMs ?? 1_000 },
  });
  return { answer, seen };
}

test("the deadline is the earlier of the destination's timeout and what the cause has left", async () => {
  const { seen } = depart(never, { cause: causeWith({ deadlineAt: 1_000_400 }) });
  const { seen: own } = depart(never, { cause: causeWith({ deadlineAt: 1_005_000 }) });
  expect([seen[0]?.deadlineAt, own[0]?.deadlineAt]).toEqual([1_000_400, 1_001_000]);
});

test("a route's timeout goes before the destination's, and 0 disables it", () => {
  const { seen } = depart(never, { requestTimeoutMs: 200 });
  const { seen: none } = depart(never, { requestTimeoutMs: 0 });
  expect([seen[0]?.deadlineAt, none[0]?.deadlineAt, none[0]?.signal]).toEqual([
    1_000_200,
    undefined,
    undefined,
  ]);
});

test.each([
  ["less than half of what policy gives", 2_499, { timeoutMs: 5_000 }],
  ["less than half of what the route gives", 3_999, { timeoutMs: 5_000, requestTimeoutMs: 8_000 }],
  ["less than a second", leastPatienceMs - 1, { timeoutMs: 1_500 }],
  ["any time, where policy gives any", 60_000, { timeoutMs: 0 }],
])(
  "a deadline of the cause's that leaves %s blames nobody when it has passed",
  async (_what, leftMs, own) => {
    const { answer, seen } = depart(never, { cause: causeWith({ deadlineAt: 1_000_000 + leftMs }), ...own });
    await vi.advanceTimersByTimeAsync(leftMs);
    expect(faceOf(await answer)).toBe("deadline-exceeded");
    expect(seen[0]?.impatient).toBe(true);
    expect(seen[0]?.signal && outcomeOfAbort(seen[0].signal)).toBe("neutral");
  },
);

test("one that leaves enough, and a limit of our own however short, blame whom was waited for", async () => {
  const cause = causeWith({ deadlineAt: 1_000_000 + 2_500 });
  const { seen: inherited } = depart(never, { cause, timeoutMs: 5_000 });
  const { seen: own } = depart(never, { cause, timeoutMs: 20 });
  const { seen: route } = depart(never, { cause, timeoutMs: 5_000, requestTimeoutMs: 20 });
  await vi.advanceTimersByTimeAsync(2_500);
  const outcomes = [inherited, own, route].map(
    ([bounded]) => bounded?.signal && [bounded.impatient, outcomeOfAbort(bounded.signal)],
  );
  expect(outcomes).toEqual(Array(3).fill([false, "failure"]));
});

test("a chain of calls with one timeout has patience enough at every hop", () => {
  expect([patienceMs(15_000), patienceMs(1_500), patienceMs(100)]).toEqual([7_500, 1_000, 1_000]);
});

test("an application that ends its call itself, by a timeout of its own, has gone away and blames nobody", async () => {
  const own = new AbortController();
  const { answer, seen } = depart(never, { signal: own.signal });
  own.abort(new DOMException("The operation timed out", "TimeoutError"));
  expect(faceOf(await answer)).toBe("cancelled");
  expect(seen[0]?.signal && outcomeOfAbort(seen[0].signal)).toBe("neutral");
});

test("a deadline that has passed refuses without sending", async () => {
  const { answer, seen } = depart(never, { cause: causeWith({ deadlineAt: 1_000_000 }) });
  expect(faceOf(await answer)).toBe("deadline-exceeded");
  expect(seen).toEqual([]);
});

test("an attempt that outlasts the deadline is refused on time and told to stop", async () => {
  const { answer, seen } = depart(never);
  await vi.advanceTimersByTimeAsync(999);
  expect(seen[0]?.signal?.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(await answer).toEqual({
    ok: false,
    reason: { kind: "deadline-exceeded", destination: "default/payments", budgetMs: 1_000 },
  });
  expect(seen[0]?.signal?.reason).toMatchObject({ name: "TimeoutError" });
});

test("a response in time clears the timer, and its body may stream past the deadline", async () => {
  const { answer, seen } = depart(async () => responds(200));
  expect(faceOf(await answer)).toBe(200);
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(seen[0]?.signal?.aborted).toBe(false);
});

test("the caller's abort is a refusal of its own, and still ends a body that streams", async () => {
  const caller = new AbortController();
  const { answer, seen } = depart(never, { signal: caller.signal });
  const { answer: streaming, seen: after } = depart(async () => responds(200), { signal: caller.signal });
  expect(faceOf(await streaming)).toBe(200);
  caller.abort();
  expect(faceOf(await answer)).toBe("cancelled");
  expect([seen[0]?.signal?.aborted, after[0]?.signal?.aborted]).toEqual([true, true]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a caller who is gone already costs nothing", async () => {
  const { answer, seen } = depart(never, { signal: AbortSignal.abort() });
  expect(faceOf(await answer)).toBe("cancelled");
  expect(seen).toEqual([]);
});

test("a caller who is gone has gone, though his time is over as well", async () => {
  const { answer, seen } = depart(never, {
    signal: AbortSignal.abort(),
    cause: causeWith({ deadlineAt: 1_000_000 }),
  });
  expect(faceOf(await answer)).toBe("cancelled");
  expect(seen).toEqual([]);
});

test("an abort ends a request without a deadline too", async () => {
  const caller = new AbortController();
  const { answer } = depart(never, { signal: caller.signal, requestTimeoutMs: 0 });
  caller.abort();
  expect(faceOf(await answer)).toBe("cancelled");
});

test("a response that comes after the deadline is let go of", async () => {
  const late = Promise.withResolvers<Answer>();
  let cancelled = false;
  const { answer } = depart(() => late.promise);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(faceOf(await answer)).toBe("deadline-exceeded");
  late.resolve(
    ok(
      new Response(
        new ReadableStream({
          cancel() {
            cancelled = true;
          },
        }),
      ),
    ),
  );
  await vi.advanceTimersByTimeAsync(0);
  expect(cancelled).toBe(true);
});

test("an exception below passes on and leaves no timer behind", async () => {
  const { answer } = depart(() => Promise.reject(new Error("broken")));
  await expect(answer).rejects.toThrow("broken");
  expect(vi.getTimerCount()).toBe(0);
});

type Arriving = Arrival &
  Noted & { readonly said: Said; readonly policy: { readonly inbound: { readonly timeoutMs: number } } };
type Passed = Bounded & { readonly credits: { left: number }; readonly hops: number };

/** Lets a request arrive on which the caller's mesh said this. */
function arrive(
  said: Partial<Said>,
  last: (passed: Passed) => Promise<Answer> = async () => responds(200),
  { timeoutMs = 30_000, signal }: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
) {
  const seen: Passed[] = [];
  const step = journey<Arriving, Answer>()
    .through(boundedArrival({ clock }))
    .to((exchange) => {
      seen.push(exchange);
      return last(exchange);
    });
  const answer = step({
    request: new Request("http://payments/charge"),
    signal,
    said: { deadline: null, credits: null, hops: null, epoch: null, ...said },
    bindingProps: undefined,
    startedAt: Date.now(),
    background,
    notes: notesFor(),
    policy: { inbound: { timeoutMs } },
  });
  return { answer, seen };
}

test("an arrival inherits the caller's deadline, credits and hops", async () => {
  const { answer, seen } = arrive({ deadline: "250", credits: "2", hops: "4" });
  expect(seen[0]).toMatchObject({ deadlineAt: 1_000_250, credits: { left: 2 }, hops: 4 });
  await answer;
});

test("an arrival without headers has its own timeout and the default credits", async () => {
  const { answer, seen } = arrive({});
  expect(seen[0]).toMatchObject({ deadlineAt: 1_030_000, credits: { left: arrivalCredits }, hops: 0 });
  await answer;
});

test("headers that cannot be read mint nothing", async () => {
  const { answer, seen } = arrive({ deadline: "-1", credits: "1e9", hops: "x" });
  expect(seen[0]).toMatchObject({ deadlineAt: 1_030_000, credits: { left: 0 }, hops: 0 });
  await answer;
});

test("no time left refuses before the handler runs", async () => {
  const { answer, seen } = arrive({ deadline: "0" });
  expect(faceOf(await answer)).toBe("deadline-exceeded");
  expect(seen).toEqual([]);
});

test("a handler that is slower than its own timeout is answered for", async () => {
  const { answer } = arrive({ deadline: "9000" }, never, { timeoutMs: 250 });
  await vi.advanceTimersByTimeAsync(250);
  expect(faceOf(await answer)).toBe("deadline-exceeded");
});

test("the caller's deadline is the caller's to keep: it arms no timer here", async () => {
  const timers: number[] = [];
  const last = async (): Promise<Answer> => {
    timers.push(vi.getTimerCount());
    return responds(200);
  };
  const { answer, seen } = arrive({ deadline: "250" }, last, { timeoutMs: 0 });
  await answer;
  expect([timers, seen[0]?.deadlineAt]).toEqual([[0], 1_000_250]);
});

test.each([
  [String(mostHops), 200],
  [String(mostHops + 1), "too-many-hops"],
  ["999999999999999", "too-many-hops"],
])("with %s hops behind it the answer is %s", async (hops, face) => {
  expect(faceOf(await arrive({ hops }).answer)).toBe(face);
});

test("credits that were granted end with the answer, so that background work cannot spend them twice", async () => {
  const granted = arrive({ credits: "2" });
  const own = arrive({});
  await Promise.all([granted.answer, own.answer]);
  expect([granted.seen[0]?.credits.left, own.seen[0]?.credits.left]).toEqual([0, arrivalCredits]);
});

test("an arrival whose caller goes away is cancelled, and so is what it waits for", async () => {
  const caller = new AbortController();
  const { answer, seen } = arrive({}, never, { signal: caller.signal });
  caller.abort();
  expect(faceOf(await answer)).toBe("cancelled");
  expect(seen[0]?.signal?.aborted).toBe(true);
});
