import type { AuthorizationPolicy } from "./schema/authorization-policy.ts";
import type { XBackendTrafficPolicy } from "./schema/backend-traffic-policy.ts";
import type { Gateway } from "./schema/gateway.ts";
import type { HTTPRoute } from "./schema/http-route.ts";
import type { MeshConfig } from "./schema/mesh-config.ts";
import type { Namespace } from "./schema/namespace.ts";
import type { ReferenceGrant } from "./schema/reference-grant.ts";
import type { RequestAuthentication } from "./schema/request-authentication.ts";
import type { Service } from "./schema/service.ts";
import type { Telemetry } from "./schema/telemetry.ts";
import type { TrafficPolicy } from "./schema/traffic-policy.ts";
import type { Origin } from "./source.ts";

export type {
  AuthorizationPolicy,
  Gateway,
  HTTPRoute,
  MeshConfig,
  Namespace,
  ReferenceGrant,
  RequestAuthentication,
  Service,
  Telemetry,
  TrafficPolicy,
  XBackendTrafficPolicy,
};

/**
 * A document that the schema has let through: everything in it is of the right form, and what a standard
 * gives a default is there. Whether what it refers to exists is not known yet.
 */
export type PolicyDocument =
  | HTTPRoute
  | Gateway
  | ReferenceGrant
  | Service
  | TrafficPolicy
  | XBackendTrafficPolicy
  | AuthorizationPolicy
  | RequestAuthentication
  | Telemetry
  | MeshConfig
  | Namespace;

export type Kind = PolicyDocument["kind"];

/** A document of one kind. */
export type DocumentOf<K extends Kind> = Extract<PolicyDocument, { readonly kind: K }>;

/** A document, and where it was written. */
export interface Written<Document extends PolicyDocument = PolicyDocument> {
  readonly document: Document;
  readonly origin: Origin;
}

/** `namespace/name`: how documents of one kind are told apart. */
export const keyOf = ({ metadata }: PolicyDocument): string => `${metadata.namespace}/${metadata.name}`;

/** `kind/namespace/name`: how documents are told apart everywhere. */
export const nameOf = (document: PolicyDocument): string => `${document.kind}/${keyOf(document)}`;
