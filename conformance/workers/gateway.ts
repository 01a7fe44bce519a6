import { WorkerEntrypoint } from "cloudflare:workers";
import { report } from "./report.ts";

export { default } from "@tulle/gateway-worker";

/** What the runner asks of a gateway worker, past the mesh. */
export class ConformanceDoor extends WorkerEntrypoint<object> {
  /** Joins if need be, reports what is due, and tells the epoch in force. */
  report(): Promise<number> {
    return report(this.env);
  }
}
