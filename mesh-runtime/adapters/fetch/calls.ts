import { asInit, Fields, type Loaded, type LoadedDestination, type Mesh, type Message } from "../../index.ts";
import { presentContext } from "./context.ts";
import { nextMessage, redirectTarget } from "./redirect.ts";

/** Redirects that are followed before giving up, as the fetch standard has it. */
const mostRedirects = 20;

/** Where a call goes. */
export interface Way {
  /** Finds the destination in whatever policy the call keeps. */
  readonly destination: (loaded: Loaded, url: URL) => LoadedDestination | undefined;
  /** Takes a redirect that leads to no service of the mesh. Absent: the destination does not depend on the URL. */
  readonly outside?: typeof fetch;
}

/**
 * Sends what an application asked for to a service of the mesh, and behaves as the platform's `fetch`: a
 * rejection for what cannot be sent, the signal's reason when the application aborts, redirects as it asked.
 *
 * @param input as for `fetch`
 * @param init as for `fetch`
 * @returns the service's answer, or the problem with which the mesh refused
 * @throws TypeError for redirects that cannot be followed, and what `new Request` throws
 */
export async function call(
  mesh: Mesh,
  way: Way,
  input: RequestInfo | URL,
  init?: RequestInit,
): Promise<Response> {
  const { outside } = way;
  const signal = signalOf(input, init);
  const context = presentContext();
  const loaded = context?.loaded ?? mesh.loaded();
  const { redirect, message } = plainly(input, init) ?? (await readOf(new Request(input, init), init?.body));
  // Layers change the message that leaves; a redirect begins with the application's own.
  let leaving = message();
  let own = message;
  for (let followed = 0; ; followed++) {
    const { url } = leaving;
    const found = loaded === undefined ? undefined : way.destination(loaded, url);
    if (loaded === undefined || found === undefined) {
      if (followed > 0 && outside !== undefined) return outside(requestOf(leaving, signal));
      throw new TypeError(`No service of the mesh has the name of ${url.host}`);
    }
    const cause = context?.handling?.cause;
    const response = await mesh.depart({ message: leaving, signal, cause }, loaded, found);
    // What the mesh answers to a caller that has gone away is for its own books; `fetch` rejects.
    if (signal?.aborted) throw signal.reason;
    const location = redirectTarget(response, url);
    if (location === undefined || redirect === "manual") return asFetched(response, url, followed > 0);
    if (redirect === "error") throw new TypeError(`Redirected to ${location}, and redirect is "error"`);
    if (followed === mostRedirects) throw new TypeError("Too many redirects");
    const next = nextMessage(own(), response.status, location);
    own = () => next;
    leaving = { ...next, headers: new Fields(next.headers) };
    await response.body?.cancel();
  }
}

/** What an application asked for, taken apart: each message of its own, to be changed at will. */
interface Asked {
  readonly redirect: string;
  readonly message: () => Message;
}

async function readOf(request: Request, given: unknown): Promise<Asked> {
  const bytes = await bytesOf(request, given);
  return { redirect: request.redirect, message: () => messageOf(request, bytes) };
}

/** An address of which every `Request` says the same as `URL` does: no credentials, no fragment. */
const plainAddress = /^https?:\/\/[a-z0-9.-]+(?::[0-9]{1,5})?(?:\/[A-Za-z0-9._~/-]*)?$/;

/**
 * A GET of a plain address, which is most calls: no `Request` is needed to know what it says, and to make one costs
 * as much as all that policy has to decide. Undefined for whatever else is asked.
 */
function plainly(input: RequestInfo | URL, init: RequestInit | undefined): Asked | undefined {
  if (typeof input !== "string" || init !== undefined || !plainAddress.test(input)) return undefined;
  const url = addressIn(input);
  if (url === undefined) return undefined;
  return {
    redirect: "follow",
    message: () => ({ url, method: "GET", headers: new Fields(), body: null }),
  };
}

function addressIn(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    // A port or an address that is none: the platform says so in its own words.
    return undefined;
  }
}

/**
 * The signal that the application gave, if it gave one. Every `Request` has one of its own; to listen to one
 * that nobody can fire costs tens of microseconds a call.
 */
function signalOf(input: RequestInfo | URL, init: RequestInit | undefined): AbortSignal | undefined {
  return init?.signal ?? (input instanceof Request ? input.signal : undefined);
}

/**
 * The bytes of a body that the application gave as such: they are in memory already, and as bytes they keep
 * their length on the way and can be sent again. Undefined for a stream, which is not read ahead of its time.
 */
async function bytesOf(request: Request, given: unknown): Promise<Uint8Array | undefined> {
  const isInMemory =
    typeof given === "string" ||
    given instanceof ArrayBuffer ||
    ArrayBuffer.isView(given) ||
    given instanceof Blob ||
    given instanceof FormData ||
    given instanceof URLSearchParams;
  return isInMemory ? new Uint8Array(await request.arrayBuffer()) : undefined;
}

/** A request taken apart, so that filters and signing change it without making a new one each time. */
function messageOf(request: Request, bytes: Uint8Array | undefined): Message {
  return {
    url: new URL(request.url),
    method: request.method,
    headers: new Fields(request.headers),
    body: bytes ?? request.body,
    ...platformOf(request),
  };
}

/** What the runtime knows beside the HTTP message; only Cloudflare has such. */
function platformOf(request: Request): { platform?: unknown } {
  const cf: unknown = Reflect.get(request, "cf");
  return cf === undefined ? {} : { platform: cf };
}

function requestOf({ url, method, headers, body }: Message, signal: AbortSignal | undefined): Request {
  return new Request(url, {
    method,
    headers: asInit(headers),
    body: body as BodyInit | null,
    signal: signal ?? null,
  });
}

/** What `fetch` tells of an answer beside its HTTP message: the address that answered, and whether redirects led there. */
function asFetched(response: Response, { href, hash }: URL, redirected: boolean): Response {
  const url = hash === "" ? href : href.slice(0, -hash.length);
  // Most often the platform says the same; an object of its own that was changed costs its garbage collector more.
  if (response.url === url && response.redirected === redirected) return response;
  return Object.defineProperties(response, {
    url: { value: url, configurable: true },
    redirected: { value: redirected, configurable: true },
  });
}
