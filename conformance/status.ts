/** A condition as Gateway API has it in a status. */
export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

/** What one parent says of a route. */
export interface ParentStatus {
  readonly parentRef: {
    readonly group?: string;
    readonly kind?: string;
    readonly namespace?: string;
    readonly name: string;
    readonly sectionName?: string;
    readonly port?: number;
  };
  readonly controllerName?: string;
  readonly conditions: readonly Condition[];
}

/** What a listener of a Gateway says of itself. */
export interface ListenerStatus {
  readonly name: string;
  readonly attachedRoutes: number;
  readonly supportedKinds?: readonly { readonly group?: string; readonly kind: string }[];
  readonly conditions: readonly Condition[];
}

/** The `status` of a document; which members it has depends on its kind. */
export interface Status {
  readonly parents?: readonly ParentStatus[];
  readonly listeners?: readonly ListenerStatus[];
  readonly conditions?: readonly Condition[];
}

/** A document as control answers it. */
export interface StoredDocument {
  readonly text: string;
  readonly revision: number;
  readonly generation?: number;
  readonly status?: Status;
}
