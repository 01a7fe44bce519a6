import { waitUntil } from "cloudflare:workers";
import { createMesh, type Mesh, randomIds } from "../../index.ts";
import { documentsOver } from "../fetch/documents.ts";
import { platformFetch } from "../fetch/global-fetch.ts";
import { type MeshBindings, missingMesh, pinnedRoots } from "./bindings.ts";
import { Location } from "./location.ts";
import { coldStart } from "./snapshot-source.ts";
import { transportOver } from "./transport.ts";

/** One worker to an isolate, so one mesh. Plain data, made by the first request. */
let present: Mesh | undefined;
let location: Location | undefined;

/** The mesh of this isolate, if a request has made it. */
export const presentMesh = (): Mesh | undefined => present;

/**
 * The mesh of this isolate, made when the first request brings the environment.
 * @param request the one that arrives, if one does: the first tell where the isolate runs
 */
export function meshOf(env: object, request?: Request): Mesh {
  const made = present ?? meshIn(env as MeshBindings);
  if (request !== undefined) location?.ask(request);
  return made;
}

function meshIn(bindings: MeshBindings): Mesh {
  const env: object = bindings;
  const place = new Location(bindings);
  location = place;
  const root = pinnedRoots(bindings);
  present = createMesh({
    clock: { now: () => Date.now() },
    random: Math.random,
    ids: randomIds((bytes) => crypto.getRandomValues(bytes)),
    wait: (ms, signal) => scheduler.wait(ms, signal === undefined ? undefined : { signal }),
    background: { run: (work) => waitUntil(work) },
    transport: transportOver(env, platformFetch),
    fetchDocument: documentsOver(platformFetch),
    // With a root key that cannot be read nobody may be trusted with the first one that is told.
    control: () => (root.ok ? bindings.MESH : undefined),
    missingControl: root.ok ? missingMesh : root.reason,
    coldStart: () => coldStart(bindings),
    pinnedRoots: root.ok ? root.value : undefined,
    workload: bindings.TULLE_WORKLOAD ?? "",
    uuid: () => crypto.randomUUID(),
    here: () => place.here(),
    log: (line) => console.log(line),
    crashed: (error) => console.error(error),
  });
  return present;
}
