import { traceObject } from "../objects.ts";
import { traceShard } from "../traces/shard.ts";
import type { TraceAnswer } from "./contract.ts";
import type { Handlers } from "./handler.ts";
import { malformed, missing } from "./problems.ts";

/** The recent spans of one trace. */
export const traces: Handlers<"GET /api/traces/:id"> = {
  "GET /api/traces/:id": async (context) => {
    const traceId = (context.req.param("id") ?? "").toLowerCase();
    if (!/^[0-9a-f]{32}$/.test(traceId)) return malformed("A trace id is 32 hex digits.");
    const spans = await traceObject(context.env, traceShard(traceId)).get(traceId);
    if (spans.length === 0) {
      return missing(
        `No span of trace ${traceId} is kept: it was not sampled, has not been reported yet, or is older than an hour.`,
      );
    }
    const answer: TraceAnswer = { traceId, spans };
    return context.json(answer);
  },
};
