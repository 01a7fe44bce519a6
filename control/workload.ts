import { WorkerEntrypoint } from "cloudflare:workers";
import type {
  AdmitAnswer,
  AdmitRequest,
  Declined,
  JoinAnswer,
  JoinRequest,
  ReportAnswer,
  ReportRequest,
} from "@tulle/mesh-runtime/workload-contract.ts";
import { withoutProps } from "./declined.ts";
import type { Env } from "./env.ts";
import { Freshness } from "./freshness.ts";
import { type Host, join, report } from "./membership.ts";
import { admit } from "./replay/admit.ts";
import { serviceOfProps } from "./service-key.ts";

/** Plain data, shared by the requests of this isolate. */
export const freshness = new Freshness();

/**
 * The entrypoint that every shim's service binding `MESH` leads to. The binding's `props` say who calls: the
 * platform guarantees them, a caller cannot set them, and nothing over HTTP leads here.
 */
export class Workload extends WorkerEntrypoint<
  Env,
  { readonly service?: string; readonly namespace?: string }
> {
  async join(request: JoinRequest): Promise<JoinAnswer | Declined> {
    const workload = serviceOfProps(this.ctx.props);
    if (workload === undefined) return withoutProps();
    return join(this.#host(), request, { evidence: "binding", workload });
  }

  async report(request: ReportRequest): Promise<ReportAnswer | Declined> {
    const workload = serviceOfProps(this.ctx.props);
    if (workload === undefined) return withoutProps();
    return report(this.#host(), request, workload);
  }

  async admit(request: AdmitRequest): Promise<AdmitAnswer | Declined> {
    const workload = serviceOfProps(this.ctx.props);
    if (workload === undefined) return withoutProps();
    return admit(this.env, request, workload);
  }

  #host(): Host {
    return {
      env: this.env,
      freshness,
      now: Date.now(),
      waitUntil: (work) => this.ctx.waitUntil(work),
    };
  }
}
