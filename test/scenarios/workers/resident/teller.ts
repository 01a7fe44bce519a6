import { caller } from "@tulle/mesh-runtime/cloudflare";
import type { Told } from "../../told.ts";

/** Requests that are waiting for others to arrive. Plain data. */
let inside = 0;
let most = 0;
let charged = 0;

const name = (): string => caller()?.id.uri ?? "nobody";

/** Tells who calls, and does whatever else an application may do to its callers. */
export default {
  async fetch(request) {
    const url = new URL(request.url);
    const principal = caller();
    switch (url.pathname) {
      case "/throw":
        throw new RangeError("a detail that is nobody's business");
      case "/nothing":
        return undefined as unknown as Response;
      case "/charge":
        charged++;
        return new Response(`charge ${charged}`, {
          status: 503,
          headers: { "tulle-problem": "mesh-not-ready" },
        });
      case "/away":
        return Response.redirect(url.searchParams.get("to") ?? "", 302);
      case "/most":
        return Response.json({ most });
      case "/charged":
        return Response.json(charged);
      case "/meet": {
        // Others arrive meanwhile, and some of them are answered first.
        const wanted = Number(url.searchParams.get("wanted"));
        most = Math.max(most, ++inside);
        for (let round = 0; round < 2_000 && most < wanted; round++) await scheduler.wait(1);
        inside--;
      }
    }
    const told: Told = {
      caller: principal?.id.uri ?? "nobody",
      evidence: principal?.evidence ?? "none",
      namespace: principal?.namespace ?? "none",
      later: await Promise.resolve().then(name),
      host: url.host,
    };
    return Response.json(told);
  },
} satisfies ExportedHandler;
