import type { EndUser } from "../identity/end-user.ts";
import type { Principal } from "../identity/words.ts";

/** How a value is compared: exactly, by what it begins or ends with, or by merely being there. */
export type StringMatch =
  | { readonly type: "exact"; readonly value: string }
  | { readonly type: "prefix"; readonly value: string }
  | { readonly type: "suffix"; readonly value: string }
  | { readonly type: "present" };

/** A path may be a template too: `{*}` is one segment, `{**}` whatever stands there (Istio `Operation.paths`). */
export type PathMatch = StringMatch | { readonly type: "template"; readonly value: string };

/** Sources are alternatives; within one, all given lists must hold; an absent list holds, an empty one never does. */
export interface SourceMatch {
  readonly principals?: readonly StringMatch[];
  readonly notPrincipals?: readonly StringMatch[];
  readonly namespaces?: readonly StringMatch[];
  readonly notNamespaces?: readonly StringMatch[];
  /** End users, `issuer/subject`. */
  readonly requestPrincipals?: readonly StringMatch[];
  readonly notRequestPrincipals?: readonly StringMatch[];
  /** Addresses of callers from outside, `192.0.2.0/24`; known at a gateway alone. */
  readonly ipBlocks?: readonly string[];
  readonly notIpBlocks?: readonly string[];
}

export interface OperationMatch {
  /** Host names in lower case, without port. */
  readonly hosts?: readonly StringMatch[];
  readonly notHosts?: readonly StringMatch[];
  readonly methods?: readonly StringMatch[];
  readonly notMethods?: readonly StringMatch[];
  readonly paths?: readonly PathMatch[];
  readonly notPaths?: readonly PathMatch[];
}

/** What must hold beside source and operation: a key (Istio `Condition`), and values. */
export type Condition = Values &
  (
    | { readonly type: "principal" | "namespace" | "evidence" }
    /** Of the end user: who it is, whom its token is for (`aud`), and who had it issued (`azp`). */
    | { readonly type: "requestPrincipal" | "audiences" | "presenter" }
    /** A claim of the end user's token; `path` leads to it, outermost first. */
    | { readonly type: "claim"; readonly path: readonly string[] }
    /** `name` in lower case. */
    | { readonly type: "header"; readonly name: string }
  );

interface Values {
  readonly values?: readonly StringMatch[];
  readonly notValues?: readonly StringMatch[];
}

export interface AuthorizationRule {
  /** `AuthorizationPolicy/namespace/name/index`: what a denial names. */
  readonly name: string;
  /** `AUDIT` decides nothing: a request that it speaks of is marked. */
  readonly action: "ALLOW" | "DENY" | "AUDIT";
  /** Decides nothing; what it would decide is told apart. */
  readonly dryRun?: true;
  /** Absent: any source. */
  readonly from?: readonly SourceMatch[];
  /** Absent: any operation. */
  readonly to?: readonly OperationMatch[];
  /** All of them must hold. */
  readonly when?: readonly Condition[];
}

/** What is judged. Members are read when a rule asks for them, so they may be getters. */
export interface AccessRequest {
  readonly principal: Principal | undefined;
  /** The end user whose token was verified; absent without one. */
  readonly user?: EndUser | undefined;
  readonly method: string;
  /** Of the URL, as the runtime parsed it. */
  readonly path: string;
  /** Of the URL, as the runtime parsed it; absent where nobody knows it. */
  readonly host?: string;
  /** The value of a header, several joined by ", ". */
  readonly header?: (name: string) => string | null;
  /** Of the caller from outside, as the platform tells it; absent between workers. */
  readonly address?: string | undefined;
}

/** Whether a request is let in, and the rule that decided, or `default` with the reason in words. */
export interface Verdict {
  readonly allowed: boolean;
  readonly rule: string;
}

export interface AccessDecision extends Verdict {
  /** The AUDIT rule that speaks of the request, if one does. */
  readonly audited?: string;
  /** What would be decided if rules on a dry run were in force; absent where none is. */
  readonly dryRun?: Verdict;
}

/** What `authorized` adds to what is known. */
export interface Authorized {
  readonly access: AccessDecision;
}
