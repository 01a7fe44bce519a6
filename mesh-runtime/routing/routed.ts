import type { Answer, Message, Noted } from "../foundation/exchange.ts";
import { header } from "../foundation/headers.ts";
import { layer } from "../foundation/layer.ts";
import { problemAnswer } from "../foundation/rescued.ts";
import { no, ok } from "../foundation/result.ts";
import { type Asked, corsAmong, isPreflight, preflightAnswer, ruleFor } from "./cors.ts";
import { applyRequestFilters, applyResponseFilters } from "./filter.ts";
import { redirectAmong, redirectOf } from "./redirect.ts";
import type { Filter, Matched, Routed, Target } from "./words.ts";

/**
 * After this layer it is known which rule a message falls under and which backends may answer it, and
 * the rule's filters have been applied: to the message on the way out, to the response on the way back,
 * once for all attempts.
 *
 * A destination without routes is its own backend. One with routes takes only what a rule matches; all
 * else is refused with `no-route`, never passed on (GEP-1294: a route replaces the Service's default), and what takes
 * too long to compare with its expressions with `too-long-to-match`.
 * A rule that redirects answers at once, as does one with CORS to preflights; one without backends is refused with
 * `no-backend`.
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

      const matched = ruleFor(target.table, message);
      if (matched === undefined) return no({ kind: "no-route", destination: target.destination });
      if (matched.undecided !== undefined)
        return no({
          kind: "too-long-to-match",
          destination: target.destination,
          part: matched.undecided,
        });
      const { rule } = matched;
      notes.route = rule.name;

      const { filters } = rule;
      if (isPreflight(message) && corsAmong(filters) !== undefined)
        return answered(ok(preflightAnswer()), filters, exchange);
      const redirect = redirectAmong(filters);
      if (redirect !== undefined)
        return answered(
          ok(redirectOf(redirect, message.url, matched, target.listenerPort)),
          filters,
          exchange,
        );
      if (rule.backends.length === 0)
        return answered(
          no({
            kind: "no-backend",
            destination: target.destination,
            rule: rule.name,
            detail: "the rule names no backend",
          }),
          filters,
          exchange,
        );

      const changed = applyRequestFilters(message, filters, matched);
      // The proof covers it: whoever catches the request cannot send it again without.
      if (rule.replay !== undefined) changed.headers.set(header.replay, rule.replay);
      return answered(
        await next(Object.assign({ ...exchange, message: changed }, underRule(target.destination, matched))),
        filters,
        exchange,
      );
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

/**
 * What the rule's filters make of an answer. Refusals have no headers yet, and what they look like outside is not the
 * route's to decide; but a script from another origin could not even read why, so that under CORS the refusal
 * becomes its problem here, and is shared as any answer.
 */
function answered(answer: Answer, filters: readonly Filter[], asked: Noted & { message: Asked }): Answer {
  if (answer.ok) return ok(applyResponseFilters(answer.value, filters, asked.message));
  const cors = corsAmong(filters);
  return cors === undefined
    ? answer
    : ok(applyResponseFilters(problemAnswer(asked, answer.reason), [cors], asked.message));
}
