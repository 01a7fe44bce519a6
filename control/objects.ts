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

/** Objects that share the strict replay protection of one service: each takes about a thousand requests a second. */
const replayShards = 4;

/**
 * The memory of proofs that were used at one service. Sharded by who signed: a nonce is unique to its sender, and so
 * an isolate that calls hears of one watch only.
 * @param sender thumbprint of a key: a hash, so its first characters spread evenly
 */
export const replayObject = (env: Env, service: ServiceKey, sender: string) =>
  env.REPLAYS.getByName(`${service} ${(sender.charCodeAt(0) ^ sender.charCodeAt(1)) % replayShards}`);
