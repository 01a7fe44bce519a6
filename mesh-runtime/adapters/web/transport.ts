import { type Endpoint, type Transport, TransportFailure } from "../../index.ts";

/** Sends over plain HTTP: for runtimes that have no service bindings. A service that is reached by a binding needs an address too. */
export function httpTransport(platformFetch: typeof fetch): Transport {
  return {
    vouchesFor: () => false,
    send(endpoint: Endpoint, request: Request): Promise<Response> {
      const url = endpoint.kind === "dispatch" ? undefined : endpoint.url;
      if (url !== undefined) return platformFetch(atOrigin(url, request));
      throw new TransportFailure(
        "The destination has no address: give its Service document an endpoint.url beside the binding, at which it is reached over HTTP",
      );
    },
  };
}

/** The same request at another origin: the path and query are what was signed, the host is where it lives. */
export function atOrigin(origin: string, request: Request): Request {
  const at = request.url.indexOf("/", request.url.indexOf("//") + 2);
  const target = at === -1 ? "/" : request.url.slice(at);
  return new Request(new URL(origin).origin + target, request);
}
