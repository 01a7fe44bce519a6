import { caller } from "@tulle/mesh-runtime/cloudflare";
import { relayed } from "../relayed.ts";

/** A relay on workerd. */
export default {
  fetch: (request) => relayed(request, caller()),
} satisfies ExportedHandler;
