import type { Message } from "../foundation/exchange.ts";
import { everyBackend, type Paying, purseOf } from "../resilience/purse.ts";
import { reservePerSecond } from "../resilience/retry-budget.ts";
import { backoffOf, mayRetry, retriesAllowed } from "../resilience/retry-policy.ts";
import type { RetryPolicy } from "../resilience/words.ts";
import type { RouteRetry, Rule } from "../routing/words.ts";
import type { Limits, Setting } from "./explanation.ts";
import type { Addressee } from "./governing.ts";
import type { Loaded } from "./loaded.ts";

/**
 * What bounds a request: what its rule says, and for the rest what holds where it is addressed or where it goes
 * (`governing.ts`). Whether an answer is tried again is what `mayRetry` says while budget, credits and time last.
 */
export function limitsOf(
  rule: Rule,
  addressee: Addressee,
  { method, headers }: Pick<Message, "method" | "headers">,
  policy: NonNullable<Paying["policy"]> & Pick<Loaded, "governing">,
): Limits {
  const governing = policy.governing?.get(rule);
  const { traffic } = governing ?? addressee;
  const by = (what: "timeout" | "retry"): Setting<unknown>["from"] => {
    if (governing?.by.includes(what)) return "backends";
    return addressee.stated?.includes(what) ? "destination" : "mesh";
  };
  const { retry } = traffic;
  const { retry: route } = rule;
  const setting = <Value>(
    said: Value | undefined,
    otherwise: Value,
    what: "timeout" | "retry",
  ): Setting<Value> =>
    said === undefined ? { value: otherwise, from: by(what) } : { value: said, from: "route" };
  const paying: Paying = {
    notes: { route: rule.name },
    traffic,
    retry: route,
    backends: rule.backends,
    policy,
  };
  const nonIdempotent = everyBackend(paying, (its) => its.retry.nonIdempotent);
  const codes = setting(route?.codes, retry.codes, "retry");
  return {
    requestTimeoutMs: setting(rule.requestTimeoutMs, traffic.timeoutMs, "timeout"),
    tryTimeoutMs: setting(rule.backendTimeoutMs, retry.perTryTimeoutMs, "retry"),
    retry: {
      attempts: setting(route?.attempts, retriesAllowed(retry, route), "retry"),
      codes,
      ...budgetOf(paying),
      afterAnswer: afterAnswer(codes.value, (status) => {
        const decision = mayRetry({
          method,
          idempotencyKey: (headers.get("idempotency-key") ?? "") !== "",
          ended: { kind: "response", status, problem: undefined, retryAfterMs: undefined },
          attempt: 1,
          policy: nonIdempotent ? { ...retry, nonIdempotent } : retry,
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
      ...pausesOf(retry, route),
    },
    maxInFlight: traffic.maxInFlight,
  };
}

function budgetOf(paying: Paying): Pick<Limits["retry"], "budget"> {
  const purse = purseOf(paying);
  if (purse === undefined) return {};
  const ratio = paying.traffic.retry.budgetRatio;
  return { budget: { ratio, ...(purse.rule === undefined ? {} : { reservePerSecond }) } };
}

function pausesOf(
  policy: RetryPolicy,
  route: RouteRetry | undefined,
): Pick<Limits["retry"], "backoffBaseMs" | "backoffMaxMs"> {
  const { backoffBaseMs, backoffMaxMs } = backoffOf(policy, route);
  return { backoffBaseMs, backoffMaxMs };
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
