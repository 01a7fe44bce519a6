import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import type { Env } from "./env.ts";
import type { IssuerObject } from "./issuer/issuer-object.ts";
import { type Asked, asked } from "./object-door.ts";
import type { PolicyObject } from "./policy-store/policy-object.ts";
import type { ReplayObject } from "./replay/replay-object.ts";
import type { ServiceObject } from "./services/service-object.ts";
import type { TraceObject } from "./traces/trace-object.ts";

/*
 * How the objects are found, and asked through their doors. Stubs are made anew for each use: one that has thrown must
 * not be used again.
 */

/** The one writer of policy. */
export const policyStore = (env: Env): Asked<PolicyObject> => asked(env, env.POLICY.getByName("mesh"));

/** The issuer of a trust domain: another trust domain has other keys. */
export const issuer = (env: Env): Asked<IssuerObject> => asked(env, env.ISSUER.getByName(env.TRUST_DOMAIN));

/** The authority over one service's circuit, and the keeper of its signals. */
export const serviceObject = (env: Env, service: ServiceKey): Asked<ServiceObject> =>
  asked(env, env.SERVICES.getByName(service));

/** Spans of the traces of one shard. */
export const traceObject = (env: Env, shard: string): Asked<TraceObject> =>
  asked(env, env.TRACES.getByName(shard));

/** Objects that share the strict replay protection of one service: each takes about a thousand requests a second. */
const replayShards = 4;

/**
 * The memory of proofs that were used at one service. Sharded by who signed: a nonce is unique to its sender, and so
 * an isolate that calls hears of one watch only.
 * @param sender thumbprint of a key: a hash, so its first characters spread evenly
 */
export const replayObject = (env: Env, service: ServiceKey, sender: string): Asked<ReplayObject> =>
  asked(env, env.REPLAYS.getByName(replayName(service, sender)));

export const replayName = (service: ServiceKey, sender: string): string =>
  `${service} ${(sender.charCodeAt(0) ^ sender.charCodeAt(1)) % replayShards}`;
