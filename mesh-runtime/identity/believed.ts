import { header } from "../foundation/headers.ts";
import type { Clock } from "../foundation/ports.ts";
import { problemOf } from "../foundation/problem.ts";
import type { IdentityStep, Refusal } from "../foundation/refusal.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { type Asked, verifyAnswer } from "./answer-proof.ts";
import { type DigestLimits, limitsOfAnswer } from "./digested.ts";
import { verifiedBody } from "./identified.ts";
import type { WitCache } from "./svid.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import type { SpiffeId } from "./words.ts";

export interface BelievedPorts {
  /** The trust bundle in force; undefined before the first join. */
  readonly trust: () => TrustBundle | undefined;
  /** The newest bundle that can be had now; undefined when it is not asked for again so soon. */
  readonly refreshTrust?: () => Promise<TrustBundle | undefined>;
  readonly cache: WitCache;
  readonly clock: Clock;
}

/**
 * The answer, if whom we asked has signed it for this very request, and its body is the one that was signed;
 * otherwise `answer-unverified`. Whatever comes unsigned is refused, problems too: who stands between the two could
 * otherwise say that a request was never seen, and have it sent again.
 */
export async function believed(
  response: Response,
  asked: Asked,
  { id, settings }: { readonly id: SpiffeId; readonly settings: DigestLimits },
  ports: BelievedPorts | undefined,
): Promise<Result<Response, Refusal>> {
  const bundle = ports?.trust();
  if (ports === undefined || bundle === undefined)
    return unverified(response, "token", "there is no trust bundle to verify answers with");
  const { cache, clock, refreshTrust } = ports;
  const verifier = { by: id.uri, bundle, cache, now: clock.now() };
  let verified = await verifyAnswer(response, asked, verifier);
  if (!verified.ok && verified.reason.outdated === true) {
    const newest = await refreshTrust?.();
    if (newest !== undefined && newest.sequence > bundle.sequence)
      verified = await verifyAnswer(response, asked, { ...verifier, bundle: newest, now: clock.now() });
  }
  if (!verified.ok) return unverified(response, verified.reason.step, verified.reason.detail);
  const body = await verifiedBody(response, verified.value.contentDigest, {
    inbound: limitsOfAnswer(settings),
  });
  if (!body.ok) return unverified(response, "digest", detailOf(body.reason));
  const content = body.value === undefined ? response.body : (body.value as Uint8Array<ArrayBuffer>);
  const clean = new Response(content, response);
  for (const name of proofHeaders) clean.headers.delete(name);
  return ok(clean);
}

/** What is for us, and neither for the application nor for whoever it passes the answer on to. */
const proofHeaders = [header.identityToken, header.signature, header.signatureInput] as const;

const detailOf = (refusal: Refusal): string =>
  refusal.kind === "unidentified" ? refusal.detail : problemOf(refusal).title;

/** What came instead is for the operator; the answer itself goes unread. */
function unverified(response: Response, step: IdentityStep, detail: string): Result<never, Refusal> {
  const { status, headers, body } = response;
  const problem = headers.get(header.problem);
  // A body that is being read already ends with whoever reads it.
  if (body?.locked === false) body.cancel().catch(() => undefined);
  // Whoever stands on the way wrote it, and it goes into logs.
  const came = problem === null || !/^[a-z-]{1,32}$/.test(problem) ? `${status}` : `${status} ${problem}`;
  return no({ kind: "answer-unverified", step, detail: `${detail} (it came with ${came})` });
}
