import { type Problem, problemBase } from "@tulle/mesh-runtime/foundation/problem.ts";

/**
 * An answer of the admin API that is an error: RFC 9457 problem details.
 * @param name last part of the `type` URI
 * @param detail what was found and what to do; never a token or a body
 */
export function problem(
  status: number,
  name: string,
  title: string,
  detail?: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
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
  problem(400, "malformed-request", "The request is malformed", detail);

/** The problem of something that does not exist. */
export const missing = (detail: string): Response =>
  problem(404, "not-found", "There is no such thing", detail);
