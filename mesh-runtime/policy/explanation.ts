import type { AccessDecision, AuthorizationRule } from "../authorization/words.ts";
import type { RefusalKind } from "../foundation/refusal.ts";
import type { Evidence, Mode } from "../identity/words.ts";
import type { CircuitPolicy, RetryConstraint } from "../resilience/words.ts";
import type { Advantage } from "../routing/precedence.ts";
import type {
  Filter,
  NamedValue,
  PathMatch,
  Placement,
  ServiceKey,
  SessionSettings,
} from "../routing/words.ts";
import type { Ages } from "./age.ts";

/** What becomes of one request, and why: plain data, of bounded size. */
export interface Explanation {
  /** Who sends: a workload, or the worker of a gateway for somebody outside. */
  readonly caller: { readonly service: ServiceKey; readonly spiffeId: string };
  readonly method: string;
  /** As routes see it. */
  readonly url: string;
  /** What the URL means. */
  readonly addressed: Addressed;
  /** The rule that takes the request: `default` where no route is attached; absent: none does. */
  readonly rule?: string;
  /** Every match that could have won, in order of precedence; empty where no route is attached. */
  readonly candidates: readonly Candidate[];
  /** How many more there are, which are further from winning than those shown. */
  readonly omitted: number;
  /** What the rule's filters do, in the order in which they act. */
  readonly filters: readonly FilterStep[];
  readonly backends: readonly Outlook[];
  /** Absent where no backend is asked. */
  readonly limits?: Limits;
  readonly session?: SessionSettings;
  /** Whether the route demands that a signed request be let in once in the whole mesh; absent: it does not. */
  readonly replay?: "strict";
  /** Where the requests of this one's session go, whatever the weights; absent without a session that is known. */
  readonly pinned?: { readonly service: ServiceKey; readonly endpoint?: string };
  /** How the first try ends: shares that add up to 1. */
  readonly endings: readonly Ending[];
  /** The share of requests that is not refused, in [0, 1]: it reaches a backend, or is answered as the route says. */
  readonly served: number;
  /** What else is worth knowing; sentences. */
  readonly notes: readonly string[];
}

/** The parent of the routes that decide. */
export type Addressed =
  | {
      readonly kind: "service";
      readonly service: ServiceKey;
      readonly host: string;
      /** The port that the URL means. */
      readonly port: number;
      /** Whose routes hold (GEP-1294): those of the Service's owner, of the caller's namespace, or none. */
      readonly routes: RoutesOf;
    }
  | {
      readonly kind: "listener";
      /** `gateway-namespace/gateway-name/listener-name`. */
      readonly listener: string;
      readonly protocol: string;
      readonly port: number;
      /** What the listener takes; absent: every host. */
      readonly hostname?: string;
      /** What its routes that decide are bound to; absent: every host, or none if nothing is bound. */
      readonly bound?: string;
    };

export type RoutesOf = "producer" | "consumer" | "none";

/** A match as people write it: without what a compiled pattern adds. */
export interface Conditions {
  readonly path: { readonly type: PathMatch["type"]; readonly value: string };
  readonly method?: string;
  readonly headers: readonly Condition[];
  readonly query: readonly Condition[];
}

export interface Condition extends NamedValue {
  readonly type: "Exact" | "RegularExpression";
}

/** One match of one rule, and how it fared. */
export interface Candidate {
  /** Its place in the order of precedence, from 1. */
  readonly rank: number;
  readonly rule: string;
  readonly conditions: Conditions;
  /** The same in short words: `prefix /charge, POST, x-tenant: b`. */
  readonly match: string;
  readonly fate:
    | { readonly kind: "wins" }
    /** All that does not hold, at least one. */
    | { readonly kind: "no match"; readonly unmet: readonly Unmet[] }
    /** It holds, but comes after the one that wins. */
    | { readonly kind: "lower precedence"; readonly because: Advantage; readonly text: string };
}

/** A condition that does not hold. */
export interface Unmet {
  readonly on: "path" | "method" | "header" | "query";
  /** Of the header or the parameter. */
  readonly name?: string;
  /** `header x-tenant must be b, is a`. */
  readonly text: string;
}

/** What one filter does to this request or its answer. */
export interface FilterStep {
  readonly type: Filter["type"];
  readonly text: string;
  /** The URL after it, where it changes it. */
  readonly url?: string;
}

/** What awaits a request at one backend. */
export interface Outlook {
  readonly service: ServiceKey;
  readonly weight: number;
  /** Of the requests, in [0, 1]. */
  readonly share: number;
  /** Why it cannot be used, if so. */
  readonly unusable?: string;
  /** What this backend's own filters do. */
  readonly filters: readonly FilterStep[];
  /** What it is asked for, after all filters. */
  readonly url: string;
  /** Where it answers; empty for what has no place or is not asked. */
  readonly endpoints: readonly EndpointOutlook[];
  /** How one of several endpoints is chosen; absent where there is no choice. */
  readonly balancing?: string;
  readonly circuit?: { readonly policy: CircuitPolicy; readonly seen?: CircuitSeen };
  /** Tries under way to it from one isolate, whoever was addressed; absent where only the destination's are counted. */
  readonly maxInFlight?: number;
  /** How much of what it is sent may be retries, in place of the destination's budget. */
  readonly retryConstraint?: RetryConstraint;
  /** What comes of the share: where endpoints differ, of those that let the caller in. */
  readonly ending: Fate;
}

/** What awaits a request at one place where a backend answers. */
export interface EndpointOutlook extends Placement {
  /** In words: `binding PAYMENTS`. */
  readonly address: string;
  /** Who answers there, where it is another workload than the backend's own. */
  readonly spiffeId?: string;
  /** What is demanded of callers there. */
  readonly evidence: Evidence;
  /** How the caller shows who it is. */
  readonly proof: "signature" | "binding";
  /** Whether a signed request is let in there once in the whole mesh, whichever route it takes. */
  readonly replay?: "strict";
  /** Whether the caller believes signed answers alone. */
  readonly responses?: "signed";
  /** Whether each request is signed; absent: a session may prove it. */
  readonly sessionProofs?: "refused";
  /** The word of the rule that decides for this caller; absent where nobody's rules are known. */
  readonly access?: AccessDecision;
  /** What the rule that decides asks for, in words; absent where no rule does. */
  readonly because?: string;
}

/** A circuit's state as the control plane knows it. */
export interface CircuitSeen {
  readonly state: string;
  readonly sinceMs: number;
}

/** How a try ends, as far as policy decides it. */
export type Fate =
  | { readonly kind: "reached" }
  | { readonly kind: "answered"; readonly status: number; readonly location?: string; readonly by: string }
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly problem: RefusalKind;
      readonly detail: string;
    };

/** How a share of the requests ends. */
export interface Ending {
  readonly share: number;
  /** The backend; absent where none is asked. */
  readonly service?: ServiceKey;
  readonly fate: Fate;
}

/** A setting, and who said it: the route, the policy of the destination, those of the backends, or the mesh's defaults. */
export interface Setting<Value> {
  readonly value: Value;
  readonly from: "route" | "destination" | "backends" | "mesh";
}

/** What bounds the request. Milliseconds; 0: none. */
export interface Limits {
  /** For all tries together. */
  readonly requestTimeoutMs: Setting<number>;
  /** For each. */
  readonly tryTimeoutMs: Setting<number>;
  readonly retry: {
    /** Tries beyond the first. */
    readonly attempts: Setting<number>;
    readonly codes: Setting<readonly number[]>;
    /** Out of what retries are paid; absent where every backend has a budget of its own. */
    readonly budget?: {
      /** Share of requests that may be retries, in [0, 1]. */
      readonly ratio: number;
      /** So many a second are let through beside it, because the route itself promises retries. */
      readonly reservePerSecond?: number;
    };
    /** Whether an answer with one of the codes is tried again, and why not. */
    readonly afterAnswer: { readonly retried: boolean; readonly reason: string };
    /** The pause before the n-th further try is at most the base times 2^n - 1, and the maximum. */
    readonly backoffBaseMs: number;
    readonly backoffMaxMs: number;
  };
  /** Requests under way from one isolate to the destination, or through the listener. */
  readonly maxInFlight: number;
}

/** What an explanation needs to know beside the caller's own policy. */
export interface Surroundings {
  /** Milliseconds since the Unix epoch: sessions end. */
  readonly now: number;
  /** How a workload judges its callers, by its SPIFFE ID; undefined for what is no workload of the mesh. */
  readonly access: (
    spiffeId: string,
  ) =>
    | { readonly mode: Mode; readonly rules: readonly AuthorizationRule[]; readonly replay?: "strict" }
    | undefined;
  /** What is known of a circuit; undefined where nobody has reported on it. */
  readonly circuit: (service: ServiceKey) => CircuitSeen | undefined;
  /** How old routes are, by `kind/namespace/name`; of equal matches that of the older one decides. */
  readonly ages?: Ages;
}
