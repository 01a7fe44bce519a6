import { type Endpoint, type Transport, TransportFailure } from "../../index.ts";
import { atOrigin } from "../web/transport.ts";

/** Sends over service bindings and over the platform's `fetch`. Cloudflare follows redirects by default; attempts never do. */
export function transportOver(env: object, platformFetch: typeof fetch): Transport {
  return {
    vouchesFor: ({ kind }) => kind === "binding",
    send(endpoint: Endpoint, request: Request): Promise<Response> {
      // An answer out of the edge's cache would pass by the callee's authorization.
      if (endpoint.kind === "url")
        return platformFetch(atOrigin(endpoint.url, request), { cache: "no-store" });
      const binding: unknown = Reflect.get(env, endpoint.binding);
      if (isFetcher(binding)) return binding.fetch(request);
      throw new TransportFailure(
        `This worker has no service binding named ${endpoint.binding}; add [[services]] binding = "${endpoint.binding}" with the callee's name to its wrangler.toml`,
      );
    },
  };
}

function isFetcher(value: unknown): value is Fetcher {
  return (
    typeof value === "object" && value !== null && typeof (value as Partial<Fetcher>).fetch === "function"
  );
}
