import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import type { Env } from "./env.ts";

/*
 * How the objects are found. Stubs are made anew for each use: one that has thrown must not be used again.
 */

/** The one writer of policy. */
export const policyStore = (env: Env) => env.POLICY.getByName("mesh");

/** The issuer of a trust domain: another trust domain has other keys. */
export const issuer = (env: Env) => env.ISSUER.getByName(env.TRUST_DOMAIN);

/** The authority over one service's circuit, and the keeper of its signals. */
export const serviceObject = (env: Env, service: ServiceKey) => env.SERVICES.getByName(service);
