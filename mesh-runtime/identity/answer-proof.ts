import type { HeaderFields } from "../foundation/fields.ts";
import { header, meshPrefix } from "../foundation/headers.ts";
import { no, ok, type Result } from "../foundation/result.ts";
import { answerComponents, parseAnswerInput } from "./answer-input.ts";
import { isSigned, outOfTime, signatureField, signatureOver, verified } from "./proof.ts";
import { fieldValue, requestTarget } from "./signature-base.ts";
import { parseSignature } from "./signature-input.ts";
import type { Unverified, WitCache } from "./svid.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import { maxComponents, proofValidityS, signatureLabel, signatureTag } from "./wimse-profile.ts";
import type { Credential } from "./words.ts";

/** The request that an answer is for. */
export interface Asked {
  readonly method: string;
  /** The whole URL. */
  readonly url: string;
  /** Of its proof: what binds an answer to this very request, of all that have the token. */
  readonly nonce: string;
  /** The workload's token that it came with. */
  readonly token: string;
}

/** The parts of an answer that its proof speaks of. */
export interface ProvenAnswer {
  readonly status: number;
  readonly headers: Pick<HeaderFields, "forEach" | "get">;
}

/**
 * Whether a header of an answer must be covered when it is there (http-signature §3): those, and the mesh's own. And
 * where it leads to: who stands on the way would have callers that follow redirects ask somebody else.
 */
const mustBeCovered = (name: string): boolean =>
  name === "content-type" ||
  name === "location" ||
  name === header.contentDigest ||
  name === header.identityToken ||
  name.startsWith(meshPrefix);

interface AnswerParts {
  readonly present: Map<string, string>;
  readonly proof: Map<string, string>;
}

function partsOf({ headers }: ProvenAnswer): AnswerParts {
  const present = new Map<string, string>();
  const proof = new Map<string, string>();
  headers.forEach((value, name) => {
    if (mustBeCovered(name)) present.set(name, value);
    else if (name === header.signatureInput || name === header.signature) proof.set(name, value);
  });
  return { present, proof };
}

/**
 * Proves an answer: that we made it, with this status and content, for this very request (http-signature §4).
 *
 * @param now milliseconds since the Unix epoch
 * @param nonce unique for this key
 * @returns the headers to set on it, in the place of any others of those names
 */
export async function signAnswer(
  answer: ProvenAnswer,
  asked: Asked,
  { credential, now, nonce }: { credential: Credential; now: number; nonce: string },
): Promise<Result<readonly (readonly [name: string, value: string])[], string>> {
  const { present } = partsOf(answer);
  present.set(header.identityToken, credential.wit);
  const components = [...answerComponents, ...[...present.keys()].map((name) => `"${name}"`)];
  if (components.length > maxComponents) return no(`more than ${maxComponents} parts would be covered`);
  const created = Math.floor(now / 1_000);
  const parameters =
    `(${components.join(" ")});created=${created};expires=${created + proofValidityS};nonce="${nonce}"` +
    `;tag="${signatureTag}";wimse-req-nonce="${asked.nonce}"`;
  const base = answerBase(components, parameters, answer, asked, present);
  if (!base.ok) return base;
  const signature = await signatureOver(credential.privateKey, base.value);
  return ok([
    [header.identityToken, credential.wit],
    [header.signatureInput, `${signatureLabel}=${parameters}`],
    [header.signature, signatureField(signature)],
  ]);
}

/** By what an answer is judged. */
export interface AnswerVerifier {
  /** The SPIFFE ID of whom we asked. */
  readonly by: string;
  readonly bundle: TrustBundle;
  readonly cache: WitCache;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/**
 * Verifies that an answer is by whom we asked, and for this very request: its token, what the signature covers, the
 * nonce of the request, and times, as strictly as a request's. No nonces are remembered: ours is good for one answer.
 * The body is still to be compared with the digest that is returned.
 */
export async function verifyAnswer(
  answer: ProvenAnswer,
  asked: Asked,
  { by, bundle, cache, now }: AnswerVerifier,
): Promise<Result<{ readonly contentDigest: string | undefined }, Unverified>> {
  const { present, proof } = partsOf(answer);
  const wit = present.get(header.identityToken)?.trim();
  const inputField = proof.get(header.signatureInput);
  const signatureText = proof.get(header.signature);
  if (wit === undefined || inputField === undefined || signatureText === undefined)
    return failed("missing", "the answer is not signed");
  const input = parseAnswerInput(inputField);
  if (!input.ok) return failed("malformed", input.reason);
  const { label, components, parameters, requestNonce } = input.value;
  const signature = parseSignature(signatureText, label);
  if (!signature.ok) return failed("malformed", signature.reason);
  const mustHave = [...answerComponents, ...[...present.keys()].map((name) => `"${name}"`)];
  const gap = mustHave.find((component) => !components.includes(component));
  if (gap !== undefined) return failed("malformed", `${gap} is not covered`);

  const callee = cache.recall(wit, bundle, now);
  const known = callee === undefined ? await verified(wit, { bundle, cache, now }) : ok(callee);
  if (!known.ok) return known;
  present.set(header.identityToken, wit);
  const base = answerBase(components, parameters, answer, asked, present);
  if (!base.ok) return failed("proof", base.reason);
  if (!(await isSigned(known.value.proofKey, signature.value, base.value)))
    return failed("proof", "the signature is not by the token's key over this answer");
  if (known.value.id.uri !== by) return failed("audience", "the answer is by another workload");
  if (requestNonce !== asked.nonce) return failed("replay", "the answer is to another request");
  const untimely = outOfTime(input.value, now);
  if (untimely !== undefined) return failed("clock", untimely);
  return ok({ contentDigest: present.get(header.contentDigest) });
}

/** The text that is signed (RFC 9421 §2.5), for components that may be of the request (`;req`, §2.4). */
export function answerBase(
  components: readonly string[],
  parameters: string,
  { status, headers }: ProvenAnswer,
  { method, url, token }: Asked,
  present: ReadonlyMap<string, string>,
): Result<string, string> {
  const derived: Readonly<Record<string, string>> = {
    '"@status"': String(status),
    '"@method";req': method,
    '"@request-target";req': requestTarget(url),
    '"workload-identity-token";req': token,
  };
  let base = "";
  for (const component of components) {
    const name = component.slice(1, -1);
    const raw = derived[component] ?? present.get(name) ?? headers.get(name);
    const value = raw === null ? undefined : fieldValue(raw);
    if (value === undefined) return no(`${component} is covered, and the answer has no usable value for it`);
    base += `${component}: ${value}\n`;
  }
  return ok(`${base}"@signature-params": ${parameters}`);
}

const failed = (step: Unverified["step"], detail: string) => no<Unverified>({ step, detail });
