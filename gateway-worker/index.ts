import { meshOf } from "@tulle/mesh-runtime/cloudflare/isolate";
import { type GatewayEnv, limitsOf } from "./env.ts";
import { enter } from "./gateway.ts";

/** The way into the mesh from outside. */
export default {
  fetch: (request, env) => enter(request, meshOf(env, request), limitsOf(env)),
} satisfies ExportedHandler<GatewayEnv>;
