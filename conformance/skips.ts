import { listenersOf } from "./attachment.ts";
import type { Case } from "./format.ts";

/** What a worker cannot do, whatever runs in it, and why. Nothing else is ever skipped. */
interface Limit {
  readonly feature: string;
  readonly why: string;
  readonly concerns: (test: Case) => boolean;
}

const limits: readonly Limit[] = [
  {
    feature: "GRPCRoute",
    why: "a worker's fetch has no trailers, which gRPC answers with",
    concerns: (test) =>
      brings(test, "GRPCRoute") || test.features.includes("GRPCRoute") || speaks(test, /grpc/i),
  },
  {
    feature: "TLSRoute",
    why: "the platform ends TLS before a worker runs, so listeners of TLS are refused",
    concerns: (test) => brings(test, "TLSRoute") || listensToTls(test),
  },
  {
    feature: "TLS certificates",
    why: "the platform has the certificates; nothing reads certificateRefs",
    concerns: (test) => isAboutCertificates(test),
  },
  {
    feature: "BackendTLSPolicy",
    why: "the platform makes and ends TLS; a worker chooses neither CA nor name",
    concerns: (test) => brings(test, "BackendTLSPolicy") || test.features.includes("BackendTLSPolicy"),
  },
  {
    feature: "ListenerSet",
    why: "not implemented: write the listeners into the Gateway",
    concerns: (test) => brings(test, "ListenerSet") || test.features.includes("ListenerSet"),
  },
  ...["HTTPRouteBackendProtocolH2C", "HTTPRouteBackendProtocolWebSocketOverH2C"].map((feature) => ({
    feature,
    why: "workers speak to each other over bindings and HTTPS, never h2c",
    concerns: (test: Case) => test.features.includes(feature) || speaks(test, /h2c/i),
  })),
  ...[
    "GatewayHTTPSListenerDetectMisdirectedRequests",
    "GatewayFrontendClientCertificateValidation",
    "GatewayFrontendClientCertificateValidationInsecureFallback",
    "GatewayBackendClientCertificate",
  ].map((feature) => ({
    feature,
    why: "the platform ends TLS: a worker sees neither server name nor client certificate",
    concerns: (test: Case) => test.features.includes(feature),
  })),
];

/** The feature for which a case cannot run here, and why; undefined if it can. */
export function skipped(test: Case): Pick<Limit, "feature" | "why"> | undefined {
  return limits.find(({ concerns }) => concerns(test));
}

const listensToTls = ({ manifests }: Case): boolean =>
  manifests.some(
    (one) => one.kind === "Gateway" && listenersOf(one).some(({ protocol }) => protocol === "TLS"),
  );

/** A case that brings listeners with certificates and neither a route nor a request. */
const isAboutCertificates = ({ manifests, steps }: Case): boolean =>
  JSON.stringify(manifests).includes('"certificateRefs"') &&
  !manifests.some(({ kind }) => kind === "HTTPRoute") &&
  !steps.some(({ kind }) => kind === "request");

const brings = ({ manifests }: Case, kind: string): boolean => manifests.some((one) => one.kind === kind);

const speaks = ({ steps }: Case, protocol: RegExp): boolean =>
  steps.some(
    ({ request, via }) => protocol.test(request?.protocol ?? "") || protocol.test(via?.protocol ?? ""),
  );
