import { type Endpoint, type Transport, TransportFailure } from "../../index.ts";

/** Sends over service bindings and over the platform's `fetch`. Cloudflare follows redirects by default; attempts never do. */
export function transportOver(env: object, platformFetch: typeof fetch): Transport {
  return {
    send(endpoint: Endpoint, request: Request): Promise<Response> {
      if (endpoint.kind === "url") return platformFetch(atOrigin(endpoint.url, request));
      const binding: unknown = Reflect.get(env, endpoint.binding);
      if (isFetcher(binding)) return binding.fetch(request);
      throw new TransportFailure(
        `This worker has no service binding named ${endpoint.binding}; add [[services]] binding = "${endpoint.binding}" with the callee's name to its wrangler.toml`,
      );
    },
  };
}

/** The same request at another origin: the path and query are what was signed, the host is where it lives. */
function atOrigin(origin: string, request: Request): Request {
  const at = request.url.indexOf("/", request.url.indexOf("//") + 2);
  const target = at === -1 ? "/" : request.url.slice(at);
  return new Request(new URL(origin).origin + target, request);
}

function isFetcher(value: unknown): value is Fetcher {
  return (
    typeof value === "object" && value !== null && typeof (value as Partial<Fetcher>).fetch === "function"
  );
}
