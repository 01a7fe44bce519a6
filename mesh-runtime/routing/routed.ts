import type { Answer, Message, Noted } from "../foundation/exchange.ts";
import { layer } from "../foundation/layer.ts";
import { no, ok } from "../foundation/result.ts";
import { applyRequestFilters, applyResponseFilters } from "./filter.ts";
import { redirectAmong, redirectOf } from "./redirect.ts";
import type { Filter, Matched, Routed, Target } from "./words.ts";

/**
 * After this layer it is known which rule a message falls under and which backends may answer it, and
 * the rule's filters have been applied: to the message on the way out, to the response on the way back,
 * once for all attempts.
 *
 * A destination without routes is its own backend. One with routes takes only what a rule matches; all
 * else is refused with `no-route`, never passed on (GEP-1294: a route replaces the Service's default).
 * A rule that redirects answers at once; one without backends is refused with `no-backend`.
 */
export const routed = () =>
  layer<Noted & { message: Message; target: Target }, Routed & { message: Message }, Answer>(
    "routed",
    (next) => async (exchange) => {
      const { message, target, notes } = exchange;
      notes.destination = target.destination;
      if (target.table === undefined) {
        const byDefault = withoutRoutes(target.destination);
        notes.route = byDefault.ruleName;
        return next(Object.assign({ ...exchange, message }, byDefault));
      }

      const matched = target.table.find(message);
      if (matched === undefined) return no({ kind: "no-route", destination: target.destination });
      const { rule } = matched;
      notes.route = rule.name;

      const redirect = redirectAmong(rule.filters);
      if (redirect !== undefined)
        return answered(ok(redirectOf(redirect, message.url, matched, target.listenerPort)), rule.filters);
      if (rule.backends.length === 0)
        return no({
          kind: "no-backend",
          destination: target.destination,
          rule: rule.name,
          detail: "the rule names no backend",
        });

      const filtered = applyRequestFilters(message, rule.filters, matched);
      const answer = await next(
        Object.assign({ ...exchange, message: filtered }, underRule(target.destination, matched)),
      );
      return answered(answer, rule.filters);
    },
  );

const withoutRoutes = (destination: string): Routed => ({
  destination,
  ruleName: "default",
  matched: undefined,
  backends: [{ service: destination, weight: 1, filters: [] }],
  requestTimeoutMs: undefined,
  backendTimeoutMs: undefined,
  retry: undefined,
});

const underRule = (destination: string, matched: Matched): Routed => ({
  destination,
  ruleName: matched.rule.name,
  matched,
  backends: matched.rule.backends,
  requestTimeoutMs: matched.rule.requestTimeoutMs,
  backendTimeoutMs: matched.rule.backendTimeoutMs,
  retry: matched.rule.retry,
});

/** Refusals have no headers yet; what they look like outside is not the route's to decide. */
const answered = (answer: Answer, filters: readonly Filter[]): Answer =>
  answer.ok ? ok(applyResponseFilters(answer.value, filters)) : answer;
