import { DurableObject, env as importedEnv } from "cloudflare:workers";
import { type Callee, type ProbeEnv, probes } from "./probes.ts";

/** A Durable Object whose binding has the name that a service of the mesh has in other workers. */
export class Ledger extends DurableObject {
  override async fetch(request: Request): Promise<Response> {
    return Response.json({ url: request.url, headers: [...request.headers.keys()] });
  }
}

/** Runs the probe that the path names, over the binding that the query parameter `callee` names. Knows nothing of a mesh. */
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const name = decodeURIComponent(url.pathname.slice(1));
    if (name === "probes") return Response.json(Object.keys(probes));
    const probe = probes[name];
    if (probe === undefined) return new Response("no such probe", { status: 404 });
    const bindings: object = url.searchParams.has("imported") ? importedEnv : env;
    const callee = Reflect.get(bindings, url.searchParams.get("callee") ?? "") as Callee;
    const answer = await probe({ callee, env, key: crypto.randomUUID(), request });
    return answer instanceof Response ? answer : Response.json(answer ?? null);
  },
} satisfies ExportedHandler<ProbeEnv>;
