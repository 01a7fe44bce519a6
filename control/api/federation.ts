import type { Env } from "../env.ts";
import { endsAt, type Federation, stateOf } from "../issuer/federation/federation.ts";
import { readWanted } from "../issuer/federation/federations.ts";
import { issuer } from "../objects.ts";
import { object, oneOf, optional, text } from "../shape.ts";
import type { FederationAnswer, FederationLine, FederationRequest } from "./contract.ts";
import { type ApiContext, bodyOf, type Handlers, recordFirst } from "./handler.ts";
import { publishSoon } from "./policies.ts";
import { malformed, missing, problem } from "./problems.ts";

const shape = object<FederationRequest>({
  trustDomain: text(255),
  bundleEndpoint: object<FederationRequest["bundleEndpoint"]>({
    url: text(2_048),
    profile: optional(oneOf("https_web")),
  }),
  trustDomainBundle: optional(text(262_144)),
});

/** Which other trust domains are believed. Whoever may change that may let anybody name callers: admins alone. */
export const federation: Handlers<
  | "GET /api/federation"
  | "POST /api/federation"
  | "DELETE /api/federation/:trustDomain"
  | "POST /api/federation/:trustDomain/refresh"
> = {
  "GET /api/federation": async (context) => context.json(await answerOf(context.env)),

  "POST /api/federation": async (context) => {
    const body = await bodyOf(context, shape);
    if (body instanceof Response) return body;
    const { trustDomain, bundleEndpoint, trustDomainBundle } = body;
    const { url } = bundleEndpoint;
    const read = readWanted({ trustDomain, url }, context.env.TRUST_DOMAIN);
    if (!read.ok) return malformed(`${read.reason}.`);
    await recordFirst(context, "federation.add", `trust-domain/${trustDomain.slice(0, 255)}`, "", {
      trustDomain,
      url,
      ...(trustDomainBundle === undefined ? {} : { trustDomainBundle }),
    });
    const made = await issuer(context.env).federate({
      trustDomain,
      url,
      ...(trustDomainBundle === undefined ? {} : { bundle: trustDomainBundle }),
      by: context.var.caller.name,
    });
    if (made.ok) {
      await publishSoon(context);
      return context.json(lineOf(made.value, Date.now()));
    }
    const { kind, detail } = made.reason;
    if (kind === "malformed") return malformed(`${detail}.`);
    return kind === "taken"
      ? problem("federation-exists", "This trust domain is federated already", `${detail}.`)
      : problem("federation-limit", "Too many trust domains are federated", `${detail}.`);
  },

  "DELETE /api/federation/:trustDomain": async (context) => {
    const trustDomain = context.req.param("trustDomain") ?? "";
    if (!(await isFederated(context, trustDomain))) return unknown(trustDomain);
    await recordFirst(context, "federation.remove", `trust-domain/${trustDomain}`, "", { trustDomain });
    const removed = await issuer(context.env).unfederate(trustDomain);
    if (!removed.ok)
      return problem(
        "not-ready",
        "The federation is removed, and the bundle says so not yet",
        `${removed.reason}. Run tulle check.`,
      );
    await publishSoon(context);
    return context.json(await answerOf(context.env));
  },

  "POST /api/federation/:trustDomain/refresh": async (context) => {
    const trustDomain = context.req.param("trustDomain") ?? "";
    if (!(await isFederated(context, trustDomain))) return unknown(trustDomain);
    await recordFirst(context, "federation.refresh", `trust-domain/${trustDomain}`, "", { trustDomain });
    const found = await issuer(context.env).refreshFederation(trustDomain);
    if (found === undefined) return unknown(trustDomain);
    if (found === "busy") {
      return problem(
        "federation-busy",
        "Bundle endpoints have been asked too often",
        "Operators may have them asked eight times in ten seconds. Try again in ten seconds; they are asked by themselves too.",
        { "retry-after": "10" },
      );
    }
    await publishSoon(context);
    return context.json(lineOf(found, Date.now()));
  },
};

async function isFederated({ env }: ApiContext, trustDomain: string): Promise<boolean> {
  return (await issuer(env).federated()).includes(trustDomain);
}

const unknown = (trustDomain: string): Response =>
  missing(
    `The trust domain ${trustDomain.slice(0, 64)} is not federated; tulle federation list shows those that are.`,
  );

/** All federations as operators see them. */
export async function answerOf(env: Env): Promise<FederationAnswer> {
  const now = Date.now();
  const all = await issuer(env).federations();
  return { trustDomain: env.TRUST_DOMAIN, federations: all.map((each) => lineOf(each, now)) };
}

function lineOf(each: Federation, now: number): FederationLine {
  const { trustDomain, url, by, at, held, triedAt, error, failures, nextAt } = each;
  const end = endsAt(each);
  return {
    trustDomain,
    bundleEndpoint: { url, profile: "https_web" },
    state: stateOf(each, now),
    addedBy: by,
    addedAt: iso(at),
    ...(held?.sequence === undefined ? {} : { sequence: held.sequence }),
    keys: held?.keys.map(({ kid }) => kid) ?? [],
    ...(held === undefined ? {} : { seenAt: iso(held.seenAt), refreshMs: held.refreshMs }),
    ...(end === undefined ? {} : { believedUntil: iso(end) }),
    ...(triedAt === undefined ? {} : { triedAt: iso(triedAt) }),
    ...(error === "" ? {} : { error, failures }),
    nextAt: iso(nextAt),
  };
}

const iso = (at: number): string => new Date(at).toISOString();
