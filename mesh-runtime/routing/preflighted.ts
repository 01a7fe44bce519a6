import type { Answer, Message, Noted } from "../foundation/exchange.ts";
import { layer } from "../foundation/layer.ts";
import type { Refusal } from "../foundation/refusal.ts";
import { problemAnswer } from "../foundation/rescued.ts";
import { no, ok } from "../foundation/result.ts";
import { corsAmong, isPreflight, preflightAnswer, ruleFor } from "./cors.ts";
import { applyResponseFilters } from "./filter.ts";
import type { Rule, Target } from "./words.ts";

type Entering = Noted & { readonly message: Message; readonly target: Target };

/**
 * Answers a preflight from outside that a rule with CORS is for, before anybody is asked who he is: browsers send
 * neither tokens nor cookies with it (Fetch §3.3.2), and what it is told is what the route says to everybody. Where
 * a gateway has no rules about who comes in, `routed` answers it in its place.
 */
export const preflighted = () =>
  layer<Entering & { readonly entry?: unknown }, object, Answer>("preflighted", (next) => (exchange) => {
    const { entry, message, target, notes } = exchange;
    const rule = entry === undefined ? undefined : preflightRule(target, message);
    if (rule === undefined) return next(exchange);
    notes.destination = target.destination;
    notes.route = rule.name;
    return Promise.resolve(ok(applyResponseFilters(preflightAnswer(), rule.filters, message)));
  });

/** The rule that answers a preflight by itself; undefined for every other request, and where no rule with CORS is for it. */
export function preflightRule({ table }: Target, message: Message): Rule | undefined {
  const rule = table !== undefined && isPreflight(message) ? ruleFor(table, message)?.rule : undefined;
  return rule !== undefined && corsAmong(rule.filters) !== undefined ? rule : undefined;
}

/**
 * The answer for a request that is refused before it is routed: under a rule with CORS its problem, so that a script
 * of another origin learns why, as it does of refusals behind the route.
 */
export function refusedAtEntry(exchange: Entering, refusal: Refusal): Answer {
  const { message, target } = exchange;
  const cors = target.table && corsAmong(ruleFor(target.table, message)?.rule.filters ?? []);
  return cors === undefined
    ? no(refusal)
    : ok(applyResponseFilters(problemAnswer(exchange, refusal), [cors], message));
}
