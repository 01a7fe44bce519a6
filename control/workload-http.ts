import { header } from "@tulle/mesh-runtime/foundation/headers.ts";
import { problemBase } from "@tulle/mesh-runtime/foundation/problem.ts";
import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { readUpTo } from "@tulle/mesh-runtime/identity/body.ts";
import { mismatch } from "@tulle/mesh-runtime/identity/content-digest.ts";
import { verifyMessage } from "@tulle/mesh-runtime/identity/proof.ts";
import { importPublicJwk } from "@tulle/mesh-runtime/identity/public-jwk.ts";
import { ReplayWindow } from "@tulle/mesh-runtime/identity/replay.ts";
import { workloadId } from "@tulle/mesh-runtime/identity/spiffe-id.ts";
import { WitCache } from "@tulle/mesh-runtime/identity/svid.ts";
import { loadBundle, type TrustBundle } from "@tulle/mesh-runtime/identity/trust-bundle.ts";
import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import type { Declined, NonceAnswer } from "@tulle/mesh-runtime/workload-contract.ts";
import { declinedProblem, malformed, problem } from "./api/problems.ts";
import * as declined from "./declined.ts";
import type { Env } from "./env.ts";
import type { Freshness } from "./freshness.ts";
import { DenoAttestor } from "./issuer/attestation/deno-attestor.ts";
import { type Attest, type Attested, type Host, join, report, secretRemedy } from "./membership.ts";
import { issuer } from "./objects.ts";
import { admit } from "./replay/admit.ts";
import { reportLimits } from "./workload-shape.ts";

/** How long the trust bundle is used before it is asked for again, milliseconds. */
const bundleForMs = 5_000;

/** The SPIFFE ID that signatures to control must name as their audience. */
export const controlId = (trustDomain: string): string => workloadId(trustDomain, "tulle", "control").uri;

/** Who signed a request, by which key (RFC 7638), and with which token. */
interface Signer {
  readonly workload: ServiceKey;
  readonly thumbprint: string;
  readonly wit: string;
}

/**
 * The verbs over HTTP, for workloads outside the account. A first join brings a join token; every later join
 * and all else is signed with the credential in force, audience {@link controlId}. A request that carries a
 * signature is judged by it alone: a join token beside a bad one changes nothing.
 */
export class WorkloadDoor {
  readonly #freshness: Freshness;
  readonly #cache = new WitCache();
  readonly #replay = new ReplayWindow();
  readonly #deno = new DenoAttestor();
  #trust: { readonly bundle: TrustBundle; readonly until: number } | undefined;

  constructor(freshness: Freshness) {
    this.#freshness = freshness;
  }

  async join(request: Request, env: Env, waitUntil: Host["waitUntil"]): Promise<Response> {
    const read = await this.#read(request, env);
    if (!read.ok) return answer(read.reason);
    const { caller, body } = read.value;
    const host = this.#host(env, waitUntil);
    const attest: Attest = (idToken, thumbprint) =>
      this.#deno.attest(env, new URL(request.url).origin, idToken, thumbprint, host.now);
    const attested: Attested =
      caller === undefined
        ? { evidence: "token", attest }
        : { evidence: "signature", workload: caller.workload, by: caller.thumbprint, wit: caller.wit };
    return answer(await join(host, body, attested));
  }

  /** A nonce for whoever is to have a platform vouch for a new key. Anybody may ask; nothing is kept. */
  async nonce(env: Env): Promise<Response> {
    const made = await this.#deno.nonce(env, Date.now());
    if (!made.ok) return answer(declined.notReady(`${made.reason}.`, secretRemedy));
    const nonce: NonceAnswer = { ok: true, nonce: made.value };
    return answer(nonce);
  }

  async report(request: Request, env: Env, waitUntil: Host["waitUntil"]): Promise<Response> {
    const read = await this.#read(request, env);
    if (!read.ok) return answer(read.reason);
    const { caller, body } = read.value;
    const host = this.#host(env, waitUntil);
    return answer(caller === undefined ? declined.unverified() : await report(host, body, caller.workload));
  }

  async admit(request: Request, env: Env): Promise<Response> {
    const read = await this.#read(request, env);
    if (!read.ok) return answer(read.reason);
    const { caller, body } = read.value;
    return answer(caller === undefined ? declined.unverified() : await admit(env, body, caller.workload));
  }

  /** To be asked for once the body is there, which a stranger may send as slowly as he likes: evidence is judged by the time when all of it has come. */
  #host(env: Env, waitUntil: Host["waitUntil"]): Host {
    return { env, freshness: this.#freshness, now: Date.now(), waitUntil };
  }

  /** The body, and who signed it; `undefined` where nobody claims to have. */
  async #read(
    request: Request,
    env: Env,
  ): Promise<Result<{ caller: Signer | undefined; body: unknown }, Declined | Response>> {
    const signed = request.headers.has(header.identityToken) || request.headers.has(header.signatureInput);
    const proof = signed ? await this.#verify(request, env, Date.now()) : undefined;
    if (proof !== undefined && !proof.ok) return no(declined.unverified());
    const limitBytes = proof === undefined ? reportLimits.unsignedBytes : reportLimits.bodyBytes;
    const bytes = await bytesOf(request, limitBytes);
    if (bytes === undefined) return no(tooLarge(limitBytes));
    if (proof !== undefined) {
      // A proof that does not cover the body proves nothing about what is reported.
      const { digest, expires } = proof.value;
      if (digest === undefined || (await mismatch(digest, bytes)) !== undefined)
        return no(declined.unverified());
      if (expires * 1_000 <= Date.now()) return no(declined.unverified());
    }
    const body = parse(bytes);
    return body === undefined
      ? no(malformed("The body is not JSON."))
      : ok({ caller: proof?.value.caller, body });
  }

  async #verify(
    request: Request,
    env: Env,
    now: number,
  ): Promise<Result<{ caller: Signer; digest: string | undefined; expires: number }, string>> {
    const bundle = await this.#bundle(env, now);
    if (bundle === undefined) return no("there is no trust bundle");
    const verified = await verifyMessage(request, {
      audience: controlId(env.TRUST_DOMAIN),
      bundle,
      cache: this.#cache,
      replay: this.#replay,
      now,
    });
    if (!verified.ok) return no(verified.reason.step);
    const { caller, token, contentDigest, input } = verified.value;
    // http-signature §4: who does not sign a demanded response must not answer with an unsigned success.
    if (input.signResponse) return no("control signs no answers");
    // A Service may have a SPIFFE ID that is not made of its name, so the name is looked up.
    const { services } = await this.#freshness.mesh(env, now);
    const known = [...services.values()].find(({ spiffeId }) => spiffeId === caller.id.uri);
    if (known === undefined) return no("no Service has this identity");
    const signer = { workload: known.service, thumbprint: caller.thumbprint, wit: token };
    return ok({ caller: signer, digest: contentDigest, expires: input.expires });
  }

  /** The issuer's own bundle, through the same door as everybody else's. */
  async #bundle(env: Env, now: number): Promise<TrustBundle | undefined> {
    if (this.#trust !== undefined && now < this.#trust.until) return this.#trust.bundle;
    const published = await issuer(env).bundle();
    if (!published.ok) return undefined;
    const root = await importPublicJwk(published.value.rootJwk);
    if (!root.ok) return undefined;
    const bundle = await loadBundle(published.value.signed, root.value, undefined, now);
    if (!bundle.ok) return undefined;
    // Whoever another trust domain vouches for is no workload of this mesh, and reports nothing here.
    const own = { ...bundle.value, federated: new Map<string, TrustBundle>() };
    this.#trust = { bundle: own, until: now + bundleForMs };
    return own;
  }
}

/** Answers of all verbs: 200 with the answer, or a problem that says what to do. */
function answer(outcome: { readonly ok: true } | Declined | Response): Response {
  if (outcome instanceof Response) return outcome;
  if (outcome.ok) return Response.json(outcome, { headers: { "cache-control": "no-store" } });
  // The members of Declined stand beside those of RFC 9457, so that the runtime reads it as it reads RPC's.
  return new Response(
    JSON.stringify({
      type: problemBase + declinedProblem,
      title: "Control does not serve this workload",
      status: statusOf(outcome.reason),
      ...outcome,
    }),
    {
      status: statusOf(outcome.reason),
      headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
    },
  );
}

function statusOf(reason: Declined["reason"]): number {
  switch (reason) {
    case "unregistered":
    case "revoked":
      return 403;
    case "not-ready":
      return 503;
    // draft-ietf-wimse-workload-creds §3.1: 400 or similar; 401 is not recommended.
    case "not-attested":
    case "bad-possession":
    case "bad-token":
    case "unsupported-version":
    case "malformed":
      return 400;
  }
}

async function bytesOf(request: Request, limitBytes: number): Promise<Uint8Array | undefined> {
  if (request.body === null) return new Uint8Array(0);
  const head = await readUpTo(request.body, limitBytes);
  if (head.whole) return head.bytes;
  // The rest is of no interest; whether the sender takes note is its affair.
  head.rest.cancel().catch(() => undefined);
  return undefined;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    // The parser's message quotes the body; that it is no JSON is all that may be said.
    return undefined;
  }
}

const tooLarge = (limitBytes: number): Response =>
  problem("body-too-large", "The request body is too large", `The limit is ${limitBytes} bytes.`);
