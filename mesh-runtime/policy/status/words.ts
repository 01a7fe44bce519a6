import type { RouteKind } from "../references.ts";

/** Who writes conditions into the status of routes (Gateway API `RouteParentStatus.controllerName`). */
export const controllerName = "mesh.tulle.dev/gateway-controller";

/** Kubernetes' `Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False";
  /** One word; Gateway API names it. */
  readonly reason: string;
  /** For people; empty where there is nothing to do. */
  readonly message: string;
  /** The generation of the document that this is about. */
  readonly observedGeneration: number;
  /** ISO 8601. When the text of the document that this is about came into force. */
  readonly lastTransitionTime: string;
}

/** What a route has come to at one parent that it names (Gateway API `RouteParentStatus`). */
export interface RouteParentStatus {
  /** As written, with the defaults of its group and kind. */
  readonly parentRef: {
    readonly group: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly sectionName?: string;
    readonly port?: number;
  };
  readonly controllerName: string;
  /** `Accepted` and `ResolvedRefs`, and `PartiallyInvalid` where it is true. */
  readonly conditions: readonly Condition[];
}

/** Gateway API `HTTPRouteStatus`. */
export interface RouteStatus {
  /** One entry a parentRef, in their order. */
  readonly parents: readonly RouteParentStatus[];
}

/** Gateway API `ListenerStatus`. */
export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly RouteKind[];
  /** Routes that are accepted here. */
  readonly attachedRoutes: number;
  /** `Accepted`, `Programmed`, `ResolvedRefs` and `Conflicted`. */
  readonly conditions: readonly Condition[];
}

/** Gateway API `GatewayStatus`. Addresses are the platform's, and nothing here knows them. */
export interface GatewayStatus {
  /** `Accepted` and `Programmed`. */
  readonly conditions: readonly Condition[];
  readonly listeners: readonly ListenerStatus[];
}

/** What a policy has come to at one thing that it is for (Gateway API `PolicyAncestorStatus`). */
export interface PolicyAncestorStatus {
  readonly ancestorRef: { readonly group: string; readonly kind: string; readonly name: string };
  readonly controllerName: string;
  /** `Accepted`. */
  readonly conditions: readonly Condition[];
}

/** Gateway API `PolicyStatus`. */
export interface PolicyStatus {
  /** One entry a targetRef, in their order. */
  readonly ancestors: readonly PolicyAncestorStatus[];
}

/** The status of a document that has one. */
export type DocumentStatus = RouteStatus | GatewayStatus | PolicyStatus;

/** Which text of a document a status speaks of. */
export interface Observed {
  /** Grows with every change of the text: the revision that wrote it. */
  readonly generation: number;
  /** When that was, ISO 8601. */
  readonly at: string;
}

/** What a judgement says of one condition; when and of which text is added to it. */
export type Verdict = Pick<Condition, "type" | "status" | "reason" | "message">;
