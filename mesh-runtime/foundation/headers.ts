import type { HeaderFields } from "./fields.ts";

/**
 * Every header name that the mesh puts on a message. Names starting with `tulle-` belong to the mesh:
 * they are covered by the request signature, and removed from whatever comes from outside.
 */
export const header = {
  /** WIMSE Workload Identity Token (draft-ietf-wimse-workload-creds-02). */
  identityToken: "workload-identity-token",
  /** RFC 9421. */
  signature: "signature",
  /** RFC 9421. */
  signatureInput: "signature-input",
  /** RFC 9530. */
  contentDigest: "content-digest",
  /** Milliseconds that are left for this request and everything below it. */
  deadline: "tulle-deadline-ms",
  /** How many further attempts the whole call tree below may spend. */
  credits: "tulle-attempt-credits",
  /** How many mesh hops this request has behind it; ends loops. */
  hops: "tulle-hops",
  /** The newest policy epoch that the sender knows; on requests and responses. */
  epoch: "tulle-epoch",
  /** `strict` on a request: it must be admitted once in the whole mesh, not once an isolate. */
  replay: "tulle-replay",
  /** Names the memory that admits requests strictly: on the answer that tells it, and on requests signed after that. */
  watch: "tulle-watch",
  /** The grant of a session: what the key that its request's proof is made with was agreed by; on requests. */
  session: "tulle-session",
  /** The public key with which callers may begin sessions; on responses to signed requests. */
  sessionKey: "tulle-session-key",
  /** Verdicts of circuits that are not closed; on responses of authenticated hops. */
  circuits: "tulle-circuits",
  /** On a response that the callee's mesh made and not its application: the kind of refusal. */
  problem: "tulle-problem",
  /** W3C Trace Context. */
  traceparent: "traceparent",
  tracestate: "tracestate",
  baggage: "baggage",
} as const;

/** All names that belong to the mesh start so. */
export const meshPrefix = "tulle-";

/** The mesh's own among the headers of a message. */
export function meshNamesIn(headers: Pick<HeaderFields, "forEach">): readonly string[] {
  const found: string[] = [];
  headers.forEach((_value, name) => {
    if (name.startsWith(meshPrefix)) found.push(name);
  });
  return found;
}

/** Headers with which an outsider could claim to be somebody: removed at the gateway and before the handler. */
export const identityHeaders: readonly string[] = [
  header.identityToken,
  header.signature,
  header.signatureInput,
  "workload-proof-token",
  "txn-token",
  "x-forwarded-client-cert",
  "x-client-cert",
  "x-spiffe-id",
];

const ours: ReadonlySet<string> = new Set([...Object.values(header), ...identityHeaders]);

/**
 * Whether a header is the mesh's own affair: it proves who calls, bounds or traces a request. Policy neither
 * matches by such a header nor changes it, so that no document can forge or strip one.
 *
 * @param name in any case
 */
export function belongsToMesh(name: string): boolean {
  const lower = name.toLowerCase();
  return lower.startsWith(meshPrefix) || ours.has(lower);
}
