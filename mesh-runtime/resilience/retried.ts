import type { Answer, Cause, Message, Noted, Try } from "../foundation/exchange.ts";
import { Fields, type HeaderFields } from "../foundation/fields.ts";
import { header } from "../foundation/headers.ts";
import { layer } from "../foundation/layer.ts";
import type { Clock, Random } from "../foundation/ports.ts";
import { no } from "../foundation/result.ts";
import { timedOut } from "../foundation/time-limit.ts";
import { asksForWebSocket } from "../foundation/web-socket.ts";
import { backoffMs, parseRetryAfter } from "./backoff.ts";
import { bodyLimited } from "./body-limit.ts";
import { givenBack, grantOf, rootCredits } from "./credits.ts";
import { formatRemaining, parseCount } from "./deadline.ts";
import { discard, type Wait, withinLimit } from "./limit.ts";
import { problemIn } from "./outcome.ts";
import { everyBackend, type Paying, purseOf, usable } from "./purse.ts";
import { type Body, once, type ReplayBody, replayBody } from "./replay-body.ts";
import type { RetryBudgets } from "./retry-budget.ts";
import { backoffOf, type Ended, mayRetry, retriesAllowed } from "./retry-policy.ts";
import type { Attempted, Bounded } from "./words.ts";

export type { Wait } from "./limit.ts";
export { RetryBudgets } from "./retry-budget.ts";

/** What `retried` must know: one message, and what it may cost to carry it. */
export interface Retrying extends Bounded, Noted, Omit<Paying, "notes"> {
  readonly message: Message;
  readonly cause: Cause | undefined;
  readonly startedAt: number;
  /** The route's own timeouts, for all tries and for each. */
  readonly requestTimeoutMs: number | undefined;
  readonly backendTimeoutMs: number | undefined;
  /** Whose share retries are paid out of. @default the destination */
  readonly payer?: string | undefined;
  readonly policy?: Paying["policy"] & { readonly snapshot: { readonly promisedRetries?: number } };
}

export interface RetriedPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly budgets: RetryBudgets;
  readonly wait: Wait;
}

/**
 * After this layer there is one attempt of the request, and there may be another after it: where that is
 * safe (`retry-policy.ts`), and while deadline, attempt credits and the destination's budget last. Each
 * attempt has its own headers, its own limit of time and the whole body.
 *
 * When no further try may follow, the last answer passes on as it is, so that callers see what the destination said.
 * One refusal is its own: `deadline-exceeded`, where a route that bounds the request itself wants a further try and
 * its time does not last for one (Gateway API: the timeout of the request goes before the attempts). Requests for
 * a WebSocket are never repeated.
 */
export const retried = (ports: RetriedPorts) =>
  layer<
    Retrying,
    Attempted & { readonly message: Message; readonly signal: AbortSignal | undefined },
    Answer
  >("retried", (next) => async (exchange) => {
    const { message, notes, signal, deadlineAt, retry: route } = exchange;
    const policy = exchange.traffic.retry;
    const destination = notes.destination;
    const payer = exchange.payer ?? destination;
    const backends = exchange.backends ?? [];
    const allowed = retriesAllowed(policy, route);
    const pool = exchange.cause?.credits ?? {
      left: rootCredits(allowed, exchange.policy?.snapshot.promisedRetries),
    };
    ports.budgets.deposit(payer, policy.budgetRatio);

    const body = await bodyFor(message, policy.maxReplayBytes, allowed > 0 || backends.length > 1);
    const pristine = message.headers;
    const tried: string[] = [];
    let retries = 0;
    let detours = 0;
    try {
      for (let attempt = 1; ; attempt++) {
        const grant = grantOf(pool.left, allowed - retries);
        pool.left -= grant;
        const startedAt = ports.clock.now();
        const leftMs = deadlineAt === undefined ? undefined : deadlineAt - startedAt;
        const limitMs = tighter(exchange.backendTimeoutMs ?? policy.perTryTimeoutMs, leftMs);

        const headers = new Fields(pristine);
        setLimits(headers, limitMs ?? leftMs, grant, (exchange.cause?.hops ?? 0) + 1);
        const own: Message = { ...message, headers, body: body.take() };
        const answer = await limited(signal, limitMs, destination, (attemptSignal) =>
          next({ ...exchange, message: own, signal: attemptSignal, attempt, retries, tried: [...tried] }),
        );

        pool.left += givenBack(answer, grant);
        const endedAt = ports.clock.now();
        notes.tries.push(tryOf(answer, notes.backend, startedAt, endedAt));
        if (notes.backend !== "") tried.push(notes.backend);
        if (notes.endpoint !== "") tried.push(`${notes.backend} ${notes.endpoint}`);
        if (signal?.aborted) return answer;
        // Codes that are worth another try begin at 400.
        if (answer.ok && answer.value.status < 400) return bodyLimited(answer, exchange, startedAt, endedAt);

        const purse = purseOf(exchange);
        const decision = mayRetry({
          method: message.method,
          idempotencyKey: (pristine.get("idempotency-key") ?? "") !== "",
          ended: endOf(answer, endedAt),
          attempt: retries + 1,
          policy: everyBackend(exchange, ({ retry }) => retry.nonIdempotent)
            ? { ...policy, nonIdempotent: true }
            : policy,
          route,
          credits: pool.left,
          budget: purse === undefined || ports.budgets.affords(payer, purse.rule, endedAt),
          remainingMs: deadlineAt === undefined ? undefined : deadlineAt - endedAt,
          replayable: body.replayable(),
          elsewhere:
            detours < backends.length &&
            backends.some((each) => usable(each) && !tried.includes(each.service)),
          backoffMs: backoffMs(retries + 1, backoffOf(policy, route), ports.random),
        });
        if (!decision.retry) {
          const budgetMs = exchange.requestTimeoutMs ?? 0;
          if (decision.reason !== "deadline" || route === undefined || budgetMs <= 0)
            return bodyLimited(answer, exchange, startedAt, endedAt);
          discard(answer);
          return no({ kind: "deadline-exceeded", destination, budgetMs });
        }
        if (decision.free) detours += 1;
        else {
          retries += 1;
          pool.left -= 1;
          if (purse !== undefined) ports.budgets.withdraw(payer, purse.rule, endedAt);
        }
        discard(answer);
        await pause(ports.wait, decision.waitMs, signal);
        if (signal?.aborted) return no({ kind: "cancelled" });
      }
    } finally {
      body.finish();
    }
  });

/** Keeps the body only where another attempt could want it. */
function bodyFor(message: Message, limitBytes: number, repeating: boolean): ReplayBody | Promise<ReplayBody> {
  const body: Body = message.body;
  const asksForSocket = asksForWebSocket(message);
  if (!repeating || asksForSocket) return once(body, asksForSocket);
  return replayBody(body, limitBytes, parseCount(message.headers.get("content-length"), 999_999_999));
}

/** The limit of one attempt, where it is tighter than what is left of the deadline. */
function tighter(limitMs: number, leftMs: number | undefined): number | undefined {
  if (limitMs <= 0) return undefined;
  return leftMs === undefined || limitMs < leftMs ? limitMs : undefined;
}

/** Says on the attempt what everything below it may still use. Whatever the application had put there is gone. */
function setLimits(headers: HeaderFields, leftMs: number | undefined, credits: number, hops: number): void {
  if (leftMs === undefined) headers.delete(header.deadline);
  else headers.set(header.deadline, formatRemaining(leftMs));
  headers.set(header.credits, String(credits));
  headers.set(header.hops, String(hops));
}

/** Runs one attempt within its limit. */
function limited(
  outer: AbortSignal | undefined,
  limitMs: number | undefined,
  destination: string,
  attempt: (signal: AbortSignal | undefined) => Promise<Answer>,
): Promise<Answer> {
  if (limitMs === undefined) return attempt(outer);
  return withinLimit(
    limitMs,
    outer,
    (fired) =>
      timedOut(fired) ? { kind: "deadline-exceeded", destination, budgetMs: limitMs } : { kind: "cancelled" },
    attempt,
  );
}

async function pause(wait: Wait, ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms <= 0) return;
  try {
    await wait(ms, signal);
  } catch {
    // The signal fired; the caller of this looks at the signal.
  }
}

function tryOf(answer: Answer, backend: string, startedAt: number, endedAt: number): Try {
  return answer.ok
    ? { backend, startedAt, endedAt, status: answer.value.status, refusal: undefined }
    : { backend, startedAt, endedAt, status: undefined, refusal: answer.reason };
}

function endOf(answer: Answer, now: number): Ended {
  if (!answer.ok) return { kind: "refusal", refusal: answer.reason };
  const { status, headers } = answer.value;
  return {
    kind: "response",
    status,
    problem: problemIn(answer.value),
    retryAfterMs: parseRetryAfter(headers.get("retry-after"), now),
  };
}
