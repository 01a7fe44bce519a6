import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Answer, Cause, Message, Notes } from "../../../mesh-runtime/foundation/exchange.ts";
import { header } from "../../../mesh-runtime/foundation/headers.ts";
import { journey } from "../../../mesh-runtime/foundation/layer.ts";
import { problemOf, problemResponse } from "../../../mesh-runtime/foundation/problem.ts";
import { ok } from "../../../mesh-runtime/foundation/result.ts";
import { RetryBudgets, type Retrying, retried } from "../../../mesh-runtime/resilience/retried.ts";
import type { RetryPolicy, TrafficSettings } from "../../../mesh-runtime/resilience/words.ts";
import { refusals } from "../../support/refusals.ts";
import {
  causeWith,
  faceOf,
  messageFor,
  notesFor,
  refuses,
  responds,
  retryPolicy,
  traffic,
  unreachable,
} from "./examples.ts";

beforeEach(() => vi.useFakeTimers({ now: 1_000_000, toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => vi.useRealTimers());

interface Seen {
  readonly attempt: number;
  readonly tried: readonly string[];
  readonly message: Message;
  readonly signal: AbortSignal | undefined;
}

interface Known {
  readonly message?: Partial<Message>;
  readonly cause?: Cause;
  readonly policy?: Partial<RetryPolicy>;
  readonly route?: Retrying["retry"];
  readonly backends?: Retrying["backends"];
  readonly requestTimeoutMs?: number;
  readonly backendTimeoutMs?: number;
  readonly known?: NonNullable<Retrying["policy"]>;
  readonly deadlineAt?: number;
  readonly signal?: AbortSignal;
  readonly budgets?: RetryBudgets;
}

type Last = (seen: Seen, notes: Notes) => Answer | Promise<Answer>;

/** Sends a message through `retried`; attempt n is answered by the n-th answer, the last one from then on. */
function send(answers: readonly (Answer | Last)[], known: Known = {}) {
  const seen: Seen[] = [];
  const waits: number[] = [];
  const notes = notesFor();
  const budgets = known.budgets ?? new RetryBudgets(() => 0.999);
  const step = journey<Retrying, Answer>()
    .through(
      retried({
        clock: { now: () => Date.now() },
        random: () => 0.5,
        budgets,
        wait: async (ms) => {
          waits.push(ms);
          await vi.advanceTimersByTimeAsync(ms);
        },
      }),
    )
    .to(async ({ attempt, tried, message, signal }) => {
      const now = { attempt, tried, message, signal };
      seen.push(now);
      notes.backend = `default/payments-v${attempt}`;
      const answer = answers[Math.min(attempt, answers.length) - 1];
      if (answer === undefined) throw new Error("no answer was given");
      return typeof answer === "function" ? answer(now, notes) : answer;
    });
  const answer = step({
    message: messageFor(known.message),
    cause: known.cause,
    traffic: { ...traffic, retry: { ...retryPolicy, ...known.policy } },
    retry: known.route,
    backendTimeoutMs: known.backendTimeoutMs,
    startedAt: Date.now(),
    requestTimeoutMs: known.requestTimeoutMs,
    deadlineAt: known.deadlineAt,
    signal: known.signal,
    notes,
    ...(known.backends === undefined ? {} : { backends: known.backends }),
    ...(known.known === undefined ? {} : { policy: known.known }),
  });
  return { answer, seen, waits, notes, budgets };
}

const headersOf = ({ message }: Seen) =>
  [header.deadline, header.credits, header.hops].map((name) => message.headers.get(name));

test("a second try follows a 503 after a jittered pause, and its answer is the answer", async () => {
  const { answer, seen, waits, notes } = send([responds(503), responds(200)]);
  expect(faceOf(await answer)).toBe(200);
  expect(waits).toEqual([12]);
  expect(seen.map(({ attempt, tried }) => [attempt, tried])).toEqual([
    [1, []],
    [2, ["default/payments-v1"]],
  ]);
  expect(notes.tries.map(({ backend, status, refusal }) => [backend, status, refusal])).toEqual([
    ["default/payments-v1", 503, undefined],
    ["default/payments-v2", 200, undefined],
  ]);
});

test("when nothing more may follow, the last answer passes on as it is", async () => {
  const last = responds(504);
  const { answer, seen } = send([unreachable(true), last]);
  expect(await answer).toBe(last);
  expect(seen).toHaveLength(2);
});

test("a refusal for load by the callee's mesh is passed on and never retried", async () => {
  const { answer, seen } = send([ok(problemResponse(problemOf(refusals.overloaded)))]);
  expect(faceOf(await answer)).toBe(503);
  expect(seen).toHaveLength(1);
});

test("the response that is given up is let go of", async () => {
  let cancelled = false;
  const body = new ReadableStream({
    cancel() {
      cancelled = true;
    },
  });
  await send([ok(new Response(body, { status: 503 })), responds(200)]).answer;
  expect(cancelled).toBe(true);
});

test("each attempt says what it may still use, whatever the application had written there", async () => {
  const forged = new Headers({ [header.deadline]: "86400000", [header.credits]: "10", [header.hops]: "0" });
  const { answer, seen } = send([responds(503), responds(200)], {
    message: { headers: forged },
    cause: causeWith({ hops: 4, credits: { left: 3 } }),
    deadlineAt: 1_000_500,
  });
  await answer;
  expect(seen.map(headersOf)).toEqual([
    ["500", "2", "5"],
    ["488", "0", "5"],
  ]);
});

test("without a deadline none is written, and a call that nobody caused is the first hop", async () => {
  const { answer, seen } = send([responds(200)], {
    message: { headers: new Headers({ [header.deadline]: "1" }) },
  });
  await answer;
  expect(seen.map(headersOf)).toEqual([[null, "2", "1"]]);
});

test("attempts do not see each other's headers", async () => {
  const { answer, seen } = send([
    ({ message }) => {
      message.headers.set("signature", "first");
      return responds(503);
    },
    responds(200),
  ]);
  await answer;
  expect(seen[1]?.message.headers.get("signature")).toBeNull();
});

test("a body that streams is sent whole to both attempts", async () => {
  const bodies: string[] = [];
  const reads: Last = async ({ message }) => {
    bodies.push(await new Response(message.body as BodyInit).text());
    return responds(bodies.length === 1 ? 503 : 200);
  };
  const stream = new Blob(["hello"]).stream();
  const { answer } = send([reads], { message: { method: "PUT", body: stream } });
  expect(faceOf(await answer)).toBe(200);
  expect(bodies).toEqual(["hello", "hello"]);
});

test("a body above the limit is sent once", async () => {
  const stream = new Blob(["hello"]).stream();
  const reads: Last = async ({ message }) => {
    await new Response(message.body as BodyInit).text();
    return responds(503);
  };
  const { answer, seen } = send([reads], {
    message: { method: "PUT", body: stream },
    policy: { maxReplayBytes: 4 },
  });
  expect(faceOf(await answer)).toBe(503);
  expect(seen).toHaveLength(1);
});

test("a request to upgrade is never repeated", async () => {
  const { answer, seen } = send([unreachable(false), responds(200)], {
    message: { headers: new Headers({ upgrade: "websocket" }) },
  });
  expect(faceOf(await answer)).toBe("unreachable");
  expect(seen).toHaveLength(1);
});

test("a write is repeated only with an idempotency key, or when it reached nobody", async () => {
  const post = (headers: Record<string, string>, first: Answer) =>
    send([first, responds(200)], { message: { method: "POST", headers: new Headers(headers) } }).answer;
  const key = { "idempotency-key": "order-7" };
  expect(faceOf(await post({}, unreachable(true)))).toBe("unreachable");
  expect(faceOf(await post({ "idempotency-key": "" }, responds(503)))).toBe(503);
  expect(faceOf(await post(key, responds(503)))).toBe(200);
  expect(faceOf(await post({}, unreachable(false)))).toBe(200);
});

test("an attempt that outlasts its own limit fails alone, and the next has a limit of its own", async () => {
  const never: Last = () => new Promise<Answer>(() => undefined);
  const { answer, seen, notes } = send([never, responds(200)], {
    backendTimeoutMs: 100,
    deadlineAt: 1_001_000,
  });
  await vi.advanceTimersByTimeAsync(100);
  expect(faceOf(await answer)).toBe(200);
  expect(seen[0]?.signal?.reason).toMatchObject({ name: "TimeoutError" });
  expect(seen[1]?.signal?.aborted).toBe(false);
  expect(seen.map((each) => headersOf(each)[0])).toEqual(["100", "100"]);
  expect(notes.tries[0]?.refusal).toEqual({
    kind: "deadline-exceeded",
    destination: "default/payments",
    budgetMs: 100,
  });
  expect(vi.getTimerCount()).toBe(0);
});

test("an attempt's limit above the deadline needs no timer, and 0 disables it", async () => {
  const timers: number[] = [];
  const counts: Last = () => {
    timers.push(vi.getTimerCount());
    return responds(200);
  };
  await send([counts], { backendTimeoutMs: 2_000, deadlineAt: 1_001_000 }).answer;
  await send([counts], { backendTimeoutMs: 0, policy: { perTryTimeoutMs: 50 }, deadlineAt: 1_001_000 })
    .answer;
  await send([counts], { policy: { perTryTimeoutMs: 50 }, deadlineAt: 1_001_000 }).answer;
  expect(timers).toEqual([0, 0, 1]);
});

test("a caller who goes away ends the trying", async () => {
  const caller = new AbortController();
  const aborts: Last = () => {
    caller.abort();
    return responds(503);
  };
  const { answer, seen, waits } = send([aborts], { signal: caller.signal });
  await answer;
  expect([seen.length, waits.length]).toEqual([1, 0]);
});

test("a caller who goes away during the pause is not sent for again", async () => {
  const caller = new AbortController();
  const seen: number[] = [];
  const step = journey<Retrying, Answer>()
    .through(
      retried({
        clock: { now: () => Date.now() },
        random: () => 0.5,
        budgets: new RetryBudgets(() => 0.999),
        wait: async () => {
          caller.abort();
          throw caller.signal.reason;
        },
      }),
    )
    .to(async ({ attempt }) => {
      seen.push(attempt);
      return responds(503);
    });
  const answer = await step({
    message: messageFor(),
    cause: undefined,
    traffic,
    startedAt: Date.now(),
    retry: undefined,
    requestTimeoutMs: undefined,
    backendTimeoutMs: undefined,
    deadlineAt: undefined,
    signal: caller.signal,
    notes: notesFor(),
  });
  expect([faceOf(answer), seen]).toEqual(["cancelled", [1]]);
});

test("credits are spent by retries, lent to callees, and come back as far as they were not spent", async () => {
  const credits = { left: 3 };
  const { answer } = send(
    [responds(503, { [header.credits]: "2" }), responds(200, { [header.credits]: "1" })],
    {
      cause: causeWith({ credits }),
    },
  );
  await answer;
  // 3, lends 2, 2 come back, spends 1 on the retry, lends 2, 1 comes back.
  expect(credits.left).toBe(1);
});

test("a call tree without credits tries once", async () => {
  const { answer, seen } = send([responds(503)], { cause: causeWith({ credits: { left: 0 } }) });
  expect(faceOf(await answer)).toBe(503);
  expect(seen.map((each) => headersOf(each)[1])).toEqual(["0"]);
});

test("calls that one arrival makes at the same time share its credits", async () => {
  const credits = { left: 1 };
  const both = [1, 2].map(() => send([responds(503)], { cause: causeWith({ credits }) }));
  await Promise.all(both.map(({ answer }) => answer));
  expect(both.reduce((sum, { seen }) => sum + seen.length, 0)).toBe(3);
});

test("an empty budget means one try, and every original request pays in", async () => {
  const budgets = new RetryBudgets(() => 0);
  const tries: number[] = [];
  for (let i = 0; i < 10; i++) {
    const { answer, seen } = send([responds(503)], { budgets });
    await answer;
    tries.push(seen.length);
  }
  expect(tries).toEqual([1, 1, 1, 1, 2, 1, 1, 1, 1, 2]);
});

test("past an open circuit the request goes to another backend at once, and stops when all were tried", async () => {
  const backends = [1, 2].map((n) => ({ service: `default/payments-v${n}`, weight: 1 }));
  const open = refuses(refusals["circuit-open"]);
  const credits = { left: 0 };
  const { answer, seen, waits } = send([open, open], { backends, cause: causeWith({ credits }) });
  expect(faceOf(await answer)).toBe("circuit-open");
  expect([seen.length, waits.length, credits.left]).toEqual([2, 0, 0]);
});

test("a backend that never says its name does not make the request go round for ever", async () => {
  const backends = [1, 2].map((n) => ({ service: `default/other-v${n}`, weight: 1 }));
  const { answer, seen } = send([refuses(refusals["circuit-open"])], { backends });
  expect(faceOf(await answer)).toBe("circuit-open");
  expect(seen).toHaveLength(3);
});

test("no try begins, and no pause ends, after the deadline", async () => {
  const budgets = new RetryBudgets(() => 0);
  for (let i = 0; i < 50; i++) budgets.deposit("default/payments", 0.2);
  const slow: Last = async () => {
    await vi.advanceTimersByTimeAsync(300);
    return responds(503);
  };
  const { answer, notes, waits } = send([slow], {
    deadlineAt: 1_001_000,
    budgets,
    cause: causeWith({ credits: { left: 10 } }),
    route: { codes: [503], attempts: 9, backoffMs: 50 },
  });
  await answer;
  expect(notes.tries.map(({ startedAt }) => startedAt - 1_000_000)).toEqual([0, 325, 700]);
  expect(waits).toEqual([25, 75]);
});

/** Policy of a mesh in which every backend is treated so. */
const everywhere = (
  more: Partial<TrafficSettings>,
  promisedRetries?: number,
): NonNullable<Retrying["policy"]> => ({
  snapshot: promisedRetries === undefined ? {} : { promisedRetries },
  destination: () => ({ settings: { traffic: { ...traffic, ...more } } }),
});
const one = [{ service: "default/payments-v1", weight: 1 }];

test("a rule that says how often to retry gets it when requests come one at a time", async () => {
  const budgets = new RetryBudgets(() => 0);
  const route = { codes: [503], attempts: 3 };
  const three = [responds(503), responds(503), responds(503), responds(200)];
  for (let request = 0; request < 5; request++) {
    const { answer, seen } = send(three, { budgets, route });
    expect([faceOf(await answer), seen.length]).toEqual([200, 4]);
  }
  const { answer, seen } = send([responds(503)], { budgets, route: { codes: [503], attempts: 2 } });
  expect([faceOf(await answer), seen.length]).toEqual([503, 3]);
});

test("a rule's reserve ends: a storm gets a hundred retries and then ten a second", async () => {
  const budgets = new RetryBudgets(() => 0);
  const route = { codes: [503], attempts: 3, backoffMs: 0 };
  const storm = async (requests: number): Promise<number> => {
    let retries = 0;
    for (let request = 0; request < requests; request++) {
      const { answer, seen } = send([responds(503)], { budgets, route, policy: { budgetRatio: 0.001 } });
      await answer;
      retries += seen.length - 1;
    }
    return retries;
  };
  expect(await storm(100)).toBe(100);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await storm(100)).toBe(20);
});

test("a destination that wants no retries at all has no reserve for anybody", async () => {
  const { answer, seen } = send([responds(503)], {
    route: { codes: [503], attempts: 3 },
    policy: { budgetRatio: 0 },
    budgets: new RetryBudgets(() => 0),
  });
  await answer;
  expect(seen).toHaveLength(1);
});

test("where every backend has a budget of its own, the destination's share is not asked", async () => {
  const constraint = { percent: 20, intervalMs: 10_000, minimumCount: 10, minimumIntervalMs: 1_000 };
  const tries = async (known: NonNullable<Retrying["policy"]>): Promise<number> => {
    const { answer, seen } = send([responds(503)], {
      budgets: new RetryBudgets(() => 0),
      policy: { attempts: 3 },
      backends: one,
      known,
    });
    await answer;
    return seen.length;
  };
  expect(await tries(everywhere({ retryConstraint: constraint }))).toBe(4);
  expect(await tries(everywhere({}))).toBe(1);
});

test("writes are repeated where every backend says that they may be", async () => {
  const post = (known: NonNullable<Retrying["policy"]>) =>
    send([responds(503), responds(200)], { message: { method: "POST" }, backends: one, known }).answer;
  const retry = { ...retryPolicy, nonIdempotent: true };
  expect(faceOf(await post(everywhere({ retry })))).toBe(200);
  expect(faceOf(await post(everywhere({})))).toBe(503);
});

test("a call tree begins with what the most eager route of the mesh promises", async () => {
  const { answer, seen } = send([responds(200)], { backends: one, known: everywhere({}, 5) });
  await answer;
  // Its own one, and five and one beneath.
  expect(seen.map((each) => headersOf(each)[1])).toEqual(["6"]);
});

test("a route's timeout of the request goes before its attempts: where no time is left for one more, 504", async () => {
  const slow: Last = async () => {
    await vi.advanceTimersByTimeAsync(390);
    return responds(500);
  };
  const known = { deadlineAt: 1_000_400, backendTimeoutMs: 0 };
  const route = { codes: [500], attempts: 5 };
  expect(faceOf(await send([slow], { ...known, route, requestTimeoutMs: 400 }).answer)).toBe(
    "deadline-exceeded",
  );
  vi.setSystemTime(1_000_000);
  // The same without a word of the route on time, or on retries: what the destination said.
  expect(faceOf(await send([slow], { ...known, route }).answer)).toBe(500);
  vi.setSystemTime(1_000_000);
  expect(
    faceOf(await send([slow], { ...known, requestTimeoutMs: 400, policy: { codes: [500] } }).answer),
  ).toBe(500);
});

test("a response that takes longer than a route's timeouts breaks off, and one that nobody bounds does not", async () => {
  const endless = () =>
    ok(
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("tick")),
        }),
      ),
    );
  const read = async (known: Known): Promise<string> => {
    const answer = await send([endless()], { ...known, deadlineAt: 1_015_000 }).answer;
    if (!answer.ok) return answer.reason.kind;
    const text = answer.value.text().then(
      () => "whole",
      (error: Error) => error.name,
    );
    await vi.advanceTimersByTimeAsync(60_000);
    return Promise.race([text, Promise.resolve("still coming")]);
  };
  expect(await read({ backendTimeoutMs: 200 })).toBe("TimeoutError");
  expect(await read({ requestTimeoutMs: 300 })).toBe("TimeoutError");
  expect(await read({ backendTimeoutMs: 0, requestTimeoutMs: 0 })).toBe("still coming");
  expect(await read({})).toBe("still coming");
});
