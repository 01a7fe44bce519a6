import { createMesh, type Handling, type Mesh, makeOpener, randomIds } from "../../index.ts";
import { inContext } from "../fetch/context.ts";
import { documentsOver } from "../fetch/documents.ts";
import { platformFetch, takeOverFetch } from "../fetch/global-fetch.ts";
import { httpControl } from "../web/control-client.ts";
import { httpTransport } from "../web/transport.ts";
import { denoAttestation } from "./attest.ts";
import { background, wait } from "./background.ts";
import { type ServeOptions, settingsOf } from "./settings.ts";

export type { EndUser, Principal } from "../../index.ts";
export { caller, endUser } from "../fetch/context.ts";
export type { ServeOptions } from "./settings.ts";

/** How often a process that nobody calls looks after its credential and its policy, milliseconds: a credential lives for an hour. */
const tendEveryMs = 60_000;

export interface App {
  fetch(request: Request): Response | Promise<Response>;
}

/**
 * Serves an application in the mesh: joins control over HTTP, verifies and authorizes what arrives, and
 * lets `fetch` to host names of the mesh leave signed, routed, retried and guarded.
 *
 * Joining begins with the first request, or at once so that the process is known before it is called.
 * @param app the application
 * @param options over those of the environment: `TULLE_URL`, `TULLE_SERVICE`, `TULLE_JOIN_TOKEN`, `PORT`, `HOST`
 * @returns when the server has ended
 * @throws TypeError when an option is missing or malformed
 */
export async function serve(app: App, options: ServeOptions = {}): Promise<void> {
  const settings = settingsOf(options, (name) => Deno.env.get(name));
  const nonce = (): string => crypto.randomUUID();
  const mesh = createMesh({
    clock: { now: () => Date.now() },
    random: Math.random,
    ids: randomIds((bytes) => crypto.getRandomValues(bytes)),
    wait,
    background,
    transport: httpTransport(platformFetch),
    fetchDocument: documentsOver(platformFetch),
    control: (credential) =>
      httpControl({
        url: settings.controlUrl,
        credential,
        fetch: platformFetch,
        now: () => Date.now(),
        nonce,
      }),
    missingControl: "Set TULLE_URL to the address of the mesh's control worker",
    coldStart: async () => undefined,
    pinnedRoots: settings.rootJwks,
    ...(settings.joinToken === undefined ? {} : { joinToken: settings.joinToken }),
    ...(settings.idToken === undefined
      ? {}
      : { attest: denoAttestation({ ...settings, idToken: settings.idToken, fetch: platformFetch }) }),
    sealing: makeOpener,
    workload: settings.workload,
    uuid: nonce,
    here: () => settings.here,
    log: (line) => console.log(line),
    crashed: (error) => console.error(error),
  });
  takeOverFetch(mesh);
  const joined = await mesh.ready();
  if (joined instanceof Response) console.error(`The mesh is not ready yet: ${await joined.text()}`);
  else await mesh.report();
  const server = Deno.serve(
    {
      port: settings.port,
      hostname: settings.hostname,
      ...(settings.signal === undefined ? {} : { signal: settings.signal }),
      onListen: ({ hostname, port }) =>
        console.log(`${settings.workload} listens on http://${hostname}:${port}`),
    },
    (request) => arrive(mesh, app, request),
  );
  // Its join token works once: a process that lets its credential expire could not join again.
  const tending = setInterval(() => mesh.tend(), tendEveryMs);
  try {
    await server.finished;
  } finally {
    clearInterval(tending);
  }
}

function arrive(mesh: Mesh, app: App, request: Request): Promise<Response> {
  const handle = (incoming: Request, handling: Handling): Promise<Response> =>
    inContext({ handling, loaded: handling.policy }, async () => app.fetch(incoming));
  const { signal } = request;
  return mesh.arrive({ request, bindingProps: undefined, signal, startedAt: Date.now(), background }, handle);
}
