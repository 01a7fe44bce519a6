import type { Message } from "../foundation/exchange.ts";
import { backoffOf, mayRetry, retriesAllowed } from "../resilience/retry-policy.ts";
import type { RetryPolicy, TrafficSettings } from "../resilience/words.ts";
import type { RouteRetry, Rule } from "../routing/words.ts";
import type { Limits, Setting } from "./explanation.ts";

/**
 * What bounds a request: what its rule says, and for the rest what holds for the destination that was asked
 * for. Whether an answer is tried again is what `mayRetry` says while budget, credits and time last.
 */
export function limitsOf(
  rule: Pick<Rule, "requestTimeoutMs" | "backendTimeoutMs" | "retry">,
  traffic: TrafficSettings,
  { method, headers }: Pick<Message, "method" | "headers">,
): Limits {
  const { retry: policy } = traffic;
  const { retry: route } = rule;
  const codes = setting(route?.codes, policy.codes);
  const attempts = retriesAllowed(policy, route);
  return {
    requestTimeoutMs: setting(rule.requestTimeoutMs, traffic.timeoutMs),
    tryTimeoutMs: setting(rule.backendTimeoutMs, policy.perTryTimeoutMs),
    retry: {
      attempts: { value: attempts, from: route?.attempts === undefined ? "destination" : "route" },
      codes,
      budgetRatio: policy.budgetRatio,
      afterAnswer: afterAnswer(codes.value, (status) => {
        const decision = mayRetry({
          method,
          idempotencyKey: (headers.get("idempotency-key") ?? "") !== "",
          ended: { kind: "response", status, problem: undefined, retryAfterMs: undefined },
          attempt: 1,
          policy,
          route,
          credits: 1,
          budget: true,
          remainingMs: undefined,
          replayable: true,
          elsewhere: false,
          backoffMs: 0,
        });
        return decision.retry ? undefined : decision.reason;
      }),
      ...pausesOf(policy, route),
    },
    maxInFlight: traffic.maxInFlight,
  };
}

function pausesOf(
  policy: RetryPolicy,
  route: RouteRetry | undefined,
): Pick<Limits["retry"], "backoffBaseMs" | "backoffMaxMs"> {
  const { backoffBaseMs, backoffMaxMs } = backoffOf(policy, route);
  return { backoffBaseMs, backoffMaxMs };
}

function setting<Value>(route: Value | undefined, destination: Value): Setting<Value> {
  return route === undefined ? { value: destination, from: "destination" } : { value: route, from: "route" };
}

/** @param whyNot why an answer of this status is not tried again; undefined if it is */
function afterAnswer(
  [first]: readonly number[],
  whyNot: (status: number) => string | undefined,
): Limits["retry"]["afterAnswer"] {
  if (first === undefined) return { retried: false, reason: "no status is worth another try" };
  const reason = whyNot(first);
  if (reason === undefined) return { retried: true, reason: "" };
  return { retried: false, reason: words[reason] ?? reason };
}

const words: Readonly<Record<string, string>> = {
  attempts: "no further try is allowed",
  "not-idempotent": "it may have been processed, and the method is not idempotent",
};
