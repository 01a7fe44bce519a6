import { expect, test, vi } from "vitest";
import type { Answer } from "../../../mesh-runtime/foundation/exchange.ts";
import { journey } from "../../../mesh-runtime/foundation/layer.ts";
import { ok } from "../../../mesh-runtime/foundation/result.ts";
import { RetryBudgets, type Retrying, retried } from "../../../mesh-runtime/resilience/retried.ts";
import { causeWith, faceOf, messageFor, notesFor, responds, traffic } from "./examples.ts";
import { headersOf, inFakeTime, type Known, type Last, send } from "./trying.ts";

inFakeTime();

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
  // Where there is time, but no further try: what the destination said.
  const few = { codes: [500], attempts: 0 };
  expect(faceOf(await send([slow], { ...known, route: few, requestTimeoutMs: 400 }).answer)).toBe(500);
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
