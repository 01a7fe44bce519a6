import type { Principal } from "../identity/words.ts";

/** How a value is compared: exactly, by what it begins or ends with, or by merely being there. */
export type StringMatch =
  | { readonly type: "exact"; readonly value: string }
  | { readonly type: "prefix"; readonly value: string }
  | { readonly type: "suffix"; readonly value: string }
  | { readonly type: "present" };

/** Sources are alternatives; within one, all given lists must hold; an absent list holds, an empty one never does. */
export interface SourceMatch {
  readonly principals?: readonly StringMatch[];
  readonly notPrincipals?: readonly StringMatch[];
  readonly namespaces?: readonly StringMatch[];
  readonly notNamespaces?: readonly StringMatch[];
}

export interface OperationMatch {
  readonly methods?: readonly StringMatch[];
  readonly notMethods?: readonly StringMatch[];
  readonly paths?: readonly StringMatch[];
  readonly notPaths?: readonly StringMatch[];
}

export interface AuthorizationRule {
  /** `AuthorizationPolicy/namespace/name/index`: what a denial names. */
  readonly name: string;
  readonly action: "ALLOW" | "DENY";
  /** Absent: any source. */
  readonly from?: readonly SourceMatch[];
  /** Absent: any operation. */
  readonly to?: readonly OperationMatch[];
}

/** What is judged. */
export interface AccessRequest {
  readonly principal: Principal | undefined;
  readonly method: string;
  /** In the one form in which every router sees it. */
  readonly path: string;
}

export interface AccessDecision {
  readonly allowed: boolean;
  /** The rule that decided, or `default` with the reason in words. */
  readonly rule: string;
}

/** What `authorized` adds to what is known. */
export interface Authorized {
  readonly access: AccessDecision;
}
