import { app } from "./api/app.ts";
import type { Env } from "./env.ts";
import { policyStore } from "./objects.ts";

export { IssuerObject } from "./issuer/issuer-object.ts";
export { PolicyObject } from "./policy-store/policy-object.ts";
export { ReplayObject } from "./replay/replay-object.ts";
export { ServiceObject } from "./services/service-object.ts";
export { TraceObject } from "./traces/trace-object.ts";
export { Workload } from "./workload.ts";

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
