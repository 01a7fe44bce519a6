import { app } from "./api/app.ts";
import type { Env } from "./env.ts";
import { IssuerObject as Issuer } from "./issuer/issuer-object.ts";
import { behindDoor } from "./object-door.ts";
import { policyStore } from "./objects.ts";
import { PolicyObject as Policy } from "./policy-store/policy-object.ts";
import { ReplayObject as Replay } from "./replay/replay-object.ts";
import { ServiceObject as Service } from "./services/service-object.ts";
import { TraceObject as Trace } from "./traces/trace-object.ts";

export { Workload } from "./workload.ts";

/*
 * The objects, under the names that wrangler.toml gives them: each behind its door.
 */
export const IssuerObject = behindDoor("IssuerObject", Issuer);
export const PolicyObject = behindDoor("PolicyObject", Policy);
export const ReplayObject = behindDoor("ReplayObject", Replay);
export const ServiceObject = behindDoor("ServiceObject", Service);
export const TraceObject = behindDoor("TraceObject", Trace);

/** How often reconcile reads every text in KV and not only those that look changed, minutes. */
const deepEvery = 15;

export default {
  fetch: app.fetch,

  /** Reads KV back and finishes what was interrupted. */
  async scheduled(controller, env) {
    const minute = new Date(controller.scheduledTime).getUTCMinutes();
    const answer = await policyStore(env).reconcile(minute % deepEvery === 0);
    for (const { key } of answer.invalid)
      console.warn(`control: ${key} in KV is not valid; tulle check says why`);
  },
} satisfies ExportedHandler<Env>;
