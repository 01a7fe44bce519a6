import type { Env } from "../env.ts";
import type { Standing } from "../operators/operator-book.ts";
import { type Presented, presented } from "../operators/token-form.ts";
import type { Role } from "./access.ts";
import { problem } from "./problems.ts";

/** Who calls the admin API. */
export interface Caller {
  /** How revisions name the author. */
  readonly name: string;
  readonly role: Role;
  /** Public id of an operator's token; absent for the two secrets. */
  readonly token?: string;
}

/** Asks whose token of an operator it is, by its public id and the hash of the whole; `busy`: too many ask. */
export type JudgeToken = (token: Presented) => Promise<Standing | { readonly kind: "busy" }>;

type Secrets = Pick<Env, "TULLE_OPERATOR_TOKEN" | "TULLE_OPERATOR_TOKEN_EXPIRES" | "TULLE_VIEWER_TOKEN">;

const bearer = /^Bearer ([\x21-\x7e]{1,512})$/i;

/**
 * Tells who calls by the bearer token (RFC 6750), or answers why nobody is known: 503 while no operator token
 * is configured, because an unguarded control plane is worse than none; 401 otherwise.
 *
 * Tokens are compared by their SHA-256 in constant time, so that neither length nor prefix leaks by timing. Who
 * brings a wrong one is not told whether there is, or was, one that looks like it.
 * @param judge for tokens that operators made; asked only about what has their form
 * @param now milliseconds since the Unix epoch
 */
export async function callerOf(
  authorization: string | null,
  secrets: Secrets,
  now: number,
  judge: JudgeToken,
): Promise<Caller | Response> {
  const operator = secrets.TULLE_OPERATOR_TOKEN;
  if (operator === undefined || operator === "") return unconfigured();
  const given = bearer.exec(authorization ?? "")?.[1];
  if (given === undefined) return unauthorized("An operator token is required", authorization !== null);
  if (await same(given, operator)) {
    return expired(secrets.TULLE_OPERATOR_TOKEN_EXPIRES, now) ?? { name: "operator", role: "admin" };
  }
  const viewer = secrets.TULLE_VIEWER_TOKEN;
  if (viewer !== undefined && viewer !== "" && (await same(given, viewer))) {
    return { name: "viewer", role: "viewer" };
  }
  const token = await presented(given);
  const standing: Awaited<ReturnType<JudgeToken>> =
    token === undefined ? { kind: "unknown" } : await judge(token);
  switch (standing.kind) {
    case "valid": {
      const { id, name, role } = standing.holder;
      return { name, role, token: id };
    }
    case "expired":
      return unauthorized(
        "The operator token has expired",
        true,
        `It was valid until ${new Date(standing.at).toISOString()}. Ask an admin for a new one (tulle token create).`,
      );
    case "unknown":
      return unauthorized("This operator token is not valid", true);
    case "busy":
      return problem(
        "unknown-tokens",
        "Too many unknown tokens are being tried",
        "Try again in a second. The secret TULLE_OPERATOR_TOKEN is not affected.",
        { "retry-after": "1" },
      );
  }
}

async function same(given: string, expected: string): Promise<boolean> {
  const encoder = new TextEncoder();
  const [left, right] = await Promise.all([
    crypto.subtle.digest("SHA-256", encoder.encode(given)),
    crypto.subtle.digest("SHA-256", encoder.encode(expected)),
  ]);
  return crypto.subtle.timingSafeEqual(left, right);
}

/** An expiry that cannot be read counts as passed: deny is the answer to doubt. */
function expired(at: string | undefined, now: number): Response | undefined {
  if (at === undefined || at === "") return undefined;
  const end = Date.parse(at);
  if (Number.isNaN(end)) {
    return unauthorized(
      "The expiry of the operator token cannot be read",
      true,
      "TULLE_OPERATOR_TOKEN_EXPIRES must be a time such as 2027-01-31T00:00:00Z.",
    );
  }
  if (now < end) return undefined;
  return unauthorized(
    "The operator token has expired",
    true,
    `It was valid until ${new Date(end).toISOString()}. Set a new TULLE_OPERATOR_TOKEN and TULLE_OPERATOR_TOKEN_EXPIRES with wrangler secret put.`,
  );
}

function unauthorized(title: string, given: boolean, detail?: string): Response {
  return problem(
    "operator-token",
    title,
    detail ??
      "Send the header Authorization: Bearer <token> with a token of tulle token create, or the value of the secret TULLE_OPERATOR_TOKEN (the CLI takes it from TULLE_TOKEN, --token-file or .tulle/token).",
    { "www-authenticate": given ? 'Bearer realm="tulle", error="invalid_token"' : 'Bearer realm="tulle"' },
  );
}

const unconfigured = (): Response =>
  problem(
    "operator-token-missing",
    "This control plane has no operator token yet",
    "Set one with: wrangler secret put TULLE_OPERATOR_TOKEN -c control/wrangler.toml (locally: a line TULLE_OPERATOR_TOKEN=… in control/.dev.vars).",
  );
