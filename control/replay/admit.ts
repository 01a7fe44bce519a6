import type { ServiceKey } from "@tulle/mesh-runtime/routing/words.ts";
import { type AdmitAnswer, contractVersion, type Declined } from "@tulle/mesh-runtime/workload-contract.ts";
import * as declined from "../declined.ts";
import type { Env } from "../env.ts";
import { replayObject } from "../objects.ts";
import { fits } from "../shape.ts";
import { admitShape } from "../workload-shape.ts";

/**
 * Answers the verb `admit`, whichever way it came. Only for the workload that asks: nobody uses up proofs that came to
 * another, nor fills its memory.
 * @throws when the object does not answer; whoever asked refuses the request then
 */
export async function admit(
  env: Env,
  request: unknown,
  workload: ServiceKey,
): Promise<AdmitAnswer | Declined> {
  const read = fits(admitShape, request);
  if (!read.ok) return declined.misshapen(read.reason);
  const { version, workload: stated, ...proof } = read.value;
  if (version > contractVersion) return declined.unsupportedVersion(version, contractVersion);
  if (stated !== workload) return declined.otherWorkload(workload, stated);
  return { ok: true, ...(await replayObject(env, workload, proof.sender).admit(proof)) };
}
