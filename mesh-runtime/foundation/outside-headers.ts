import { identityHeaders, meshPrefix } from "./headers.ts";

/** What outsiders may not say: identities, mesh headers, and where they claim to have come through. */
const claims: readonly string[] = [
  ...identityHeaders,
  "content-digest",
  // an outsider chooses neither trace ids nor what is sampled, and puts nothing into the baggage
  "baggage",
  "traceparent",
  "tracestate",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-original-url",
  "x-real-ip",
  "x-rewrite-url",
];

/**
 * The headers with which a request from outside goes on: without any that could be taken for an identity
 * or for the mesh's own, and with the forwarded ones set from what the platform saw. `explain` asks the
 * same, so that it tells of the headers that routes see.
 *
 * @param given not changed
 * @param client address of the client, if the platform tells
 */
export function outsideHeaders(given: Headers, url: URL, client: string | null): Headers {
  const headers = new Headers(given);
  for (const name of claims) headers.delete(name);
  for (const name of [...headers.keys()]) if (name.startsWith(meshPrefix)) headers.delete(name);
  headers.set("x-forwarded-host", url.host);
  headers.set("x-forwarded-proto", url.protocol.slice(0, -1));
  if (client !== null) headers.set("x-forwarded-for", client);
  return headers;
}
