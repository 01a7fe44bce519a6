import type { AccessDecision, AccessRequest } from "../authorization/words.ts";
import type { TokenRules } from "../identity/end-user.ts";
import type { SpiffeId } from "../identity/words.ts";
import type { BalancingSettings, Rule, Target } from "../routing/words.ts";
import type { Governing } from "./governing.ts";
import type { Destination, EndpointSettings, InboundSettings, Snapshot } from "./snapshot.ts";

/** A snapshot in force in this isolate, with its tables. Swapped whole; a request keeps the one it started with. */
export interface Loaded {
  readonly epoch: number;
  readonly digest: string;
  readonly snapshot: Snapshot;
  readonly self: SpiffeId;
  readonly inbound: InboundSettings & { readonly decide: (request: AccessRequest) => AccessDecision };
  /** How the tokens of end users are verified here; undefined where no document says so. */
  readonly users: TokenRules | undefined;
  readonly destination: (key: string) => LoadedDestination | undefined;
  /** How a gateway judges requests from outside; undefined where no policy names its Service. */
  readonly entry: ((request: AccessRequest) => AccessDecision) | undefined;
  /** How a gateway verifies the tokens of requests from outside; undefined where no document that names its Service says so. */
  readonly entryUsers: TokenRules | undefined;
  /** By the host of a URL, lower case, without port. */
  readonly destinationByHost: (host: string) => LoadedDestination | undefined;
  /** By the name of a binding in `env`. */
  readonly destinationByBinding: (binding: string) => LoadedDestination | undefined;
  /** The gateway listener and host entry for a request from outside: the most specific hostname wins; undefined: none. */
  readonly listenerFor: (host: string, port: number | undefined) => Target | undefined;
  /** What the policies of backends say, by the rule that leads to them; undefined where none says anything. */
  readonly governing: ReadonlyMap<Rule, Governing> | undefined;
}

/** A service, as requests to it are addressed; and whom they go to: its first endpoint, which most often is its only one. */
export interface LoadedDestination extends Target {
  /** What the workload at the endpoint demands is in them, where that is another than the destination's own. */
  readonly settings: Destination;
  /** Who answers at the endpoint. */
  readonly id: SpiffeId;
  /** Absent: the destination only routes to others. */
  readonly endpoint: EndpointSettings | undefined;
  /** One for each endpoint where there are several, in the order of the settings; otherwise none, as there is no choice. */
  readonly choice: readonly LoadedEndpoint[];
  readonly balancing: BalancingSettings;
}

/** Whom an attempt goes to. */
export type LoadedRecipient = Pick<LoadedDestination, "settings" | "id" | "endpoint">;

/** A service as if it had this endpoint alone. */
export interface LoadedEndpoint extends LoadedDestination {
  readonly endpoint: EndpointSettings;
}
