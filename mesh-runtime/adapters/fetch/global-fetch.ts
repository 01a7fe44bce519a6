import type { Mesh } from "../../index.ts";
import { call, type Way } from "./calls.ts";
import { presentContext } from "./context.ts";

/** The runtime's own `fetch`, kept before the mesh takes over the global one. */
export const platformFetch: typeof fetch = globalThis.fetch;

let taken = false;

/** Takes over the global `fetch` for host names of the mesh; every other address goes to the platform as before. */
export function takeOverFetch(mesh: Mesh): void {
  if (taken) return;
  taken = true;
  const way: Way = {
    destination: (loaded, { hostname }) => loaded.destinationByHost(hostname),
    outside: platformFetch,
  };
  globalThis.fetch = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const host = hostOf(input);
    const loaded = presentContext()?.loaded ?? mesh.loaded();
    if (host === undefined || loaded?.destinationByHost(host) === undefined)
      return platformFetch(input, init);
    return call(mesh, way, input, init);
  };
}

/** Lower case, without port; undefined for what is no absolute URL, which the platform then refuses itself. */
function hostOf(input: RequestInfo | URL): string | undefined {
  const text = input instanceof Request ? input.url : String(input);
  return URL.canParse(text) ? new URL(text).hostname : undefined;
}
