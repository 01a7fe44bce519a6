import { no, type Result } from "@tulle/mesh-runtime/foundation/result.ts";
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
import type { Admitted, NotAdmitted } from "./issuer/issuer-object.ts";
import { issuer, policyStore } from "./objects.ts";
import type { Current } from "./policy-store/words.ts";
import { defaultReportMs, spread } from "./report-parts.ts";
import { fits } from "./shape.ts";
import { type JoinForm, joinShape, reportShape } from "./workload-shape.ts";

/** How long a credential lives, milliseconds: "minutes to hours" (SPIFFE WIT-SVID), renewed at half of it. */
const witTtlMs = 3_600_000;

/** How a workload showed who it is: the platform's word, a signature, or a join token still to be taken. */
export type Attested =
  | { readonly evidence: "binding" | "signature"; readonly workload: ServiceKey }
  | { readonly evidence: "token" };

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
  if (attested.evidence === "token" && form.joinToken === undefined)
    return declined.withoutEvidence(workload);

  const possession = await verifyPossession(form.possession, form.publicJwk, {
    trustDomain: env.TRUST_DOMAIN,
    workload: form.workload,
    now,
    ...(form.joinToken === undefined ? {} : { joinToken: form.joinToken }),
  });
  if (!possession.ok) return declined.badPossession(possession.reason);
  // Registration comes before the join token is taken: it works once.
  const current = await policyStore(env).current(workload, form.digest ?? "");
  if (current === undefined) return declined.unregistered(workload);
  const admitted = await admit(env, form, attested, workload, possession.value, current);
  if (!admitted.ok) return refusal(admitted.reason, workload);
  if (current.head === undefined)
    return declined.notReady("The head of this workload is not signed yet.", secretRemedy);
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

async function admit(
  env: Env,
  form: JoinForm,
  attested: Attested,
  workload: ServiceKey,
  { publicJwk, jti }: Possession,
  current: Current,
): Promise<Result<Admitted, NotAdmitted>> {
  const spiffeId = parseSpiffeId(current.spiffeId);
  if (!spiffeId.ok || spiffeId.value.trustDomain !== env.TRUST_DOMAIN)
    return no(foreignName(current.spiffeId));
  const { joinToken } = form;
  const isToken = attested.evidence === "token" && joinToken !== undefined;
  return issuer(env).admit({
    spiffeId: spiffeId.value,
    service: workload,
    publicJwk,
    possessionJti: jti,
    ttlMs: witTtlMs,
    ...(isToken ? { tokenHash: await sha256Text(joinToken) } : {}),
  });
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
    case "not-ready":
      return declined.notReady(`Control cannot issue credentials: ${detail}.`, secretRemedy);
  }
}

const secretRemedy =
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
