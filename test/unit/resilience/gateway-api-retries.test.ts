import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Answer, Departure, Noted } from "../../../mesh-runtime/foundation/exchange.ts";
import { journey } from "../../../mesh-runtime/foundation/layer.ts";
import { problemOf } from "../../../mesh-runtime/foundation/problem.ts";
import { compile } from "../../../mesh-runtime/policy/compile.ts";
import { meshTraffic } from "../../../mesh-runtime/policy/defaults.ts";
import { boundedDeparture } from "../../../mesh-runtime/resilience/bounded.ts";
import { RetryBudgets, retried } from "../../../mesh-runtime/resilience/retried.ts";
import type { TrafficSettings } from "../../../mesh-runtime/resilience/words.ts";
import type { Rule } from "../../../mesh-runtime/routing/words.ts";
import { allowAll, documents, entry, gateway, service } from "../policy/writing.ts";
import { messageFor, notesFor, responds, unreachable } from "./examples.ts";

/*
 * The cases of Gateway API's conformance tests for retries and timeouts (HTTPRouteRetry, HTTPRouteRetryConnectionError,
 * HTTPRouteRetryWithTimeouts, HTTPRouteTimeoutRequest, HTTPRouteTimeoutBackendRequest), with the values of their
 * manifests: from the document to the status that a caller sees.
 */

beforeEach(() => vi.useFakeTimers({ now: 1_000_000, toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => vi.useRealTimers());

/** The rule of a route at a Gateway, as it is compiled. */
function ruleWith(limits: string): Rule {
  const rules = `[{backendRefs: [{name: backend, port: 80}]${limits === "" ? "" : `, ${limits}`}}]`;
  const snapshot = compile(
    documents(
      allowAll(),
      service("gateway"),
      service("backend"),
      gateway("public", "listeners: [{name: http, port: 80, protocol: HTTP}]"),
      entry("retries", `parentRefs: [{name: public}], rules: ${rules}`),
    ),
  ).get("default/gateway");
  const rule = snapshot?.listeners[0]?.hosts[0]?.rules[0];
  if (rule === undefined) throw new Error("the route was not compiled");
  return rule;
}

type Entering = Departure &
  Noted & {
    readonly traffic: TrafficSettings;
    readonly requestTimeoutMs: number | undefined;
    readonly backendTimeoutMs: number | undefined;
    readonly retry: Rule["retry"];
  };

/** Gives each attempt its answer, after its delay. */
type Backend = (attempt: number) => { readonly answer: Answer; readonly delayMs: number };

/** What a caller from outside sees of one request under a rule, and how many attempts the backend saw. */
async function ask(rule: Rule, backend: Backend, method = "GET"): Promise<readonly [number, number]> {
  let attempts = 0;
  const clock = { now: () => Date.now() };
  const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const step = journey<Entering, Answer>()
    .through(boundedDeparture({ clock }))
    .through(retried({ clock, random: () => 0.5, budgets: new RetryBudgets(() => 0), wait }))
    .to(({ attempt, notes }) => {
      attempts = attempt;
      notes.backend = "default/backend";
      const { answer, delayMs } = backend(attempt);
      return new Promise((resolve) => setTimeout(() => resolve(answer), delayMs));
    });
  const answering = step({
    message: messageFor({ method }),
    signal: undefined,
    cause: undefined,
    startedAt: Date.now(),
    background: { run: () => undefined },
    notes: { ...notesFor("default/public/http"), route: rule.name },
    traffic: meshTraffic,
    requestTimeoutMs: rule.requestTimeoutMs,
    backendTimeoutMs: rule.backendTimeoutMs,
    retry: rule.retry,
  });
  await vi.runAllTimersAsync();
  const answer = await answering;
  return [answer.ok ? answer.value.status : problemOf(answer.reason).status, attempts];
}

/** A backend that fails so often, in this way and after so long, and then is well. */
const wellAfter =
  (failures: number, failure: Answer, delayMs = 0): Backend =>
  (attempt) =>
    attempt <= failures ? { answer: failure, delayMs } : { answer: responds(200), delayMs: 0 };

describe("a rule with code 500 and three attempts", () => {
  const rule = ruleWith("retry: {codes: [500], attempts: 3}");

  test.each([
    ["is answered after two retries that were needed", wellAfter(2, responds(500)), [200, 3]],
    ["gets all three", wellAfter(3, responds(500)), [200, 4]],
    ["passes the 500 itself on when four were needed", wellAfter(4, responds(500)), [500, 4]],
    ["does not repeat a 503, which is not listed", wellAfter(2, responds(503)), [503, 1]],
  ] as const)("%s", async (_, backend, seen) => {
    expect(await ask(rule, backend)).toEqual(seen);
  });
});

describe("a rule with all codes and two attempts", () => {
  const rule = ruleWith("retry: {codes: [500, 502, 503, 504], attempts: 2}");

  test.each([500, 502, 503, 504])("repeats a %d", async (code) => {
    expect(await ask(rule, wellAfter(1, responds(code)))).toEqual([200, 2]);
  });

  test.each([500, 502, 503, 504])("passes the last %d itself on when three were needed", async (code) => {
    expect(await ask(rule, wellAfter(3, responds(code)))).toEqual([code, 3]);
  });
});

describe("a rule with three attempts and no codes", () => {
  const rule = ruleWith("retry: {attempts: 3}");

  test("is answered after two connections that broke", async () => {
    expect(await ask(rule, wellAfter(2, unreachable(true)))).toEqual([200, 3]);
  });

  test("fails when four connections break", async () => {
    expect(await ask(rule, wellAfter(4, unreachable(true)))).toEqual([503, 4]);
  });

  test("repeats no answer, whatever its status", async () => {
    for (const code of [500, 502, 503, 504])
      expect(await ask(rule, wellAfter(1, responds(code)))).toEqual([code, 1]);
  });

  test("repeats a write only where no connection could be made", async () => {
    expect(await ask(rule, wellAfter(2, unreachable(false)), "POST")).toEqual([200, 3]);
    expect(await ask(rule, wellAfter(2, unreachable(true)), "POST")).toEqual([503, 1]);
  });
});

test("a retry without attempts is one", async () => {
  expect(await ask(ruleWith("retry: {codes: [500]}"), wellAfter(2, responds(500)))).toEqual([500, 2]);
  expect(await ask(ruleWith("retry: {}"), wellAfter(1, unreachable(true)))).toEqual([200, 2]);
});

describe("two attempts of 200 ms each", () => {
  const rule = ruleWith("retry: {attempts: 2}, timeouts: {backendRequest: 200ms}");

  test("are answered after two that took too long", async () => {
    expect(await ask(rule, wellAfter(2, responds(500), 300))).toEqual([200, 3]);
  });

  test("end with 504 when three take too long", async () => {
    expect(await ask(rule, wellAfter(3, responds(500), 300))).toEqual([504, 3]);
  });
});

describe("five attempts of 200 ms each within 400 ms", () => {
  const rule = ruleWith(
    "retry: {codes: [500], attempts: 5}, timeouts: {backendRequest: 200ms, request: 400ms}",
  );

  test("are answered within the request's time", async () => {
    expect(await ask(rule, wellAfter(1, responds(500)))).toEqual([200, 2]);
  });

  test.each([100, 90, 130])("end with 504 when attempts of %d ms take longer together", async (delayMs) => {
    const [status, attempts] = await ask(rule, wellAfter(4, responds(500), delayMs));
    expect(status).toBe(504);
    expect(attempts).toBeLessThanOrEqual(4);
  });
});

describe("the timeout of a request", () => {
  const slow: Backend = () => ({ answer: responds(200), delayMs: 1_000 });
  const quick: Backend = () => ({ answer: responds(200), delayMs: 0 });

  test.each([
    ["of 500ms lets a quick answer pass", "timeouts: {request: 500ms}", quick, 200],
    ["of 500ms answers 504 for one that takes a second", "timeouts: {request: 500ms}", slow, 504],
    ["of 0s is none", 'timeouts: {request: "0s"}', slow, 200],
  ] as const)("%s", async (_, limits, backend, status) => {
    expect((await ask(ruleWith(limits), backend))[0]).toBe(status);
  });

  test("of 0s outlasts the timeout that every destination has", async () => {
    const long: Backend = () => ({ answer: responds(200), delayMs: 60_000 });
    expect((await ask(ruleWith('timeouts: {request: "0s"}'), long))[0]).toBe(200);
    expect((await ask(ruleWith(""), long))[0]).toBe(504);
  });
});

describe("the timeout of an attempt", () => {
  const quick: Backend = () => ({ answer: responds(200), delayMs: 0 });
  const slow: Backend = () => ({ answer: responds(200), delayMs: 1_000 });

  test.each([
    ["of 500ms lets a quick answer pass", "timeouts: {backendRequest: 500ms}", quick, 200],
    ["of 500ms answers 504 for one that takes a second", "timeouts: {backendRequest: 500ms}", slow, 504],
    ["of 0s is none", 'timeouts: {backendRequest: "0s"}', slow, 200],
  ] as const)("%s", async (_, limits, backend, status) => {
    expect((await ask(ruleWith(limits), backend))[0]).toBe(status);
  });

  test("is not cut short by the timeout that every destination has, nor are the attempts after it", async () => {
    const rule = ruleWith("timeouts: {backendRequest: 20s}, retry: {attempts: 2}");
    expect(await ask(rule, wellAfter(2, responds(200), 30_000))).toEqual([200, 3]);
    expect(await ask(rule, () => ({ answer: responds(200), delayMs: 19_000 }))).toEqual([200, 1]);
  });
});
