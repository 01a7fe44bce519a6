import { afterEach, beforeEach, vi } from "vitest";
import type { Answer, Cause, Message, Notes } from "../../../mesh-runtime/foundation/exchange.ts";
import { header } from "../../../mesh-runtime/foundation/headers.ts";
import { journey } from "../../../mesh-runtime/foundation/layer.ts";
import { RetryBudgets, type Retrying, retried } from "../../../mesh-runtime/resilience/retried.ts";
import type { RetryPolicy } from "../../../mesh-runtime/resilience/words.ts";
import { messageFor, notesFor, retryPolicy, traffic } from "./examples.ts";

/** Has each test of a file begin a million milliseconds after the epoch, by a clock that it moves on itself. */
export function inFakeTime(): void {
  beforeEach(() => vi.useFakeTimers({ now: 1_000_000, toFake: ["setTimeout", "clearTimeout", "Date"] }));
  afterEach(() => vi.useRealTimers());
}

interface Seen {
  readonly attempt: number;
  readonly tried: readonly string[];
  readonly message: Message;
  readonly signal: AbortSignal | undefined;
}

/** What is known of a message beside its answers. */
export interface Known {
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

/** An answer that depends on the attempt. */
export type Last = (seen: Seen, notes: Notes) => Answer | Promise<Answer>;

/** Sends a message through `retried`; attempt n is answered by the n-th answer, the last one from then on. */
export function send(answers: readonly (Answer | Last)[], known: Known = {}) {
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

/** What an attempt said of its deadline, its credits and its hops. */
export const headersOf = ({ message }: Seen) =>
  [header.deadline, header.credits, header.hops].map((name) => message.headers.get(name));
