import { caller } from "@tulle/mesh-runtime/cloudflare";
import type { Mirrored } from "./mirror-words.ts";

/** What a test needs to know of this worker. */
interface Env {
  readonly NAME: string;
}

let begun = 0;
let bodies = 0;

/** Tells what it was asked, after the milliseconds that `delay` in the query names; answers with headers of its own. */
export default {
  async fetch(request, env) {
    begun++;
    const url = new URL(request.url);
    const delay = Number(url.searchParams.get("delay") ?? 0);
    if (delay > 0) await scheduler.wait(delay);
    const bytes = (await request.arrayBuffer()).byteLength;
    bodies++;
    const body = {
      by: env.NAME,
      method: request.method,
      url: request.url,
      headers: Object.fromEntries(request.headers),
      bytes,
      caller: caller()?.id.uri,
      begun,
      bodies,
    } satisfies Mirrored;
    return Response.json(body, { headers: { "x-own": "kept", "x-secret": "of the application" } });
  },
} satisfies ExportedHandler<Env>;
