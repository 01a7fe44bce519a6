import { type Problem, problemBase } from "@tulle/mesh-runtime/foundation/problem.ts";

/** Every error that control answers, and its status. The page `docs/problems.md` has a section for each. */
export const problems = {
  "malformed-request": 400,
  "operator-token": 401,
  role: 403,
  "not-found": 404,
  "revision-conflict": 409,
  "root-unknown": 409,
  "token-exists": 409,
  "token-limit": 409,
  "entry-exists": 409,
  "entry-in-force": 409,
  "entry-limit": 409,
  "entry-missing": 409,
  "federation-exists": 409,
  "federation-limit": 409,
  "body-too-large": 413,
  "unknown-tokens": 429,
  "federation-busy": 429,
  internal: 500,
  "operator-token-missing": 503,
  "not-ready": 503,
  "too-many-tokens": 503,
} as const;

/** What a workload gets over HTTP that control does not serve; its status goes by the reason. */
export const declinedProblem = "declined";

/**
 * An answer of control that is an error: RFC 9457 problem details.
 * @param name last part of the `type` URI
 * @param detail what was found and what to do; never a token or a body
 */
export function problem(
  name: keyof typeof problems,
  title: string,
  detail?: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const status = problems[name];
  const body: Problem = {
    type: problemBase + name,
    title,
    status,
    ...(detail === undefined ? {} : { detail }),
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...headers },
  });
}

/** The problem of a request whose form is wrong. */
export const malformed = (detail: string): Response =>
  problem("malformed-request", "The request is malformed", detail);

/** The problem of something that does not exist. */
export const missing = (detail: string): Response => problem("not-found", "There is no such thing", detail);
