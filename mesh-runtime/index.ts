/**
 * The front door of the data plane: what adapters and workloads may import. Everything else is a room's
 * own affair.
 */
export { BreakingStream, watching } from "./foundation/breaking-stream.ts";
export type { Arrival, Cause, Message } from "./foundation/exchange.ts";
export { asInit, Fields, type HeaderFields } from "./foundation/fields.ts";
export { header, identityHeaders, meshPrefix } from "./foundation/headers.ts";
export { outsideHeaders } from "./foundation/outside-headers.ts";
export {
  type Background,
  type Clock,
  type Endpoint,
  type FetchDocument,
  type Random,
  type Transport,
  TransportFailure,
} from "./foundation/ports.ts";
export { type Problem, problemOf, problemResponse } from "./foundation/problem.ts";
export type { Refusal } from "./foundation/refusal.ts";
export type { Handle, Handling } from "./handled.ts";
export { contentDigest } from "./identity/content-digest.ts";
export type { EndUser } from "./identity/end-user.ts";
export { signMessage } from "./identity/proof.ts";
export { makeOpener } from "./identity/sealed-keys.ts";
export { workloadId } from "./identity/spiffe-id.ts";
export type { Credential, Evidence, Mode, Principal, PublicJwk, SpiffeId } from "./identity/words.ts";
export type { ColdStart } from "./member.ts";
export { type Call, createMesh, type Mesh, type MeshPorts } from "./mesh.ts";
export type { Loaded, LoadedDestination } from "./policy/loaded.ts";
export { entering } from "./routing/listeners.ts";
export type { Here } from "./routing/words.ts";
export { type Ids, randomIds } from "./telemetry/ids.ts";
export type { TraceContext } from "./telemetry/words.ts";
export type * from "./workload-contract.ts";
