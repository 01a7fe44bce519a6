import type { ControlPort, PublicJwk } from "../../index.ts";

/** What the runtime looks for in a worker's `env`. Everything else belongs to the application. */
export interface MeshBindings {
  /** Service binding to control, entrypoint `Workload`, with `props = { service, namespace }`. */
  readonly MESH?: Service & ControlPort;
  /** The mesh's KV namespace: lets a cold isolate start while control is down. Needs the two variables below. */
  readonly TULLE_KV?: KVNamespace;
  /** Public root keys as JSON, as `tulle check -o json` prints them: one, or a list of two while the root rolls. Pins the root of trust at deploy time. */
  readonly TULLE_ROOT?: string;
  /** `namespace/name` of this workload: only for a start without control. */
  readonly TULLE_WORKLOAD?: string;
  /** Where this worker runs, for callees that have endpoints in several places. @default not known */
  readonly TULLE_REGION?: string;
  /** Its zone there. @default the Cloudflare location, such as `FRA` */
  readonly TULLE_ZONE?: string;
}

/** What to add to `wrangler.toml` when the binding to control is missing. */
export const missingMesh = `This worker has no binding named MESH to the mesh's control worker. Add these lines to its wrangler.toml and deploy it again, with the name of its Service document for "service":

[[services]]
binding = "MESH"
service = "tulle-control"
entrypoint = "Workload"
props = { service = "my-service", namespace = "default" }`;

/** The pinned root keys, the present and perhaps the next one; `undefined` if none is configured; or what is wrong with the value. */
export function pinnedRoots({ TULLE_ROOT: text }: MeshBindings): Pinned {
  if (text === undefined || text === "") return { ok: true, value: undefined };
  const value = parsed(text);
  const keys: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (keys.length === 0 || keys.length > maxPins || !keys.every(isPublicJwk))
    return { ok: false, reason: wrongRoot };
  return { ok: true, value: keys.map(({ x, y }) => ({ kty: "EC", crv: "P-256", alg: "ES256", x, y })) };
}

/** The present and the next one: more would be keys that somebody forgot to take out. */
const maxPins = 2;

type Pinned =
  | { readonly ok: true; readonly value: readonly PublicJwk[] | undefined }
  | { readonly ok: false; readonly reason: string };

const wrongRoot =
  "The variable TULLE_ROOT of this worker is not a public P-256 key as a JWK, or a list of one or two. Set it to the root key that tulle check -o json prints, or remove it.";

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON, so not a key: the caller says so; the parser's own message would quote the text.
    return undefined;
  }
}

function isPublicJwk(value: unknown): value is { kty: "EC"; crv: "P-256"; x: string; y: string } {
  if (typeof value !== "object" || value === null) return false;
  const jwk = value as Readonly<Record<string, unknown>>;
  return jwk.kty === "EC" && jwk.crv === "P-256" && typeof jwk.x === "string" && typeof jwk.y === "string";
}
