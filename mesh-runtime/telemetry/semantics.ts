/**
 * Names of span attributes: OpenTelemetry's semantic conventions where they have one, else `tulle.*`. Constants of
 * our own: the package with all of them adds 13 KB (gzip) to a worker.
 */
export const attribute = {
  method: "http.request.method",
  status: "http.response.status_code",
  path: "url.path",
  scheme: "url.scheme",
  serverAddress: "server.address",
  serverPort: "server.port",
  peerService: "peer.service",
  /** Kind of refusal, name of an exception, or status code as text. */
  errorType: "error.type",
  exceptionType: "exception.type",
  exceptionMessage: "exception.message",
  serviceName: "service.name",
  serviceNamespace: "service.namespace",
  /** SPIFFE ID of the other side. */
  peer: "tulle.peer",
  /** `namespace/name` of the caller. */
  source: "tulle.source",
  evidence: "tulle.evidence",
  /** The authorization rule that decided. */
  rule: "tulle.rule",
  route: "tulle.route",
  backend: "tulle.backend",
  /** How many tries were made. */
  attempts: "tulle.attempts",
  refusal: "tulle.refusal",
  /** Policy epoch that the exchange was decided with. */
  epoch: "tulle.epoch",
} as const;

/** Name of the event of one try, on the span of an exchange that was retried. */
export const tryEvent = "tulle.try";

/** OpenTelemetry's name for the event of an exception. */
export const exceptionEvent = "exception";
