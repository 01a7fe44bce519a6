import { keyForm } from "@tulle/mesh-runtime/identity/session-keys.ts";
import { maxNonceLength } from "@tulle/mesh-runtime/identity/wimse-profile.ts";
import type { CircuitReport, Outcome } from "@tulle/mesh-runtime/resilience/words.ts";
import type { EdgeDelta, SpanEvent, SpanRecord } from "@tulle/mesh-runtime/telemetry/words.ts";
import type { AdmitRequest, JoinRequest, ReportRequest } from "@tulle/mesh-runtime/workload-contract.ts";
import { maxIdTokenLength } from "./issuer/attestation/deno-token.ts";
import { serviceKeyForm, serviceKeyLength } from "./service-key.ts";
import {
  either,
  finite,
  flag,
  list,
  object,
  oneOf,
  optional,
  record,
  type Shape,
  text,
  whole,
} from "./shape.ts";

/** Bounds of what a workload may send; a mesh runtime keeps well below them. */
export const reportLimits = {
  /** Bytes of one request over HTTP. */
  bodyBytes: 1_048_576,
  /** The same without a signature: a first join, or a stranger, for whom nobody parses a megabyte. */
  unsignedBytes: 32_768,
  circuits: 256,
  edges: 2_000,
  spans: 512,
  counters: 64,
} as const;

const serviceKey = text(serviceKeyLength, serviceKeyForm);
const isolate = text(64, /^[A-Za-z0-9_-]{1,64}$/);
const digest = text(64, /^(?:[0-9a-f]{64})?$/);
/** A tenth of what a number can hold exactly, so that sums of sums stay exact. */
const count = whole(0, 1_000_000_000);
const name = text(256);

/** A join request as far as its form goes: whether the key is one is for the proof of possession to say. */
export type JoinForm = Omit<JoinRequest, "publicJwk"> & {
  readonly publicJwk: Readonly<Record<string, string>>;
};

/** What {@link JoinRequest} may hold. */
export const joinShape: Shape<JoinForm> = object<JoinForm>({
  version: whole(1, 1_000_000),
  isolate,
  publicJwk: record(text(128), 16, 16),
  possession: text(4_096),
  digest: optional(digest),
  joinToken: optional(text(256)),
  idToken: optional(text(maxIdTokenLength)),
  sealingKey: optional(text(43, keyForm)),
  // Empty over a service binding, whose props say who it is.
  workload: either(oneOf(""), serviceKey),
});

const circuit: Shape<CircuitReport> = object<CircuitReport>({
  circuit: serviceKey,
  success: count,
  failure: count,
  overload: count,
  evidence: flag,
  incarnation: finite(0, Number.MAX_SAFE_INTEGER),
  epoch: finite(0, Number.MAX_SAFE_INTEGER),
  probe: optional(
    object<{ permit: string; outcome: Outcome }>({
      permit: text(128),
      outcome: oneOf("success", "failure", "overload", "neutral"),
    }),
  ),
  ask: optional(flag),
});

const edge: Shape<EdgeDelta> = object<EdgeDelta>({
  perspective: oneOf("effective", "attempt", "inbound"),
  source: name,
  destination: name,
  route: name,
  backend: name,
  class: oneOf("1xx", "2xx", "3xx", "4xx", "5xx", "refused"),
  refusal: text(64),
  count,
  latency: list(count, 64),
  latencySumMs: finite(0, 1e15),
});

const attributes = record(either(text(1_024), either(finite(-1e300, 1e300), flag)), 64, 128);

const span: Shape<SpanRecord> = object<SpanRecord>({
  traceId: text(32, /^[0-9a-f]{32}$/),
  spanId: text(16, /^[0-9a-f]{16}$/),
  parentSpanId: optional(text(16, /^[0-9a-f]{16}$/)),
  name,
  kind: oneOf(1, 2, 3),
  startMs: finite(0, 1e15),
  endMs: finite(0, 1e15),
  attributes,
  status: oneOf(0, 1, 2),
  error: optional(text(1_024)),
  events: optional(list(object<SpanEvent>({ name, timeMs: finite(0, 1e15), attributes }), 16)),
  workload: serviceKey,
});

/** What {@link ReportRequest} may hold. */
export const reportShape: Shape<ReportRequest> = object<ReportRequest>({
  version: whole(1, 1_000_000),
  isolate,
  workload: serviceKey,
  id: text(64, /^[A-Za-z0-9_-]{1,64}$/),
  epoch: whole(0, Number.MAX_SAFE_INTEGER),
  digest,
  bundleSequence: whole(0, Number.MAX_SAFE_INTEGER),
  // A coordinate of P-256.
  nextRoot: optional(text(43, /^[A-Za-z0-9_-]{43}$/)),
  circuits: list(circuit, reportLimits.circuits),
  edges: list(edge, reportLimits.edges),
  spans: list(span, reportLimits.spans),
  counters: record(finite(0, 1e12), reportLimits.counters, 64),
});

const seconds = whole(0, 1_000_000_000_000);

/** What {@link AdmitRequest} may hold. */
export const admitShape: Shape<AdmitRequest> = object<AdmitRequest>({
  version: whole(1, 1_000_000),
  workload: serviceKey,
  // RFC 7638 with SHA-256.
  sender: text(43, /^[A-Za-z0-9_-]{43}$/),
  // A SPIFFE ID has up to 2,048 bytes.
  owner: optional(text(2_048)),
  nonce: text(maxNonceLength, /^[\x20-\x7e]{1,64}$/),
  created: seconds,
  expires: seconds,
  watch: text(64, /^[A-Za-z0-9-]{0,64}$/),
});
