import type { Answer } from "../foundation/exchange.ts";
import { header } from "../foundation/headers.ts";
import type { Refusal, RefusalKind } from "../foundation/refusal.ts";
import { timedOut } from "../foundation/time-limit.ts";
import type { Outcome } from "./words.ts";

/** What an answer says about the destination that was asked. */
export function outcomeOf(answer: Answer): Outcome {
  return answer.ok ? outcomeOfResponse(answer.value) : outcomeOfRefusal(answer.reason);
}

/**
 * What a response says about the destination that sent it.
 *
 * A 4xx is a success: the destination works, the caller erred. 501 and 505 say that it never does what
 * was asked (RFC 9110 §15.6.2, §15.6.6), and nothing about its health. A refusal for load is a class of
 * its own: it keeps the destination's goodput, so it must neither open a circuit, which would make none
 * of it, nor be retried. What the callee's mesh refused says nothing about the application behind it.
 */
export function outcomeOfResponse(response: Response): Outcome {
  const problem = problemIn(response);
  if (problem === "overloaded" || response.status === 429) return "overload";
  if (problem !== undefined && neutralProblems.has(problem)) return "neutral";
  const { status } = response;
  if (status < 500) return "success";
  return status === 501 || status === 505 ? "neutral" : "failure";
}

/** What a refusal made on this side of the wire says about the destination. */
export function outcomeOfRefusal(refusal: Refusal): Outcome {
  switch (refusal.kind) {
    case "unreachable":
    case "deadline-exceeded":
    case "answer-unverified":
      return "failure";
    case "mesh-not-ready":
    case "misconfigured":
    case "unidentified":
    case "replay-undecided":
    case "answer-unsigned":
    case "denied":
    case "invalid-token":
    case "keys-unavailable":
    case "no-route":
    case "too-long-to-match":
    case "no-backend":
    case "circuit-open":
    case "overloaded":
    case "too-many-hops":
    case "body-too-large":
    case "headers-too-large":
    case "cancelled":
    case "handler-failed":
    case "internal":
      return "neutral";
  }
}

/**
 * Why a signal fired: where it is a limit of ours, the destination was too slow; everything else is a caller who went
 * away, or gave less time than policy does, which says nothing.
 */
export function outcomeOfAbort(signal: AbortSignal): Outcome {
  return timedOut(signal) ? "failure" : "neutral";
}

/** The kind of refusal with which the callee's mesh answered, if it was the mesh that answered. */
export const problemIn = (response: Response): string | undefined =>
  response.headers.get(header.problem) ?? undefined;

const neutralProblems: ReadonlySet<string> = new Set<RefusalKind>([
  "unidentified",
  "replay-undecided",
  "denied",
  "invalid-token",
  // Were it a failure, tokens that anybody can make up would open the circuit of a service for everybody.
  "keys-unavailable",
  "no-route",
  "too-long-to-match",
  "too-many-hops",
  "body-too-large",
  "headers-too-large",
  "cancelled",
]);
