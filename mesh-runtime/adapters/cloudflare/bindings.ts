import type { ControlPort, PublicJwk } from "../../index.ts";

/** What the runtime looks for in a worker's `env`. Everything else belongs to the application. */
export interface MeshBindings {
  /** Service binding to control, entrypoint `Workload`, with `props = { service, namespace }`. */
  readonly MESH?: Service & ControlPort;
  /** The mesh's KV namespace: lets a cold isolate start while control is down. Needs the two variables below. */
  readonly TULLE_KV?: KVNamespace;
  /** Public root key as JSON, as `tulle check -o json` prints it: pins the root of trust at deploy time. */
  readonly TULLE_ROOT?: string;
  /** `namespace/name` of this workload: only for a start without control. */
  readonly TULLE_WORKLOAD?: string;
}

/** What to add to `wrangler.toml` when the binding to control is missing. */
export const missingMesh = `This worker has no binding named MESH to the mesh's control worker. Add these lines to its wrangler.toml and deploy it again, with the name of its Service document for "service":

[[services]]
binding = "MESH"
service = "tulle-control"
entrypoint = "Workload"
props = { service = "my-service", namespace = "default" }`;

/** The pinned root key, if one is configured. A value that is no P-256 key is a misconfiguration and throws. */
export function pinnedRoot(bindings: MeshBindings): PublicJwk | undefined {
  if (bindings.TULLE_ROOT === undefined || bindings.TULLE_ROOT === "") return undefined;
  const jwk: unknown = JSON.parse(bindings.TULLE_ROOT);
  if (isPublicJwk(jwk)) return { kty: "EC", crv: "P-256", alg: "ES256", x: jwk.x, y: jwk.y };
  throw new TypeError("The variable TULLE_ROOT must hold a public P-256 key as a JWK");
}

function isPublicJwk(value: unknown): value is { kty: "EC"; crv: "P-256"; x: string; y: string } {
  if (typeof value !== "object" || value === null) return false;
  const jwk = value as Readonly<Record<string, unknown>>;
  return jwk.kty === "EC" && jwk.crv === "P-256" && typeof jwk.x === "string" && typeof jwk.y === "string";
}
