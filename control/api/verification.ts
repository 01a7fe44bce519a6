import { load } from "@tulle/mesh-runtime/policy/load.ts";
import { didYouMean } from "@tulle/mesh-runtime/policy/nearest.ts";
import type { Env } from "../env.ts";
import { issuer, policyStore } from "../objects.ts";
import { parseService } from "../service-key.ts";
import type { VerificationAnswer } from "./contract.ts";
import type { Handlers } from "./handler.ts";
import { missing, problem } from "./problems.ts";

/** What a worker verifies its callers with, for who wants to make the same checks elsewhere. Nothing of it is secret. */
export const verification: Handlers<"GET /api/identity/verification"> = {
  "GET /api/identity/verification": async (context) => {
    const { env } = context;
    const asked = context.req.query("service");
    const service = asked === undefined ? undefined : await demandsOf(env, asked);
    if (service instanceof Response) return service;
    const published = await issuer(env).bundle();
    if (!published.ok)
      return problem("not-ready", "The issuer has no keys yet", `${published.reason}. Run tulle check.`);
    const { signed, rootJwk, nextRootJwk } = published.value;
    const answer: VerificationAnswer = {
      bundle: signed,
      rootKeys: nextRootJwk === undefined ? [rootJwk] : [rootJwk, nextRootJwk],
      ...(service === undefined ? {} : { service }),
    };
    return context.json(answer, 200, { "cache-control": "no-store" });
  },
};

/** What the policy in force demands of a service's callers, read as the service itself reads it. */
async function demandsOf(
  env: Env,
  asked: string,
): Promise<NonNullable<VerificationAnswer["service"]> | Response> {
  const store = policyStore(env);
  const service = parseService(asked);
  const { services = [] } = await store.view(-1);
  const known = services.find((each) => each.service === service);
  if (service === undefined || known === undefined) {
    // Names as people write them: those in `default` without it.
    const names = services.map((each) => each.service.replace(/^default\//, ""));
    const meant = didYouMean(asked.slice(0, 127), names) || ".";
    return missing(`There is no service ${asked.slice(0, 127)}${meant}`);
  }
  const found = await store.snapshot(service);
  if (found === undefined) return missing(`${service} has no worker, so nobody calls it.`);
  const loaded = await load(found.text, found, service);
  if (!loaded.ok) throw new Error(loaded.reason);
  const { mode, evidence, maxDigestBytes, largeBody, replay, sessionProofs } = loaded.value.snapshot.inbound;
  const inbound = {
    ...{ mode, evidence, maxDigestBytes, largeBody },
    ...(replay === undefined ? {} : { replay }),
    ...(sessionProofs === undefined ? {} : { sessionProofs }),
  };
  return { service, spiffeId: known.spiffeId, inbound };
}
