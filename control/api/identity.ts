import { maxTokenTtlMs } from "../issuer/join-tokens.ts";
import { refreshHintMs } from "../issuer/keyring.ts";
import { attestorsOf } from "../issuer/registration.ts";
import { denies } from "../issuer/revocations.ts";
import { issuer, policyStore } from "../objects.ts";
import { nameless } from "../policy-store/shelf.ts";
import { parseService } from "../service-key.ts";
import { object, optional, text, whole } from "../shape.ts";
import type { IdentitiesAnswer, IdentityLine, TokenAnswer, TokenRequest } from "./contract.ts";
import { withoutName } from "./entries.ts";
import { bodyOf, type Handler, type Handlers, recordFirst } from "./handler.ts";
import { malformed, missing, problem } from "./problems.ts";
import { statusOf } from "./status.ts";

const tokenShape = object<TokenRequest>({
  service: text(127),
  ttlMs: optional(whole(1_000, maxTokenTtlMs)),
});

/** Who workloads are, and one-time join tokens for those that the platform does not vouch for. */
export const identity: Handlers<"GET /api/identity" | "POST /api/identity/tokens"> = {
  "GET /api/identity": async (context) => {
    const { env } = context;
    const [status, issued, revoked, entries] = await Promise.all([
      statusOf(env, Date.now()),
      issuer(env).issued(),
      issuer(env).revoked(),
      issuer(env).entries(),
    ]);
    const tokens = new Map(issued.map((each) => [each.spiffeId, each]));
    const denied = new Set(revoked.filter(denies).map(({ value }) => value));
    const services = status.services.filter(({ virtual }) => !virtual);
    const served = new Set(services.map(({ spiffeId }) => spiffeId));
    const registeredAlone = new Set(entries.map(({ spiffeId }) => spiffeId).filter((id) => !served.has(id)));
    const lineOf = (spiffeId: string, service: string, lastSeenMs?: number): IdentityLine => {
      const given = tokens.get(spiffeId);
      const own = entries.filter((entry) => entry.spiffeId === spiffeId);
      return {
        service,
        spiffeId,
        ...(lastSeenMs === undefined ? {} : { lastSeenMs }),
        issued: given?.count ?? 0,
        ...(given === undefined ? {} : { lastIssuedAt: new Date(given.lastAt).toISOString() }),
        revoked: denied.has(spiffeId),
        attestors: attestorsOf(own),
        registered: own.length > 0,
      };
    };
    const answer: IdentitiesAnswer = {
      identities: [
        ...services.map(({ service, spiffeId, lastSeenMs }) => lineOf(spiffeId, service, lastSeenMs)),
        ...[...registeredAlone].sort().map((spiffeId) => lineOf(spiffeId, "")),
      ],
    };
    return context.json(answer);
  },

  "POST /api/identity/tokens": async (context) => {
    const body = await bodyOf(context, tokenShape);
    if (body instanceof Response) return body;
    const service = parseService(body.service);
    if (service === undefined) return malformed("service must be name or namespace/name, in lower case.");
    const { services = [] } = await policyStore(context.env).view(-1);
    const known = services.find((each) => each.service === service);
    if (known === undefined) {
      return missing(`No Service ${service} is registered; apply its document first, then make a token.`);
    }
    if (known.spiffeId === nameless) return withoutName(service);
    const entries = await issuer(context.env).entriesOf(known.spiffeId);
    if (!attestorsOf(entries).includes("join-token")) {
      return problem(
        "entry-missing",
        "Nobody may become this with a join token",
        `${known.spiffeId} has registration entries, and none for join tokens. Let it: tulle identity create --service ${service} --attestor join-token`,
      );
    }
    const ttlMs = body.ttlMs ?? maxTokenTtlMs;
    await recordFirst(context, "join-token.create", `Service/${service}`, `for ${ttlMs / 1_000} s`, {
      service,
      ttlMs,
    });
    const made = await issuer(context.env).joinToken(service, ttlMs);
    if (!made.ok) return problem("too-many-tokens", "No join token can be made now", `${made.reason}.`);
    const answer: TokenAnswer = {
      service,
      token: made.value.token,
      expiresAt: new Date(made.value.expiresAt).toISOString(),
    };
    return context.json(answer, 200, { "cache-control": "no-store" });
  },
};

/**
 * The keys that verify this trust domain's tokens, as a SPIFFE bundle, for others to federate with. Public.
 * `tulle_root` is the key that signs bundles and heads, for pinning.
 */
export const jwks: Handler = async (context) => {
  const published = await issuer(context.env).bundle();
  if (!published.ok) {
    return problem("not-ready", "The issuer has no keys yet", `${published.reason}. Run tulle check.`);
  }
  const { keys, sequence, rootJwk, nextRootJwk } = published.value;
  const body = {
    keys,
    spiffe_sequence: sequence,
    spiffe_refresh_hint: refreshHintMs / 1_000,
    tulle_root: rootJwk,
    ...(nextRootJwk === undefined ? {} : { tulle_next_root: nextRootJwk }),
  };
  return context.json(body, 200, { "cache-control": "public, max-age=60" });
};
