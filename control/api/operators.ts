import type { Env } from "../env.ts";
import { policyStore } from "../objects.ts";
import { maxOperatorTokens, reservedNames, tokenName } from "../operators/operator-book.ts";
import { object, oneOf, optional, text, whole } from "../shape.ts";
import { roles } from "./access.ts";
import type { OperatorToken, OperatorTokenRequest, OperatorTokensAnswer } from "./contract.ts";
import { actorOf, bodyOf, type Handlers } from "./handler.ts";
import { malformed, missing, problem } from "./problems.ts";

const dayMs = 86_400_000;
/** A quarter: long enough for a robot, short enough that a forgotten token ends. */
const defaultTtlMs = 90 * dayMs;
const minTtlMs = 60_000;
const maxTtlMs = 366 * dayMs;

const wishShape = object<OperatorTokenRequest>({
  name: text(
    63,
    tokenName,
    'of lower-case letters, digits, ".", "_" and "-" that begins and ends with a letter or digit',
  ),
  role: oneOf(...roles),
  ttlMs: optional(whole(minTtlMs, maxTtlMs)),
});

const uncached = { "cache-control": "no-store" };

/** The tokens of operators: made, listed and taken back by admins. */
export const operators: Handlers<"GET /api/tokens" | "POST /api/tokens" | "DELETE /api/tokens/:name"> = {
  "GET /api/tokens": async (context) => {
    const { env } = context;
    const answer: OperatorTokensAnswer = {
      tokens: [...secretTokens(env), ...(await policyStore(env).tokens())],
    };
    return context.json(answer, 200, uncached);
  },

  "POST /api/tokens": async (context) => {
    const body = await bodyOf(context, wishShape);
    if (body instanceof Response) return body;
    const { name, role, ttlMs = defaultTtlMs } = body;
    if (reservedNames.includes(name)) return malformed(`The name ${name} is kept for control itself.`);
    const outcome = await policyStore(context.env).createToken({ name, role, ttlMs }, actorOf(context));
    switch (outcome.kind) {
      case "made":
        return context.json(outcome.token, 200, uncached);
      case "taken":
        return problem(
          "token-exists",
          "There is a token of this name",
          `Revoke ${name} first, or choose another name.`,
        );
      case "full":
        return problem(
          "token-limit",
          "There are too many operator tokens",
          `The limit is ${maxOperatorTokens}, those that have expired included. Revoke some.`,
        );
    }
  },

  "DELETE /api/tokens/:name": async (context) => {
    const name = context.req.param("name") ?? "";
    if (secretTokens(context.env).some((token) => token.name === name)) {
      return malformed(
        `${name} is a secret of the control worker: change it with wrangler secret put, or delete it with wrangler secret delete.`,
      );
    }
    const revoked = await policyStore(context.env).revokeToken(name, actorOf(context));
    return revoked === undefined
      ? missing("There is no operator token of this name.")
      : context.json(revoked, 200, uncached);
  },
};

/** Who else gets in: a list without them would not be whole. */
function secretTokens(env: Env): readonly OperatorToken[] {
  const end = Date.parse(env.TULLE_OPERATOR_TOKEN_EXPIRES ?? "");
  return [
    {
      name: "operator",
      role: "admin",
      ...(Number.isNaN(end) ? {} : { expiresAt: new Date(end).toISOString() }),
    },
    ...(env.TULLE_VIEWER_TOKEN ? [{ name: "viewer", role: "viewer" } as const] : []),
  ];
}
