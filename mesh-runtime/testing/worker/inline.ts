import { mesh } from "../../adapters/cloudflare/index.ts";

/** A service whose handler runs in the test's own process: this worker carries the mesh and passes requests there. */
export default mesh<{ TULLE_INLINE: Fetcher }>({
  fetch: (request, env) => env.TULLE_INLINE.fetch(request),
});
