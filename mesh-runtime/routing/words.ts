import type { HeaderFields } from "../foundation/fields.ts";
import type { ReadPart } from "./steps.ts";

/** `namespace/name` of a Service: how services are told apart everywhere inside the mesh. */
export type ServiceKey = string;

/** How a path is compared; see `path-match.ts`. */
export type PathMatch =
  | { readonly type: "Exact"; readonly value: string }
  | { readonly type: "PathPrefix"; readonly value: string }
  /** The value is the expression as written, and what tells one from another; the pattern is what it means. */
  | { readonly type: "RegularExpression"; readonly value: string; readonly pattern: Pattern };

/**
 * A regular expression as control compiled it (`policy/compile-pattern.ts`) and as workers run it
 * (`automaton.ts`). Plain data. It says whether a whole text falls under it, nothing else.
 */
export interface Pattern {
  /** What every text that falls under it begins with; the rest is read by the program. */
  readonly prefix: string;
  /**
   * The instructions, then the classes of characters that they read, as JSON lists of numbers (see `pattern.ts`). A
   * text, because a snapshot may have ten thousand, and most are not asked for.
   */
  readonly program: string;
}

export interface NamedValue {
  readonly name: string;
  readonly value: string;
}

/** What a header or a query parameter must be: the value, or what falls under the pattern, where there is one. */
export interface NamedMatch extends NamedValue {
  /** Of a `RegularExpression`, whose value is the expression as written. */
  readonly pattern?: Pattern;
}

/** All conditions hold together (Gateway API `HTTPRouteMatch`). Header names are lower case. */
export interface RouteMatch {
  readonly path: PathMatch;
  readonly method?: string;
  readonly headers: readonly NamedMatch[];
  readonly query: readonly NamedMatch[];
}

export interface HeaderChange {
  readonly set: readonly NamedValue[];
  readonly add: readonly NamedValue[];
  readonly remove: readonly string[];
}

export type PathChange =
  | { readonly type: "ReplaceFullPath"; readonly value: string }
  | { readonly type: "ReplacePrefixMatch"; readonly value: string };

export type Filter =
  | ({ readonly type: "RequestHeaderModifier" } & HeaderChange)
  | ({ readonly type: "ResponseHeaderModifier" } & HeaderChange)
  | { readonly type: "URLRewrite"; readonly hostname?: string; readonly path?: PathChange }
  | {
      readonly type: "RequestRedirect";
      readonly scheme?: "http" | "https";
      readonly hostname?: string;
      readonly path?: PathChange;
      readonly port?: number;
      readonly statusCode: 301 | 302 | 303 | 307 | 308;
    }
  | Mirror
  | Cors;

/** A copy of the request goes to another Service as well; its answer is ignored (Gateway API `HTTPRequestMirrorFilter`). */
export interface Mirror {
  readonly type: "RequestMirror";
  readonly service: ServiceKey;
  /** Why nothing can be mirrored there, if so; the request itself is not affected (Gateway API). */
  readonly unusable?: string;
  /** Share of requests: numerator over denominator. */
  readonly numerator: number;
  readonly denominator: number;
}

/** What browsers on other origins may do (Gateway API `HTTPCORSFilter`; Fetch §3.3). */
export interface Cors {
  readonly type: "CORS";
  /** `*`, an origin, or an origin whose host begins with `*`; in the form of `origin-match.ts`. */
  readonly allowOrigins: readonly string[];
  readonly allowCredentials: boolean;
  /** As written, as are the names of headers; may be `*`. */
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds: number;
}

/** A weighted reference to a Service. An unusable one keeps its share and answers 500 with it. */
export interface Backend {
  readonly service: ServiceKey;
  readonly weight: number;
  readonly filters: readonly Filter[];
  /** Why this backend cannot be used, if so (Gateway API reason, such as `BackendNotFound`). */
  readonly unusable?: string;
}

/** Where something runs. */
export interface Locality {
  readonly region: string;
  readonly zone?: string;
}

/** Where an isolate runs, as far as it knows: a Cloudflare location is a zone, and says nothing of its region. */
export type Here = Partial<Locality>;

/** By what requests are kept together. */
export type HashOn =
  | { readonly type: "header" | "cookie" | "query"; readonly name: string }
  | { readonly type: "sourceAddress" };

/** How requests are balanced among the endpoints of a destination. */
export interface BalancingSettings {
  readonly algorithm: "LeastRequest" | "RoundRobin" | "Random" | "RingHash";
  /** Of RingHash, which has it. */
  readonly hashOn?: HashOn;
  /** How long the weight of an endpoint that is new or back takes to grow to the whole, milliseconds; 0: not at all. */
  readonly slowStartMs: number;
  /** Whether the nearest endpoints of a level are used, as long as there are any that work. */
  readonly preferLocal: boolean;
}

/** What choosing among the endpoints of a destination has to know about one of them. */
export interface Placement {
  /** Tells it apart from the destination's others; stays the same when others come and go. */
  readonly name: string;
  /** Share within its level; 0: only sessions that are there. */
  readonly weight: number;
  /** Level: 0 is used first, the next one once all of the level before it fail. */
  readonly priority: number;
  readonly locality?: Locality;
}

/** What a route says about retrying (Gateway API `HTTPRouteRetry`). */
export interface RouteRetry {
  readonly codes: readonly number[];
  /** Retries beyond the first attempt. */
  readonly attempts?: number;
  readonly backoffMs?: number;
}

/** Requests of one session go to one backend, and to one endpoint of it (Gateway API `SessionPersistence`). */
export interface SessionSettings {
  readonly type: "Cookie" | "Header";
  /** Of the cookie or header. */
  readonly name: string;
  /** Milliseconds after which a session ends, whatever happens; absent: never. */
  readonly absoluteTimeoutMs?: number;
  /** Of a cookie: until the browser is closed, or as long as the session. */
  readonly lifetime: "Session" | "Permanent";
  /** Of a cookie; absent: `/`, every path (GEP-1619). */
  readonly path?: string;
}

export interface Rule {
  /** `kind/namespace/name/rule`: what refusals, logs and `explain` call it. */
  readonly name: string;
  readonly matches: readonly RouteMatch[];
  readonly filters: readonly Filter[];
  readonly backends: readonly Backend[];
  /** Milliseconds; 0 disables, absent leaves it to the destination. Covers all attempts. */
  readonly requestTimeoutMs?: number;
  /** Milliseconds for one attempt; 0 disables. */
  readonly backendTimeoutMs?: number;
  readonly retry?: RouteRetry;
  readonly session?: SessionSettings;
  /** Whether requests that go by it must be let in once in the whole mesh. */
  readonly replay?: "strict";
}

/** A listener of a Gateway with the rules attached to it, for the hostnames that they apply to. */
export interface Listener {
  /** `gateway-namespace/gateway-name/listener-name`. */
  readonly name: string;
  readonly port: number;
  readonly protocol: "HTTP" | "HTTPS";
  /** Absent: every host. May begin with `*.`. */
  readonly hostname?: string;
  /** One entry for each hostname that routes were bound to (intersection of route and listener); absent hostname: every host. */
  readonly hosts: readonly { readonly hostname?: string; readonly rules: readonly Rule[] }[];
}

/** The rule that a request fell under, and the match of it that decided. */
export interface Matched {
  readonly rule: Rule;
  readonly match: RouteMatch;
  /**
   * What of the request takes more than {@link maxSteps} to compare with the expressions: then nobody knows its rule,
   * and the rule that stands here has no backend that could answer.
   */
  readonly undecided?: ReadPart;
}

/** What `routed` adds to what is known. */
export interface Routed {
  /** The Service that was asked for, or the gateway's listener; the parent of the route. */
  readonly destination: string;
  /** The rule's name, or `default` where a Service has no routes. */
  readonly ruleName: string;
  readonly matched: Matched | undefined;
  readonly backends: readonly Backend[];
  readonly requestTimeoutMs: number | undefined;
  readonly backendTimeoutMs: number | undefined;
  readonly retry: RouteRetry | undefined;
}

/** The session of a request, where its rule keeps sessions. */
export interface Session {
  /** Where its requests went before; gone once the mesh could not reach that. */
  pinned: Pinned | undefined;
  /** Where this request went, after its last attempt. */
  taken: { readonly service: ServiceKey; endpoint: string } | undefined;
}

export interface Pinned {
  readonly backend: Backend;
  /** Whether it went to the endpoint of this name. */
  readonly isEndpoint: (name: string) => boolean;
}

/** What `persisted` adds to what is known, where the rule keeps sessions. */
export interface Persisted {
  readonly session?: Session | undefined;
}

/** What `balanced` adds to what is known: where this attempt goes. */
export interface Balanced {
  readonly backend: Backend;
}

/** Finds the rule for a message. Built once from a snapshot; look-up is pure. */
export interface RouteTable {
  find(message: {
    readonly url: URL;
    readonly method: string;
    readonly headers: Pick<HeaderFields, "get" | "keys" | typeof Symbol.iterator>;
  }): Matched | undefined;
}

/** Where a departing request is addressed: a Service, or the gateway listener that took it in. */
export interface Target {
  /** ServiceKey, or the listener's name. */
  readonly destination: string;
  /** Absent: no routes are attached, the destination is its own backend. */
  readonly table?: RouteTable;
  /** The port of the gateway listener, for redirects that keep it. */
  readonly listenerPort?: number;
}
