import { type Endpoint, type Transport, TransportFailure } from "../../index.ts";
import { atOrigin } from "../web/transport.ts";

/**
 * Sends over service bindings, to workers of dispatch namespaces, and over the platform's `fetch`. Cloudflare follows
 * redirects by default; attempts never do.
 */
export function transportOver(env: object, platformFetch: typeof fetch): Transport {
  return {
    // Not for a worker of a dispatch namespace: those are often not the owner's own, and could say what they like.
    vouchesFor: ({ kind }) => kind === "binding",
    send(endpoint: Endpoint, request: Request): Promise<Response> {
      // An answer out of the edge's cache would pass by the callee's authorization.
      if (endpoint.kind === "url")
        return platformFetch(atOrigin(endpoint.url, request), { cache: "no-store" });
      const binding: unknown = Reflect.get(env, endpoint.binding);
      if (endpoint.kind === "dispatch") return dispatched(binding, endpoint, request);
      if (isFetcher(binding)) return binding.fetch(request);
      throw new TransportFailure(
        `This worker has no service binding named ${endpoint.binding}; add [[services]] binding = "${endpoint.binding}" with the callee's name to its wrangler.toml`,
      );
    },
  };
}

/** What the platform says when a namespace has no worker of a name; nothing was delivered then. */
const noWorker = /^Worker not found/;

async function dispatched(
  namespace: unknown,
  { binding, worker }: { readonly binding: string; readonly worker: string },
  request: Request,
): Promise<Response> {
  if (!isNamespace(namespace)) {
    throw new TransportFailure(
      `This worker has no dispatch namespace named ${binding}; add [[dispatch_namespaces]] binding = "${binding}" with the namespace's name to its wrangler.toml`,
    );
  }
  try {
    // Whether there is such a worker turns out when it is called.
    return await namespace.get(worker).fetch(request);
  } catch (error) {
    if (error instanceof Error && noWorker.test(error.message))
      throw new TransportFailure(`The dispatch namespace ${binding} has no worker named ${worker}`);
    throw error;
  }
}

function isFetcher(value: unknown): value is Fetcher {
  return (
    typeof value === "object" && value !== null && typeof (value as Partial<Fetcher>).fetch === "function"
  );
}

function isNamespace(value: unknown): value is DispatchNamespace {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as Partial<DispatchNamespace>).get === "function"
  );
}
