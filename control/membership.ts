import { no, ok, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
import { sha256Text } from "@tulle/mesh-runtime/identity/bytes.ts";
import { type Possession, verifyPossession } from "@tulle/mesh-runtime/identity/credential.ts";
import { parseSpiffeId } from "@tulle/mesh-runtime/identity/spiffe-id.ts";
import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import {
  contractVersion,
  type Declined,
  type JoinAnswer,
  type ReportAnswer,
} from "@tulle/mesh-runtime/workload-contract.ts";
import * as declined from "./declined.ts";
import type { Env } from "./env.ts";
import type { Freshness, MeshKnowledge } from "./freshness.ts";
import type { Admitted, Evidence, NotAdmitted } from "./issuer/admission.ts";
import type { AttestFault } from "./issuer/attestation/deno-attestor.ts";
import { issuer, policyStore } from "./objects.ts";
import { nameless } from "./policy-store/shelf.ts";
import type { Current } from "./policy-store/words.ts";
import { defaultReportMs, spread } from "./report-parts.ts";
import { fits } from "./shape.ts";
import { type JoinForm, joinShape, reportShape } from "./workload-shape.ts";

/** How long a credential lives, milliseconds: "minutes to hours" (SPIFFE WIT-SVID), renewed at half of it. */
const witTtlMs = 3_600_000;

/** How a workload showed who it is: the platform's word, a signature, or a token in the request, still to be judged. */
export type Attested =
  | { readonly evidence: "binding"; readonly workload: ServiceKey }
  /** `by`: the thumbprint of the key that signed; `wit`: the token with it. */
  | {
      readonly evidence: "signature";
      readonly workload: ServiceKey;
      readonly by: string;
      readonly wit: string;
    }
  | { readonly evidence: "token"; readonly attest: Attest };

/**
 * Judges what a platform says of a process, apart from whom it may become.
 *
 * @param thumbprint of the key that the process holds (RFC 7638)
 */
export type Attest = (idToken: string, thumbprint: string) => Promise<Result<Evidence, AttestFault>>;

/** Where the verbs of membership are answered. */
export interface Host {
  readonly env: Env;
  readonly freshness: Freshness;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Keeps the isolate alive for what follows the answer. */
  readonly waitUntil: (work: Promise<unknown>) => void;
}

/** Answers the verb `join`, whichever way it came: one judgement for RPC and HTTP. */
export async function join(host: Host, request: unknown, attested: Attested): Promise<JoinAnswer | Declined> {
  const { env, freshness, now } = host;
  const read = fits(joinShape, request);
  if (!read.ok) return declined.misshapen(read.reason);
  const form = read.value;
  if (form.version > contractVersion) return declined.unsupportedVersion(form.version, contractVersion);
  const workload = attested.evidence === "token" ? form.workload : attested.workload;
  if (form.workload !== "" && form.workload !== workload)
    return declined.otherWorkload(workload, form.workload);
  if (workload === "") return declined.misshapen("workload must be namespace/name");
  if (attested.evidence === "token") {
    if (form.joinToken === undefined && form.idToken === undefined) return declined.withoutEvidence(workload);
    if (form.joinToken !== undefined && form.idToken !== undefined) return declined.twoTokens();
  }

  const token = form.joinToken ?? form.idToken;
  const possession = await verifyPossession(form.possession, form.publicJwk, {
    trustDomain: env.TRUST_DOMAIN,
    workload: form.workload,
    now,
    ...(token === undefined ? {} : { joinToken: token }),
    ...(form.sealingKey === undefined ? {} : { sealingKey: form.sealingKey }),
  });
  if (!possession.ok) return declined.badPossession(possession.reason);
  const evidence = await evidenceOf(form, attested, workload, possession.value);
  if (!evidence.ok) return evidence.reason;
  // First of all that control knows: strangers shall not learn what there is, nor how control is.
  const stranger = attested.evidence === "token" ? await strange(env, evidence.value, workload) : undefined;
  if (stranger !== undefined) return refusal(stranger, workload);
  const current = await policyStore(env).current(workload, form.digest ?? "");
  if (current === undefined) return declined.unregistered(workload);
  if (current.spiffeId === nameless) return declined.withoutName(workload);
  // Last: a join token works once, and is not to be lost to what is missing here.
  if (current.head === undefined) return unsigned(env);
  const shown = { ...possession.value, sealingKey: form.sealingKey };
  const admitted = await admit(env, evidence.value, workload, shown, current);
  if (!admitted.ok) return refusal(admitted.reason, workload);
  return {
    ok: true,
    trustDomain: env.TRUST_DOMAIN,
    ...admitted.value,
    head: current.head,
    ...(current.snapshot === undefined ? {} : { snapshot: current.snapshot }),
    circuits: freshness
      .circuits(now)
      .map((verdict) => ({ verdict, sentinel: false, nextReportMs: defaultReportMs })),
  };
}

/** What a workload showed, as the issuer takes it. */
async function evidenceOf(
  { joinToken, idToken }: JoinForm,
  attested: Attested,
  workload: ServiceKey,
  { thumbprint }: Possession,
): Promise<Result<Evidence, Declined>> {
  if (attested.evidence !== "token") {
    if (attested.evidence === "signature")
      return ok({ attestor: "renewal", by: attested.by, wit: attested.wit });
    const [namespace = "", service = ""] = workload.split("/");
    return ok({ attestor: "binding", facts: { namespace, service } });
  }
  if (joinToken !== undefined) return ok({ attestor: "join-token", tokenHash: await sha256Text(joinToken) });
  const judged = await attested.attest(idToken ?? "", thumbprint);
  if (judged.ok) return judged;
  switch (judged.reason) {
    case "keys":
      return no(
        declined.notReady(
          "Control could not fetch the keys with which Deno Deploy signs.",
          "They are asked for again with the next join. The log of the control worker says why.",
        ),
      );
    case "configuration":
      return no(
        declined.notReady(
          "The variable TULLE_DENO_ISSUER or TULLE_URL of control cannot be used.",
          "Both must be https URLs, the first without a slash at its end; without them https://oidc.deno.com and the address of the request are taken.",
        ),
      );
    default:
      return no(declined.unattested(workload));
  }
}

/** Why a token is nobody's; undefined where it is somebody's. Of a binding and of a signature that is known already. */
async function strange(env: Env, evidence: Evidence, workload: ServiceKey): Promise<NotAdmitted | undefined> {
  const stranger = await issuer(env).stranger(evidence, workload);
  if (stranger !== undefined) tellOperator(evidence, workload, stranger);
  return stranger;
}

/** What the platform has signed is no secret, and the operator needs it to write an entry; who made it up cannot get here. */
function tellOperator(evidence: Evidence, whom: string, { kind, detail }: NotAdmitted): void {
  if (evidence.attestor !== "deno-deploy") return;
  console.warn(
    `control: Deno Deploy vouched for ${JSON.stringify(evidence.facts)}, which may not be ${whom}: ${kind}, ${detail}`,
  );
}

/** Why the head of a workload is not signed: the issuer cannot, or policy changed in this moment. */
async function unsigned(env: Env): Promise<Declined> {
  const keys = await issuer(env).bundle();
  return keys.ok
    ? declined.notReady(
        "The head of this workload is not signed yet: policy changes at this moment.",
        "It is signed with the next join, which the worker tries by itself. If it stays so, run tulle sync.",
      )
    : declined.notReady(`Control cannot issue credentials: ${keys.reason}.`, secretRemedy);
}

async function admit(
  env: Env,
  evidence: Evidence,
  workload: ServiceKey,
  { publicJwk, jti, sealingKey }: Possession & { readonly sealingKey: string | undefined },
  current: Current,
): Promise<Result<Admitted, NotAdmitted>> {
  const spiffeId = parseSpiffeId(current.spiffeId);
  if (!spiffeId.ok || spiffeId.value.trustDomain !== env.TRUST_DOMAIN)
    return no(foreignName(current.spiffeId));
  const admitted = await issuer(env).admit({
    spiffeId: spiffeId.value,
    service: workload,
    publicJwk,
    possessionJti: jti,
    sealingKey,
    ttlMs: witTtlMs,
    evidence,
  });
  if (!admitted.ok) tellOperator(evidence, current.spiffeId, admitted.reason);
  return admitted;
}

const foreignName = (spiffeId: string): NotAdmitted => ({
  kind: "not-ready",
  detail: `${spiffeId} is not of the trust domain that this control plane issues for`,
});

function refusal({ kind, detail }: NotAdmitted, workload: ServiceKey): Declined {
  switch (kind) {
    case "bad-token":
      return declined.badToken(workload);
    case "bad-possession":
      return declined.badPossession(detail);
    case "revoked":
      return declined.revoked(detail);
    case "not-attested":
      return declined.unattested(workload);
    case "unbelieved":
      return declined.unverified();
    case "not-renewable":
      return declined.notRenewable(workload);
    case "not-entitled":
      return declined.notEntitled(workload, detail);
    case "not-ready":
      return declined.notReady(`Control cannot issue credentials: ${detail}.`, secretRemedy);
  }
}

/** What to do while the issuer has no secret. */
export const secretRemedy =
  "Set the secret that encrypts signing keys (at least 32 random characters): wrangler secret put TULLE_KEY_SECRET -c control/wrangler.toml. Run tulle check to see what else is missing.";

/** Answers the verb `report`. What one object does not take is lost and counted; the answer is not. */
export async function report(
  host: Host,
  request: unknown,
  workload: ServiceKey,
): Promise<ReportAnswer | Declined> {
  const { env, freshness, now } = host;
  const read = fits(reportShape, request);
  if (!read.ok) return declined.misshapen(read.reason);
  const form = read.value;
  if (form.version > contractVersion) return declined.unsupportedVersion(form.version, contractVersion);
  if (form.workload !== workload) return declined.otherWorkload(workload, form.workload);
  const mesh = await freshness.mesh(env, now, form.epoch);
  if (!mesh.services.has(workload)) return declined.unregistered(workload);
  const [news, parts] = await Promise.all([
    newsFor(env, mesh, workload, form.epoch, form.digest, form.bundleSequence),
    spread(host, mesh, form),
  ]);
  freshness.hear(parts.circuits, now);
  return { ok: true, epoch: mesh.epoch, ...news, circuits: parts.circuits, nextReportMs: parts.nextReportMs };
}

/** What is newer than what the isolate runs. A store that does not answer has no news; the next report asks again. */
async function newsFor(
  env: Env,
  mesh: MeshKnowledge,
  workload: ServiceKey,
  epoch: number,
  digest: string,
  bundleSequence: number,
): Promise<Pick<ReportAnswer, "head" | "snapshot" | "bundle">> {
  const [current, bundle] = await Promise.allSettled([
    mesh.epoch > epoch ? policyStore(env).current(workload, digest) : undefined,
    mesh.bundleSequence > bundleSequence ? issuer(env).bundle() : undefined,
  ]);
  const newer = current.status === "fulfilled" ? current.value : undefined;
  const signed = bundle.status === "fulfilled" && bundle.value?.ok ? bundle.value.value.signed : undefined;
  return {
    ...(newer?.head === undefined ? {} : { head: newer.head }),
    ...(newer?.head === undefined || newer.snapshot === undefined ? {} : { snapshot: newer.snapshot }),
    ...(signed === undefined ? {} : { bundle: signed }),
  };
}
