import {
  header,
  type Mesh,
  type Message,
  problemOf,
  problemResponse,
  type Refusal,
} from "@tulle/mesh-runtime";
import type { Limits } from "./env.ts";
import { cleanHeaders, countedBody, tooLarge } from "./hygiene.ts";

/** Lets a request from outside into the mesh: cleaned, within the limits, through the listener of its host. */
export async function enter(request: Request, mesh: Mesh, limits: Limits): Promise<Response> {
  const refusal = tooLarge(request, limits);
  if (refusal !== undefined) return refused(refusal);
  const loaded = await mesh.ready();
  if (loaded instanceof Response) return outward(loaded);
  const url = new URL(request.url);
  const listener =
    loaded.listenerFor(url.hostname, portOf(url)) ?? loaded.listenerFor(url.hostname, undefined);
  if (listener === undefined) return refused({ kind: "no-route", destination: url.hostname });
  const counted =
    request.body === null || declaresLength(request)
      ? undefined
      : countedBody(request.body, limits.bodyBytes);
  const message: Message = {
    url,
    method: request.method,
    headers: cleanHeaders(request),
    body: counted?.body ?? request.body,
    ...(request.cf === undefined ? {} : { platform: request.cf }),
  };
  const response = await mesh.enter({ message, signal: request.signal, cause: undefined }, loaded, listener);
  return counted?.exceeded() ? refused({ kind: "body-too-large", limitBytes: limits.bodyBytes }) : response;
}

/** A worker does not choose its port; the one that the client used tells listeners apart where several share a host. */
const portOf = (url: URL): number => Number(url.port) || (url.protocol === "https:" ? 443 : 80);

const declaresLength = (request: Request): boolean => request.headers.has("content-length");

const refused = (refusal: Refusal): Response => outward(problemResponse(problemOf(refusal)));

/** A problem of the gateway's own, without the header that is for other workers of the mesh. */
function outward(problem: Response): Response {
  problem.headers.delete(header.problem);
  return problem;
}
