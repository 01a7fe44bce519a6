import type { Principal } from "@tulle/mesh-runtime";
import type { Hop } from "./hop.ts";

/** Passes a request on along the services that its path names, `/b/c`, and tells what each of them saw. */
export async function relayed(request: Request, principal: Principal | undefined): Promise<Response> {
  const [first, ...rest] = new URL(request.url).pathname.split("/").filter((name) => name !== "");
  const own = {
    caller: principal?.id.uri ?? "nobody",
    evidence: principal?.evidence ?? "none",
    headers: [...request.headers.keys()],
    hasBody: request.body !== null,
  };
  if (first === undefined) return Response.json(own satisfies Hop);
  const response = await fetch(`http://${first}/${rest.join("/")}`);
  if (!response.ok) return response;
  return Response.json({ ...own, next: (await response.json()) as Hop } satisfies Hop);
}
