import { header } from "./headers.ts";
import type { Refusal } from "./refusal.ts";

/** Where the `type` URIs of problems point; the page `docs/problems.md` has one section for each. */
export const problemBase = "https://tulle.dev/problems/";

/** RFC 9457 problem details, as sparing as is useful to a caller. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  /** Seconds, for `Retry-After`. */
  readonly retryAfter?: number;
  /** For the header of that name. */
  readonly watch?: string;
  /** What `WWW-Authenticate` says. */
  readonly challenge?: string;
}

/**
 * The face of a refusal. Exhaustive: a new kind of refusal does not compile until its face is decided.
 * Identity problems have one shape and say nothing about which check failed, so that they are no oracle.
 */
export function problemOf(refusal: Refusal): Problem {
  switch (refusal.kind) {
    case "mesh-not-ready":
      return face("mesh-not-ready", "The mesh is not ready in this worker yet", 503, {
        retryAfter: seconds(refusal.retryAfterMs),
      });
    case "misconfigured":
      return face("misconfigured", "This worker is not configured for the mesh", 500, {
        detail: refusal.detail,
      });
    case "unidentified":
      return face("unidentified", "The caller's workload identity could not be verified", 400);
    case "replay-undecided":
      return face("replay-undecided", "Nobody can tell whether this request was here before", 503, {
        ...(refusal.retryAfterMs === undefined ? {} : { retryAfter: seconds(refusal.retryAfterMs) }),
        ...(refusal.watch === undefined ? {} : { watch: refusal.watch }),
      });
    case "answer-unsigned":
      return face("answer-unsigned", "The answer cannot be signed as the caller demands", 501);
    case "answer-unverified":
      return face("answer-unverified", "The answer of the destination could not be verified", 502);
    case "denied":
      return face("denied", "The caller is not allowed to do this", 403);
    case "invalid-token":
      // RFC 6750 §3: what was wrong with it is for operators; to a forger it would be help.
      return face("invalid-token", "The token of the end user is not valid", 401, {
        challenge: `Bearer realm="tulle", error="${refusal.error}"`,
      });
    case "keys-unavailable":
      return face("keys-unavailable", "The keys for verifying tokens are not available", 503, {
        retryAfter: seconds(refusal.retryAfterMs),
      });
    case "no-route":
      return face("no-route", "No route matches this request", 404);
    case "too-long-to-match":
      return refusal.part === "url"
        ? face("too-long-to-match", "The URL is too long for the regular expressions of the routes", 414)
        : face(
            "too-long-to-match",
            "A header field is too long for the regular expressions of the routes",
            431,
          );
    case "no-backend":
      return face("no-backend", "The route that matches has no usable backend", 500);
    case "deadline-exceeded":
      return face("deadline-exceeded", "The deadline of this request has passed", 504);
    case "circuit-open":
      return face("circuit-open", "The circuit of this destination is open", 503, {
        retryAfter: seconds(refusal.retryAfterMs),
      });
    case "overloaded":
      return face("overloaded", "A concurrency or rate limit is exhausted", 503, {
        retryAfter: seconds(refusal.retryAfterMs),
      });
    case "too-many-hops":
      return face("too-many-hops", "This request has passed through too many services", 508);
    case "unreachable":
      return face("unreachable", "The destination could not be reached", 503);
    case "body-too-large":
      return face("body-too-large", "The request body is too large", 413, {
        detail: `The limit is ${refusal.limitBytes} bytes.`,
      });
    case "headers-too-large":
      return face("headers-too-large", "The request header fields are too large", 431, {
        detail: `The limit is ${refusal.limitBytes} bytes.`,
      });
    case "cancelled":
      return face("cancelled", "The caller cancelled this request", 499);
    case "handler-failed":
      return face("handler-failed", "The application failed to handle this request", 500);
    case "internal":
      return face("internal", "The mesh failed to handle this request", 500);
  }
}

/**
 * The response that carries a problem. A header repeats the last part of its type, so that a caller's
 * mesh tells it from an application's answer without reading the body.
 */
export function problemResponse(problem: Problem): Response {
  const { retryAfter, watch, challenge, ...body } = problem;
  const headers = new Headers({ "content-type": "application/problem+json", "cache-control": "no-store" });
  headers.set(header.problem, problem.type.slice(problem.type.lastIndexOf("/") + 1));
  if (retryAfter !== undefined) headers.set("retry-after", String(retryAfter));
  if (challenge !== undefined) headers.set("www-authenticate", challenge);
  if (watch !== undefined) headers.set(header.watch, watch);
  return new Response(JSON.stringify(body), { status: problem.status, headers });
}

function face(
  name: Refusal["kind"],
  title: string,
  status: number,
  more: Pick<Problem, "detail" | "retryAfter" | "watch" | "challenge"> = {},
): Problem {
  return { type: problemBase + name, title, status, ...more };
}

const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1_000));
