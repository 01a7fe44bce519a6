import type { Loaded, LoadedDestination, Mesh, Message } from "../../index.ts";
import { type HandlingContext, presentContext } from "./context.ts";

/** Redirects that are followed before giving up, as the fetch standard has it. */
const mostRedirects = 20;

/** Sends what an application asked for to a service of the mesh, with redirects treated as the application asked. */
export async function call(mesh: Mesh, destination: Destined, request: Request): Promise<Response> {
  const context = presentContext();
  const loaded = context?.loaded ?? mesh.loaded();
  const found = loaded === undefined ? undefined : destination(loaded);
  if (loaded === undefined || found === undefined)
    throw new TypeError(`No service of the mesh has the name of ${new URL(request.url).host}`);
  let current = request;
  for (let followed = 0; ; followed++) {
    const next = request.redirect === "follow" ? forNextHop(current) : undefined;
    const response = await mesh.depart(departing(current, context), loaded, found);
    const location = redirectTarget(response, current);
    if (location === undefined || request.redirect === "manual") return response;
    if (request.redirect === "error")
      throw new TypeError(`Redirected to ${location}, and redirect is "error"`);
    if (followed === mostRedirects) throw new TypeError("Too many redirects");
    current = redirected(response, next ?? current, location);
    await response.body?.cancel();
  }
}

/** Finds the destination in whatever policy the call keeps. */
export type Destined = (loaded: Loaded) => LoadedDestination | undefined;

const departing = (request: Request, context: HandlingContext | undefined) => ({
  message: messageOf(request),
  signal: request.signal,
  cause: context?.handling?.cause,
});

/** A request taken apart, so that filters and signing change it without making a new one each time. */
export function messageOf(request: Request): Message {
  return {
    url: new URL(request.url),
    method: request.method,
    headers: new Headers(request.headers),
    body: request.body,
    ...platformOf(request),
  };
}

/** What the runtime knows beside the HTTP message; only Cloudflare has such. */
function platformOf(request: Request): { platform?: unknown } {
  const cf: unknown = Reflect.get(request, "cf");
  return cf === undefined ? {} : { platform: cf };
}

/** A copy to be sent on if the answer redirects; a request whose body is a stream has none. */
const forNextHop = (request: Request): Request | undefined => (request.body === null ? request : undefined);

function redirectTarget(response: Response, request: Request): string | undefined {
  if (![301, 302, 303, 307, 308].includes(response.status)) return undefined;
  const location = response.headers.get("location");
  return location === null ? undefined : new URL(location, request.url).href;
}

/** What the fetch standard sends after a redirect (section 4.4, HTTP-redirect fetch). */
function redirected(response: Response, request: Request, location: string): Request {
  const { status } = response;
  const toGet =
    (status === 303 && request.method !== "GET" && request.method !== "HEAD") ||
    ((status === 301 || status === 302) && request.method === "POST");
  if (!toGet) {
    if (request.bodyUsed) throw new TypeError("A redirect cannot be followed with a body that was a stream");
    return new Request(location, request);
  }
  const headers = new Headers(request.headers);
  for (const name of [
    "content-encoding",
    "content-language",
    "content-location",
    "content-type",
    "content-length",
  ]) {
    headers.delete(name);
  }
  return new Request(location, {
    method: "GET",
    headers,
    redirect: request.redirect,
    signal: request.signal,
  });
}
