/** A feature as Gateway API names it (`pkg/features`), and what becomes of it here. */
export interface Feature {
  readonly name: string;
  readonly support: "core" | "extended";
  readonly channel?: "experimental";
  /** Why a worker does not have it; absent: it is there. */
  readonly unsupported?: string;
  /** What to know beside that it is there. */
  readonly note?: string;
}

const extended = (name: string, more: Partial<Feature> = {}): Feature => ({
  name,
  support: "extended",
  ...more,
});
const experimental = { channel: "experimental" } as const;
const tls = { unsupported: "the platform ends TLS before a worker runs" } as const;

/** Every feature of Gateways, HTTPRoutes and the mesh. */
export const features: readonly Feature[] = [
  { name: "Gateway", support: "core" },
  { name: "HTTPRoute", support: "core" },
  { name: "ReferenceGrant", support: "core" },
  { name: "Mesh", support: "core" },
  extended("GatewayPort8080"),
  extended("GatewayHTTPListenerIsolation"),
  extended("GatewayStaticAddresses", { unsupported: "addresses are the platform's" }),
  extended("GatewayAddressEmpty", { unsupported: "addresses are the platform's" }),
  extended("GatewayInfrastructurePropagation", {
    unsupported: "a worker is deployed by wrangler, not by a Gateway",
  }),
  extended("GatewayHTTPSListenerDetectMisdirectedRequests", tls),
  extended("GatewayFrontendClientCertificateValidation", tls),
  extended("GatewayFrontendClientCertificateValidationInsecureFallback", tls),
  extended("GatewayBackendClientCertificate", tls),
  extended("ListenerSet", { unsupported: "write the listeners into the Gateway" }),
  extended("HTTPRouteBackendProtocolH2C", {
    unsupported: "workers speak over bindings and HTTPS, never h2c",
  }),
  extended("HTTPRouteBackendProtocolWebSocket"),
  extended("HTTPRouteBackendRequestHeaderModification"),
  extended("HTTPRouteBackendRequestRedirect", { note: "taken out of v1.7" }),
  extended("HTTPRouteBackendTimeout"),
  extended("HTTPRouteBackendURLRewrite"),
  extended("HTTPRouteCORS"),
  extended("HTTPRouteDestinationPortMatching", experimental),
  extended("HTTPRouteHostRewrite"),
  extended("HTTPRouteMethodMatching"),
  extended("HTTPRouteNamedRouteRule"),
  extended("HTTPRouteParentRefPort"),
  extended("HTTPRoutePathRedirect"),
  extended("HTTPRoutePathRewrite"),
  extended("HTTPRoutePortRedirect"),
  extended("HTTPRouteQueryParamMatching"),
  extended("HTTPRouteRequestMirror"),
  extended("HTTPRouteRequestMultipleMirrors"),
  extended("HTTPRouteRequestPercentageMirror"),
  extended("HTTPRouteRequestTimeout"),
  extended("HTTPRouteResponseHeaderModification"),
  extended("HTTPRouteRetry", { ...experimental, note: "no method is repeated that may have had an effect" }),
  extended("HTTPRouteRetryBackendTimeout", experimental),
  extended("HTTPRouteRetryConnectionError", experimental),
  extended("HTTPRouteSchemeRedirect"),
  extended("HTTPRoute303RedirectStatusCode"),
  extended("HTTPRoute307RedirectStatusCode"),
  extended("HTTPRoute308RedirectStatusCode"),
  extended("MeshClusterIPMatching", { note: "the Service that is called decides, whatever the Host" }),
  extended("MeshConsumerRoute", { note: "by the verified namespace of the caller" }),
  extended("MeshHTTPRouteBackendRequestHeaderModification"),
  extended("MeshHTTPRouteNamedRouteRule"),
  extended("MeshHTTPRouteQueryParamMatching"),
  extended("MeshHTTPRouteRedirectPath"),
  extended("MeshHTTPRouteRedirectPort"),
  extended("MeshHTTPRouteRewritePath"),
  extended("MeshHTTPRouteSchemeRedirect"),
];
