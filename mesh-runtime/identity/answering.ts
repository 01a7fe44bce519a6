import type { Answer, Noted } from "../foundation/exchange.ts";
import { Fields } from "../foundation/fields.ts";
import { header } from "../foundation/headers.ts";
import type { Clock } from "../foundation/ports.ts";
import type { Refusal } from "../foundation/refusal.ts";
import { problemAnswer } from "../foundation/rescued.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { type Asked, signAnswer } from "./answer-proof.ts";
import { type DigestLimits, limitsOfAnswer, withDigest } from "./digested.ts";
import type { Credential } from "./words.ts";

export interface AnsweringPorts {
  /** The credential in force, or the promise of one; undefined where there is none to be had. */
  readonly credential: () => Credential | undefined | Promise<Credential | undefined>;
  /** A text that this key has not signed yet. */
  readonly nonce: () => string;
}

/**
 * Answers a caller that demands a signed answer (`wimse-sign-response`): whatever the rest of the journey answers is
 * signed for this request, refusals too, as the problems that they become.
 *
 * Nothing is done for the request unless its answer can be signed: refuses before with `mesh-not-ready`. An answer
 * that cannot be, such as one above the limit, becomes the signed problem `answer-unsigned` (http-signature §4: never
 * an unsigned success).
 */
export async function answering(
  asked: Asked,
  exchange: Noted & { readonly policy: { readonly inbound: DigestLimits } },
  { signing, clock }: { readonly signing?: AnsweringPorts | undefined; readonly clock: Clock },
  rest: () => Promise<Answer>,
): Promise<Answer> {
  const held = await signing?.credential();
  if (signing === undefined || held === undefined || held.expiresAt <= clock.now())
    return no({
      kind: "mesh-not-ready",
      detail: "the caller demands a signed answer, and there is no credential to sign with",
      retryAfterMs: 1_000,
    });
  const limits = limitsOfAnswer(exchange.policy.inbound);
  const sign = (response: Response): Promise<Result<Response, Refusal>> =>
    signedAnswer(response, asked, limits, {
      credential: held,
      now: clock.now(),
      nonce: signing.nonce(),
    });
  const answer = await rest();
  const response = answer.ok ? answer.value : problemAnswer(exchange, answer.reason);
  const signed = await sign(response);
  return signed.ok ? signed : sign(problemAnswer(exchange, signed.reason));
}

/** Answers of these statuses have no content (RFC 9110 §15), as those to HEAD have none, whatever the application made. */
const bare: ReadonlySet<number> = new Set([101, 204, 205, 304]);

async function signedAnswer(
  response: Response,
  asked: Asked,
  limits: DigestLimits,
  by: { readonly credential: Credential; readonly now: number; readonly nonce: string },
): Promise<Result<Response, Refusal>> {
  const headers = new Fields(response.headers);
  headers.delete(header.contentDigest);
  const isBare = asked.method === "HEAD" || bare.has(response.status);
  const body = isBare ? null : response.body;
  const digested = isBare ? ok({ body }) : await withDigest({ headers, body }, limits);
  if (!digested.ok)
    return no({
      kind: "answer-unsigned",
      detail: `a body above ${limits.maxDigestBytes} bytes is not signed, or it ended in the middle`,
    });
  const fields = await signAnswer({ status: response.status, headers }, asked, by);
  if (!fields.ok) return no({ kind: "answer-unsigned", detail: fields.reason });
  const digest = headers.get(header.contentDigest);
  const content = body === null ? response.body : digested.value.body;
  return ok(
    withFields(content === response.body ? response : new Response(content as BodyInit | null, response), [
      ...(digest === null ? [] : [[header.contentDigest, digest] as const]),
      ...fields.value,
    ]),
  );
}

/** The response with these headers in the place of the application's own. */
function withFields(response: Response, fields: readonly (readonly [string, string])[]): Response {
  try {
    write(response.headers, fields);
    return response;
  } catch {
    // Of what `fetch` answered nothing can be changed (Fetch §5.1, guard "immutable").
    const answer = new Response(response.body, response);
    write(answer.headers, fields);
    return answer;
  }
}

function write(headers: Headers, fields: readonly (readonly [string, string])[]): void {
  headers.delete(header.contentDigest);
  for (const [name, value] of fields) headers.set(name, value);
}
