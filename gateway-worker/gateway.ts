import {
  entering,
  header,
  type Mesh,
  type Message,
  problemOf,
  problemResponse,
  type Refusal,
} from "@tulle/mesh-runtime";
import type { Limits } from "./env.ts";
import { cleanHeaders, countedBody, declaredBody, declaredLength, mayHaveBody, tooLarge } from "./hygiene.ts";

/** Lets a request from outside into the mesh: cleaned, within the limits, through the listener of its host. */
export async function enter(request: Request, mesh: Mesh, limits: Limits): Promise<Response> {
  const refusal = tooLarge(request, limits);
  if (refusal !== undefined) return refused(refusal);
  const loaded = await mesh.ready();
  if (loaded instanceof Response) return outward(loaded);
  const url = new URL(request.url);
  const listener = isHost(url.hostname) ? entering(loaded.listenerFor, url) : undefined;
  if (listener === undefined) return refused({ kind: "no-route", destination: url.hostname });
  const body = mayHaveBody(request) ? request.body : null;
  const length = declaredLength(request);
  const counted = body === null || length !== undefined ? undefined : countedBody(body, limits.bodyBytes);
  const message: Message = {
    url,
    method: request.method,
    headers: cleanHeaders(request),
    body: body === null || length === undefined ? (counted?.body ?? null) : declaredBody(body, length),
    ...(request.cf === undefined ? {} : { platform: request.cf }),
  };
  const response = await mesh.enter({ message, signal: request.signal, cause: undefined }, loaded, listener);
  return counted?.exceeded() ? refused({ kind: "body-too-large", limitBytes: limits.bodyBytes }) : response;
}

/**
 * Whether a host is one to which a request can be sent on. URL parsers let more pass, such as the "a*b" of a
 * `Host` header or what `OPTIONS *` makes of it, and `fetch` then fails as if the service behind could not be reached.
 */
const isHost = (hostname: string): boolean => /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/.test(hostname);

const refused = (refusal: Refusal): Response => outward(problemResponse(problemOf(refusal)));

/** A problem of the gateway's own, without the header that is for other workers of the mesh. */
function outward(problem: Response): Response {
  problem.headers.delete(header.problem);
  return problem;
}
