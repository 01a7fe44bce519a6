import { Fields, type Message } from "../../index.ts";

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Headers that speak of a body, and go with it. */
const ofBody = [
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-type",
] as const;

/** Where an answer redirects to, or undefined. Whether one may go there is for {@link nextMessage} to say. */
export function redirectTarget(response: Response, asked: URL): URL | undefined {
  const location = redirects.has(response.status) ? response.headers.get("location") : null;
  return location === null ? undefined : new URL(location, asked);
}

/**
 * What is sent after a redirect (Fetch §4.4, HTTP-redirect fetch): 303 becomes GET, and so do 301 and 302 after
 * POST; `authorization` stays behind when the origin changes.
 *
 * Only `http` and `https` are followed: to the `fetch` of some runtimes `file:` is an address as well, and a
 * callee that was taken over could have its caller read the caller's own files (CWE-918).
 * @throws TypeError for an address of another scheme, and when the body would have to be sent again and was a stream
 */
export function nextMessage(message: Message, status: number, to: URL): Message {
  const { method, body } = message;
  if (to.protocol !== "http:" && to.protocol !== "https:")
    throw new TypeError(`A redirect to an address of the scheme ${to.protocol} is not followed`);
  const headers = new Fields(message.headers);
  if (to.origin !== message.url.origin) headers.delete("authorization");
  const toGet =
    (status === 303 && method !== "GET" && method !== "HEAD") ||
    ((status === 301 || status === 302) && method === "POST");
  if (toGet) {
    for (const name of ofBody) headers.delete(name);
    return { ...message, url: to, method: "GET", headers, body: null };
  }
  if (body instanceof ReadableStream)
    throw new TypeError("A redirect cannot be followed with a body that was a stream");
  return { ...message, url: to, headers };
}
