import { caller, serve } from "@tulle/mesh-runtime/deno";
import type { Hop } from "../hop.ts";

/** The relay of the scenarios on Deno: passes a request on along the services that its path names, and tells what each saw. */
serve({
  async fetch(request) {
    const [first, ...rest] = new URL(request.url).pathname.split("/").filter((name) => name !== "");
    const principal = caller();
    const own = {
      caller: principal?.id.uri ?? "nobody",
      evidence: principal?.evidence ?? "none",
      headers: [...request.headers.keys()],
    };
    if (first === undefined) return Response.json(own satisfies Hop);
    const response = await fetch(`http://${first}/${rest.join("/")}`);
    if (!response.ok) return response;
    return Response.json({ ...own, next: (await response.json()) as Hop } satisfies Hop);
  },
});
