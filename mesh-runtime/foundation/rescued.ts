import type { Answer, Noted } from "./exchange.ts";
import { layer } from "./layer.ts";
import { problemOf, problemResponse } from "./problem.ts";
import type { Refusal } from "./refusal.ts";

/**
 * Turns a refusal into the problem that the caller sees, and notes the whole reason for the operator.
 * The only layer that knows both vocabularies. Whatever breaks inside the mesh ends here too: closed.
 *
 * @param crashed told about an exception that no layer expected, so that it is counted and not lost
 */
export const rescued = (crashed: (error: unknown) => void) =>
  layer<Noted, object, Answer, Response>("rescued", (next) => async (exchange) => {
    try {
      const answer = await next(exchange);
      return answer.ok ? answer.value : problemAnswer(exchange, answer.reason);
    } catch (error) {
      crashed(error);
      const detail = error instanceof Error ? error.name : typeof error;
      return problemAnswer(exchange, { kind: "internal", detail });
    }
  });

/** The answer that a refusal becomes, its whole reason noted. */
export function problemAnswer(exchange: Noted, refusal: Refusal): Response {
  exchange.notes.refusal = refusal;
  return problemResponse(problemOf(refusal));
}
