import type { Answer } from "../foundation/exchange.ts";
import { header } from "../foundation/headers.ts";
import type { Refusal } from "../foundation/refusal.ts";
import { parseCount } from "./deadline.ts";

/*
 * Attempt credits bound what a whole call tree may spend on further tries: one credit is one try beyond
 * a first. An exchange starts with a pool. Every attempt lends a part of the pool to the callee in the
 * header `tulle-attempt-credits`; what is lent is out of the pool until the response's header of the
 * same name gives back what was not spent there; an answer below 500 that does not mention them gives all
 * back. What is not given back counts as spent. So the sum of
 * what is in all pools, lent and spent never grows, and a chain of any depth makes at most
 * 1 + credits tries at its end, where unbounded retries would make the product of every hop's.
 */

/** The most credits that one hop can lend to another, whatever a header or a policy says. */
export const mostCredits = 10;

/** What an arrival gets whose caller sent no credits: a retry on each of three hops. */
export const arrivalCredits = 3;

/**
 * What a call tree may spend beneath its first hop: what the most eager route of the mesh promises (Gateway API
 * `HTTPRouteRetry.attempts`), and one for a hop on the way there. Without such a route: two, a retry on each of
 * two hops.
 * @param promised the most retries that any route of the mesh promises; absent: 1
 */
const beneath = (promised: number | undefined): number =>
  Math.min(mostCredits, Math.max(1, promised ?? 1) + 1);

/** What a departure starts with that no arrival caused: its own retries, and some for those beneath it. */
export const rootCredits = (retries: number, promised?: number): number =>
  Math.max(0, retries) + beneath(promised);

/** Reads the credits that came with a request. Absent: the default; unreadable: none, because none can be proved. */
export function creditsIn(text: string | null, promised?: number): number {
  if (text === null) return Math.max(arrivalCredits, beneath(promised));
  return Math.min(mostCredits, parseCount(text, 999_999_999) ?? 0);
}

/**
 * How much of the pool an attempt lends: whatever this hop does not need for its own further tries. Its
 * own come first, because a callee that fails without an answer gives nothing back.
 * @param ownRetries further tries that this hop's policy still allows
 */
export const grantOf = (left: number, ownRetries: number): number =>
  Math.max(0, Math.min(mostCredits, left - Math.max(0, ownRetries)));

/**
 * What of a grant comes back: never more than was granted. Where the callee does not say, nothing was spent, except
 * where it failed: whoever answers 5xx in the mesh says what is left, and a failure without that word may be the
 * work of somebody on the way who stands in for a callee that is gone.
 */
export function givenBack(answer: Answer, grant: number): number {
  if (!answer.ok) return untouched(answer.reason) ? grant : 0;
  const { status, headers } = answer.value;
  const said = headers.get(header.credits);
  if (said === null) return status < 500 ? grant : 0;
  return Math.min(grant, parseCount(said, mostCredits) ?? 0);
}

/** Whether it is certain that nobody received the attempt, so that nobody can have spent anything. */
function untouched(reason: Refusal): boolean {
  switch (reason.kind) {
    case "unreachable":
      return !reason.delivered;
    case "deadline-exceeded":
    case "answer-unverified":
    case "cancelled":
    case "internal":
      return false;
    default:
      return true;
  }
}
