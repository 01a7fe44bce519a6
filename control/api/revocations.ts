import { type RevokedKind, readRevoked } from "../issuer/revocations.ts";
import { issuer } from "../objects.ts";
import { object, optional, text } from "../shape.ts";
import type { RevocationRequest, RevocationsAnswer } from "./contract.ts";
import { type ApiContext, bodyOf, type Handlers, recordFirst } from "./handler.ts";
import { publishSoon } from "./policies.ts";
import { malformed, missing, problem } from "./problems.ts";

const shape = object<RevocationRequest>({
  spiffeId: optional(text(2_048)),
  jti: optional(text(128)),
  thumbprint: optional(text(128)),
  reason: optional(text(1_024)),
});

/** Who is no longer believed. */
export const revocations: Handlers<
  "GET /api/identity/revocations" | "POST /api/identity/revocations" | "POST /api/identity/revocations/lift"
> = {
  "GET /api/identity/revocations": listed,

  "POST /api/identity/revocations": async (context) => {
    const wanted = await wantedOf(context);
    if (wanted instanceof Response) return wanted;
    const { kind, value, reason } = wanted;
    await recordFirst(context, "identity.revoke", `${kind}/${value}`, reason, { kind, value });
    const revoked = await issuer(context.env).revoke({ kind, value }, context.var.caller.name, reason);
    if (!revoked.ok) return problem("not-ready", "This cannot be revoked now", `${revoked.reason}.`);
    await publishSoon(context);
    return listed(context);
  },

  "POST /api/identity/revocations/lift": async (context) => {
    const wanted = await wantedOf(context);
    if (wanted instanceof Response) return wanted;
    const { kind, value, reason } = wanted;
    await recordFirst(context, "identity.lift", `${kind}/${value}`, reason, { kind, value });
    const lifted = await issuer(context.env).lift(wanted.kind, wanted.value);
    if (!lifted.ok) return problem("not-ready", "This cannot be lifted now", `${lifted.reason}.`);
    if (!lifted.value) return missing("This is not revoked.");
    await publishSoon(context);
    return listed(context);
  },
};

/** The one thing that a request names, or what is wrong with it. */
async function wantedOf(
  context: ApiContext,
): Promise<{ kind: RevokedKind; value: string; reason: string } | Response> {
  const body = await bodyOf(context, shape);
  if (body instanceof Response) return body;
  const named = (["spiffeId", "jti", "thumbprint"] as const).flatMap((kind) => {
    const value = body[kind];
    return value === undefined ? [] : [{ kind, value }];
  });
  const [only] = named;
  if (only === undefined || named.length > 1)
    return malformed("Name exactly one of spiffeId, jti and thumbprint.");
  const read = readRevoked(only.kind, only.value);
  if (!read.ok) return malformed(`${read.reason}.`);
  if (only.kind === "spiffeId" && !(await isKnown(context, only.value)))
    return malformed(
      `spiffeId must be of the trust domain ${context.env.TRUST_DOMAIN}, or of one that is federated.`,
    );
  return { ...only, reason: body.reason ?? "" };
}

/** Whether an identity could be believed here: of our own trust domain, or of another one that was configured. */
async function isKnown({ env }: ApiContext, spiffeId: string): Promise<boolean> {
  const isOf = (trustDomain: string): boolean => spiffeId.startsWith(`spiffe://${trustDomain}/`);
  return isOf(env.TRUST_DOMAIN) || (await issuer(env).federated()).some(isOf);
}

async function listed(context: ApiContext): Promise<Response> {
  const [all, sequence] = await Promise.all([
    issuer(context.env).revoked(),
    issuer(context.env).bundleSequence(),
  ]);
  const answer: RevocationsAnswer = {
    revoked: all.map(({ kind, value, at, liftedAt, by, reason }) => ({
      kind,
      value,
      at: new Date(at).toISOString(),
      ...(liftedAt === undefined ? {} : { liftedAt: new Date(liftedAt).toISOString() }),
      by,
      reason,
    })),
    sequence,
  };
  return context.json(answer);
}
