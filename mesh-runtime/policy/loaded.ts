import type { AccessDecision, AccessRequest } from "../authorization/words.ts";
import type { SpiffeId } from "../identity/words.ts";
import type { Target } from "../routing/words.ts";
import type { Destination, EndpointSettings, InboundSettings, Snapshot } from "./snapshot.ts";

/** A snapshot in force in this isolate, with its tables. Swapped whole; a request keeps the one it started with. */
export interface Loaded {
  readonly epoch: number;
  readonly digest: string;
  readonly snapshot: Snapshot;
  readonly self: SpiffeId;
  readonly inbound: InboundSettings & { readonly decide: (request: AccessRequest) => AccessDecision };
  readonly destination: (key: string) => LoadedDestination | undefined;
  /** By the host of a URL, lower case, without port. */
  readonly destinationByHost: (host: string) => LoadedDestination | undefined;
  /** By the name of a binding in `env`. */
  readonly destinationByBinding: (binding: string) => LoadedDestination | undefined;
  /** The gateway listener and host entry for a request from outside: the most specific hostname wins; undefined: none. */
  readonly listenerFor: (host: string, port: number | undefined) => Target | undefined;
}

/** Whom an attempt goes to: an endpoint of a destination, and the workload that answers there. */
export interface LoadedRecipient {
  /** The destination's, with what the workload at this endpoint demands where that is another one. */
  readonly settings: Destination;
  readonly id: SpiffeId;
  /** Absent: the destination only routes to others. */
  readonly endpoint: EndpointSettings | undefined;
}

/** As a recipient, its first endpoint: its only one, most often. */
export interface LoadedDestination extends Target, LoadedRecipient {
  /** Its endpoints where it has several, in the order of the settings; otherwise none, because there is no choice. */
  readonly choice: readonly LoadedRecipient[];
}
