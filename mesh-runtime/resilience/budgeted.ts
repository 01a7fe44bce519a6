import type { Answer } from "../foundation/exchange.ts";
import { layer } from "../foundation/layer.ts";
import type { Clock } from "../foundation/ports.ts";
import { no } from "../foundation/result.ts";
import type { RetryBudgets } from "./retry-budget.ts";
import type { Attempted, RetryConstraint } from "./words.ts";

export interface Budgeting extends Pick<Attempted, "retries"> {
  readonly recipient: {
    readonly settings: {
      readonly key: string;
      readonly traffic: { readonly retryConstraint?: RetryConstraint };
    };
  };
}

/**
 * After this layer an attempt is a first one, or a retry within what the backend's document lets through
 * (Gateway API `RetryConstraint`). Refuses with `overloaded`: beyond the budget a retry MUST be answered with 503,
 * and no hop before this one tries such an answer again. A backend without such a document lets everything pass.
 *
 * It stands behind the choice of the backend, because the budget is the backend's, whichever routes lead to it. An
 * attempt that the circuit holds back has not been sent, and does not count.
 */
export const budgeted = (ports: { readonly clock: Clock; readonly budgets: RetryBudgets }) =>
  layer<Budgeting, object, Answer>("budgeted", (next) => (exchange) => {
    const { key, traffic } = exchange.recipient.settings;
    const constraint = traffic.retryConstraint;
    return constraint === undefined ? next(exchange) : constrained(key, constraint);

    async function constrained(backend: string, within: RetryConstraint): Promise<Answer> {
      const retry = exchange.retries > 0;
      const { budgets, clock } = ports;
      if (!budgets.enter(backend, within, retry, clock.now())) {
        const { percent, intervalMs } = within;
        const limit = `${backend}: ${percent}% retries in ${intervalMs}ms`;
        return no({ kind: "overloaded", limit, retryAfterMs: within.minimumIntervalMs });
      }
      const answer = await next(exchange);
      if (!answer.ok && answer.reason.kind === "circuit-open")
        budgets.takeBack(backend, within, retry, clock.now());
      return answer;
    }
  });
