import { policyStore } from "../objects.ts";
import type { Handlers } from "./handler.ts";

/** Reads KV back now, every text of it, instead of waiting for the schedule. */
export const sync: Handlers<"POST /api/sync"> = {
  "POST /api/sync": async (context) => context.json(await policyStore(context.env).reconcile(true)),
};
