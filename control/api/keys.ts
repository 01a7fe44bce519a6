import type { PublicKeys } from "../issuer/issuer-object.ts";
import { type RingChange, rotationOf } from "../issuer/keyring.ts";
import { issuer } from "../objects.ts";
import { flag, object, oneOf, optional, text } from "../shape.ts";
import type { KeysAnswer, RevokeKeyRequest, RotateRequest } from "./contract.ts";
import { type ApiContext, bodyOf, type Handlers, recordFirst } from "./handler.ts";
import { publishSoon } from "./policies.ts";
import { malformed, missing, problem } from "./problems.ts";
import { notReadyFor, rootKnownAfterMs } from "./root-readiness.ts";

const rotateShape = object<RotateRequest>({
  key: optional(oneOf("signing", "root")),
  activate: optional(flag),
  force: optional(flag),
});
const revokeShape = object<RevokeKeyRequest>({ kid: text(128) });

/** The keys of the issuer: what there is, the next one now, and one that leaked. */
export const keys: Handlers<"GET /api/keys" | "POST /api/keys/rotate" | "POST /api/keys/revoke"> = {
  "GET /api/keys": async (context) => {
    const published = await issuer(context.env).bundle();
    return published.ok ? context.json(answerOf(context, published.value)) : notReady(published.reason);
  },

  "POST /api/keys/rotate": async (context) => {
    const body = await bodyOf(context, rotateShape);
    if (body instanceof Response) return body;
    const { key = "signing", activate = false, force = false } = body;
    if (key === "signing" && activate)
      return malformed(
        "A signing key is activated by the clock, when it has been published for long enough.",
      );
    if (force && !activate) return malformed("Only what is activated can be forced.");
    const kind = key === "signing" ? "rotate" : activate ? "roll-root" : "prepare-root";
    if (kind === "roll-root") {
      const before = await issuer(context.env).bundle();
      if (before.ok && before.value.nextRootJwk === undefined)
        return malformed(
          "There is no next root key: prepare one with tulle keys rotate --root, and pin it, first.",
        );
      const reasons = before.ok && !force ? await notReadyFor(context.env, before.value, Date.now()) : [];
      if (reasons.length > 0) return rootUnknown(reasons);
    }
    const how = force ? `${kind} by force` : kind;
    await recordFirst(context, "keys.rotate", `keys/${key}`, how, force ? { kind, force } : { kind });
    return change(context, { kind });
  },

  "POST /api/keys/revoke": async (context) => {
    const body = await bodyOf(context, revokeShape);
    if (body instanceof Response) return body;
    const before = await issuer(context.env).bundle();
    if (before.ok && !before.value.slots.some(({ kid }) => kid === body.kid))
      return missing(`There is no signing key ${body.kid.slice(0, 64)}.`);
    await recordFirst(context, "keys.revoke", `keys/${body.kid}`, "", { kid: body.kid });
    return change(context, { kind: "revoke", kid: body.kid });
  },
};

async function change(context: ApiContext, wanted: RingChange): Promise<Response> {
  const changed = await issuer(context.env).changeKeys(wanted);
  if (!changed.ok) return notReady(changed.reason);
  await publishSoon(context);
  return context.json(answerOf(context, changed.value));
}

function answerOf({ env }: ApiContext, published: PublicKeys): KeysAnswer {
  const {
    slots,
    rootJwk,
    rootKid,
    nextRootJwk,
    nextRootKid,
    nextRootAt = 0,
    sequence,
    expiresAt,
  } = published;
  const rotation = rotationOf(env.TULLE_KEY_ROTATION);
  return {
    keys: [
      ...slots.map(({ kid, state, since, movesAt }) => ({
        kid,
        use: "signing" as const,
        state,
        since: new Date(since).toISOString(),
        movesAt: new Date(movesAt).toISOString(),
      })),
      { kid: rootKid, use: "root", state: "active", publicJwk: rootJwk },
      ...(nextRootJwk === undefined || nextRootKid === undefined
        ? []
        : [
            {
              kid: nextRootKid,
              use: "root" as const,
              state: "prepared" as const,
              since: new Date(nextRootAt).toISOString(),
              movesAt: new Date(nextRootAt + rootKnownAfterMs).toISOString(),
              publicJwk: nextRootJwk,
            },
          ]),
    ],
    rotationMs: rotation.ok ? rotation.value.activeMs : 0,
    bundle: { sequence, expiresAt: new Date(expiresAt).toISOString() },
  };
}

const rootUnknown = (reasons: readonly string[]): Response =>
  problem(
    "root-unknown",
    "The next root key may not sign yet: workers that do not believe it would be locked out",
    `${reasons.join(" ")} When the present root key leaked, and workers may be locked out until they are deployed anew: tulle keys rotate --root --activate --force.`,
  );

const notReady = (reason: string): Response =>
  problem("not-ready", "The issuer cannot use its keys", `${reason}. Run tulle check.`);
