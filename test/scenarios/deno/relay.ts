import { caller, serve } from "@tulle/mesh-runtime/deno";
import { relayed } from "../relayed.ts";

/** A relay on Deno. */
serve({ fetch: (request) => relayed(request, caller()) });
