import { expect, test, vi } from "vitest";
import { header } from "../../../mesh-runtime/foundation/headers.ts";
import { RetryBudgets, type Retrying } from "../../../mesh-runtime/resilience/retried.ts";
import type { TrafficSettings } from "../../../mesh-runtime/resilience/words.ts";
import { causeWith, faceOf, responds, retryPolicy, traffic } from "./examples.ts";
import { headersOf, inFakeTime, send } from "./trying.ts";

inFakeTime();

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
