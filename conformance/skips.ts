import { listenersOf } from "./attachment.ts";
import { features } from "./features.ts";
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
    why: "not supported: write the listeners into the Gateway",
    concerns: (test) => brings(test, "ListenerSet") || test.features.includes("ListenerSet"),
  },
  ...["TCPRoute", "UDPRoute"].map((feature) => ({
    feature,
    why: "a worker sees requests, neither connections nor packets",
    concerns: (test: Case) => brings(test, feature) || test.features.includes(feature),
  })),
  {
    feature: "GatewayClass",
    why: "there is one class, tulle, and no document of it",
    concerns: (test) => brings(test, "GatewayClass"),
  },
  ...["HTTPRouteBackendProtocolH2C", "HTTPRouteBackendProtocolWebSocketOverH2C"].map((feature) => ({
    feature,
    why: "workers speak to each other over bindings and HTTPS, never h2c",
    concerns: (test: Case) => test.features.includes(feature) || speaks(test, /h2c/i),
  })),
  ...features.flatMap(({ name, unsupported }) =>
    unsupported === undefined
      ? []
      : [{ feature: name, why: unsupported, concerns: (test: Case) => test.features.includes(name) }],
  ),
];

/** The feature for which a case cannot run here, and why; undefined if it can. */
export function skipped(test: Case): Pick<Limit, "feature" | "why"> | undefined {
  return limits.find(({ concerns }) => concerns(test));
}

const listensToTls = ({ manifests }: Case): boolean =>
  manifests.some(
    (one) => one.kind === "Gateway" && listenersOf(one).some(({ protocol }) => protocol === "TLS"),
  );

/** A case that brings listeners with certificates and no request, and no route or wants references unresolved. */
const isAboutCertificates = ({ manifests, steps }: Case): boolean =>
  JSON.stringify(manifests).includes('"certificateRefs"') &&
  !steps.some(({ kind }) => kind === "request") &&
  (!manifests.some(({ kind }) => kind === "HTTPRoute") ||
    steps.some(({ path = [] }) => /\bGateway has unresolved refs\b/i.test(path.join(" "))));

const brings = ({ manifests }: Case, kind: string): boolean => manifests.some((one) => one.kind === kind);

const speaks = ({ steps }: Case, protocol: RegExp): boolean =>
  steps.some(
    ({ request, via }) => protocol.test(request?.protocol ?? "") || protocol.test(via?.protocol ?? ""),
  );
