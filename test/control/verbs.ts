import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach } from "vitest";
import { Freshness } from "../../control/freshness.ts";
import { type Attested, join, report } from "../../control/membership.ts";
import { apply, joinRequest, reportRequest, service } from "./support.ts";

/** What the binding of `web` says. */
export const props = { service: "web", namespace: "default" };

/** Has each test of a file begin with a mesh of two services, `web` and `payments`. */
export function inMeshOfTwo(): void {
  beforeEach(async () => {
    await reset();
    await apply(service("web"), service("payments"));
  });
}

/** The verbs with knowledge of their own, so that no test hears what another one knew. */
export function verbs(freshness = new Freshness(), trustDomain = env.TRUST_DOMAIN) {
  const host = () => ({
    env: { ...env, TRUST_DOMAIN: trustDomain },
    freshness,
    now: Date.now(),
    waitUntil: () => undefined,
  });
  const attested: Attested = { evidence: "binding", workload: "default/web" };
  return {
    join: async (...change: Parameters<typeof joinRequest>) =>
      join(host(), await joinRequest(...change), attested),
    report: (change: Parameters<typeof reportRequest>[1] = {}, name = "default/web") =>
      report(host(), reportRequest(name, change), name),
  };
}
