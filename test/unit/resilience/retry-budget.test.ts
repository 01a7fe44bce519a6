import fc from "fast-check";
import { expect, test } from "vitest";
import {
  deposit,
  freshBucket,
  RetryBudgets,
  refilled,
  withdraw,
} from "../../../mesh-runtime/resilience/retry-budget.ts";
import { fixed, randomFrom } from "./examples.ts";

/** How many retries a bucket pays for when every request wants one, after each request. */
function paidAfter(requests: number, ratio: number, draw: number): number[] {
  let bucket = freshBucket(() => draw);
  let paid = 0;
  return Array.from({ length: requests }, () => {
    bucket = deposit(bucket, ratio);
    for (let rest = withdraw(bucket); rest !== undefined; rest = withdraw(bucket)) {
      bucket = rest;
      paid += 1;
    }
    return paid;
  });
}

test("at every moment retries are at most 0.2 n + 1, and the balance is never negative", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 999 }),
      fc.array(fc.boolean(), { maxLength: 300 }),
      (draw, steps) => {
        let bucket = freshBucket(() => draw / 1_000);
        let requests = 0;
        let retries = 0;
        for (const isRequest of steps) {
          if (isRequest) {
            bucket = deposit(bucket, 0.2);
            requests += 1;
          } else {
            const rest = withdraw(bucket);
            if (rest !== undefined) retries += 1;
            bucket = rest ?? bucket;
          }
          if (bucket.millitokens < 0 || !Number.isInteger(bucket.millitokens)) return false;
          if (retries > 0.2 * requests + 1) return false;
        }
        return true;
      },
    ),
    fixed,
  );
});

test.each([1, 2, 3, 7, 10, 50])(
  "over all starting balances %d requests pay for exactly 0.2 of a retry each",
  (n) => {
    let paid = 0;
    for (let draw = 0; draw < 1_000; draw++) paid += paidAfter(n, 0.2, draw / 1_000).at(-1) ?? 0;
    expect(paid).toBe(200 * n);
  },
);

test("fifty tenths are five retries, not 5.000000000000001 of them", () => {
  expect(paidAfter(50, 0.1, 0).at(-1)).toBe(5);
});

test("a quiet time saves up ten retries and no more", () => {
  let bucket = freshBucket(() => 0);
  for (let i = 0; i < 1_000; i++) bucket = deposit(bucket, 0.2);
  expect(bucket.millitokens).toBe(10_000);
});

test("destinations do not pay for each other", () => {
  const budgets = new RetryBudgets(() => 0);
  for (let i = 0; i < 5; i++) budgets.deposit("default/a", 0.2);
  const affords = (destination: string) => budgets.affords(destination, undefined, 0);
  const pays = (destination: string) => budgets.withdraw(destination, undefined, 0);
  expect([affords("default/a"), affords("default/b")]).toEqual([true, false]);
  expect([pays("default/b"), pays("default/a"), pays("default/a")]).toEqual([false, true, false]);
});

test("more destinations than an isolate keeps are as exact as few", () => {
  const budgets = new RetryBudgets(randomFrom(7));
  let paid = 0;
  for (let i = 0; i < 20_000; i++) {
    budgets.deposit(`default/s${i % 2_500}`, 0.2);
    if (budgets.withdraw(`default/s${i % 2_500}`, undefined, 0)) paid += 1;
  }
  expect(paid / 20_000).toBeGreaterThan(0.19);
  expect(paid / 20_000).toBeLessThan(0.21);
});

test("a rule's reserve pays for a hundred retries at once and ten a second, after the destination's share", () => {
  const budgets = new RetryBudgets(() => 0);
  for (let i = 0; i < 5; i++) budgets.deposit("default/a", 0.2);
  const paid = (now: number): number => {
    let count = 0;
    while (budgets.affords("default/a", "rule", now) && budgets.withdraw("default/a", "rule", now))
      count += 1;
    return count;
  };
  expect([paid(0), paid(0), paid(1_000), paid(1_050), paid(1_100), paid(1_000_000)]).toEqual([
    101, 0, 10, 0, 1, 100,
  ]);
});

test("rules do not pay for each other, and a clock that is set back fills nothing", () => {
  const budgets = new RetryBudgets(() => 0);
  for (let i = 0; i < 100; i++) budgets.withdraw("default/a", "one", 5_000);
  expect(budgets.affords("default/a", "one", 5_000)).toBe(false);
  expect(budgets.affords("default/a", "two", 5_000)).toBe(true);
  expect(refilled({ millitokens: 0, at: 5_000 }, 1_000).millitokens).toBe(0);
});

test("a reserve pays for no more than it holds, though nobody asks whether it could", () => {
  const budgets = new RetryBudgets(() => 0);
  let paid = 0;
  for (let i = 0; i < 150; i++) if (budgets.withdraw("default/a", "rule", 0)) paid += 1;
  expect(paid).toBe(100);
});

test("as many rules as an isolate keeps are remembered, and one more takes the place of the oldest", () => {
  const budgets = new RetryBudgets(() => 0);
  const spend = (rule: string): void => {
    for (let i = 0; i < 100; i++) budgets.withdraw("default/a", rule, 0);
  };
  const spent = (rule: string): boolean => !budgets.affords("default/a", rule, 0);
  for (let i = 0; i < 1_000; i++) spend(`rule-${i}`);
  expect(["rule-0", "rule-999"].map(spent)).toEqual([true, true]);
  spend("rule-1000");
  expect(["rule-0", "rule-1", "rule-1000"].map(spent)).toEqual([false, true, true]);
});
