/**
 * Why the mesh did not answer a request with the application's response: complete, for operators.
 * What callers see of it is decided in `problem.ts`, one exhaustive switch.
 */
export type Refusal =
  /** The runtime has no snapshot or credential yet. */
  | { readonly kind: "mesh-not-ready"; readonly detail: string; readonly retryAfterMs: number }
  /** The worker's configuration lacks what the runtime needs. `detail` says which lines to add. */
  | { readonly kind: "misconfigured"; readonly detail: string }
  /** No credential, or none that can be verified. `step` names the check that failed. */
  | { readonly kind: "unidentified"; readonly step: IdentityStep; readonly detail: string }
  /**
   * Policy wants to know for certain that this request was not here before, and nobody can tell. `watch` names the
   * memory that began after it was signed: a proof that names it can be judged.
   */
  | {
      readonly kind: "replay-undecided";
      readonly detail: string;
      /** Absent: a new try may follow at once. */
      readonly retryAfterMs?: number;
      readonly watch?: string;
    }
  /** The caller demands a signed answer, and this one cannot be signed. The application has handled the request. */
  | { readonly kind: "answer-unsigned"; readonly detail: string }
  /** An answer that must be signed by whom we asked, for this very request, is not. `step` names the check that failed. */
  | { readonly kind: "answer-unverified"; readonly step: IdentityStep; readonly detail: string }
  /** The caller is who it says, and may not do this. `rule` names the deciding rule of the deciding document. */
  | { readonly kind: "denied"; readonly rule: string; readonly principal: string }
  /**
   * The end user's token cannot be believed. `error` is what the caller is told of it (RFC 6750 §3.1), `detail` is
   * never any part of the token.
   */
  | {
      readonly kind: "invalid-token";
      readonly error: "invalid_token" | "invalid_request";
      readonly detail: string;
    }
  /** Nobody can tell whether the end user's token is valid: its issuer's keys were never to be had, or too long ago. */
  | { readonly kind: "keys-unavailable"; readonly detail: string; readonly retryAfterMs: number }
  | { readonly kind: "no-route"; readonly destination: string }
  /** Comparing this part of the request with the regular expressions of the routes takes more steps than are allowed. */
  | { readonly kind: "too-long-to-match"; readonly destination: string; readonly part: "url" | "headers" }
  | {
      readonly kind: "no-backend";
      readonly destination: string;
      readonly rule: string;
      readonly detail: string;
    }
  | { readonly kind: "deadline-exceeded"; readonly destination: string; readonly budgetMs: number }
  | { readonly kind: "circuit-open"; readonly circuit: string; readonly retryAfterMs: number }
  | { readonly kind: "overloaded"; readonly limit: string; readonly retryAfterMs: number }
  | { readonly kind: "too-many-hops"; readonly hops: number }
  /** The transport threw. `delivered` is false only when it is certain that the destination saw nothing. */
  | {
      readonly kind: "unreachable";
      readonly destination: string;
      readonly delivered: boolean;
      readonly detail: string;
    }
  | { readonly kind: "body-too-large"; readonly limitBytes: number }
  | { readonly kind: "headers-too-large"; readonly limitBytes: number }
  /** The caller went away or aborted. */
  | { readonly kind: "cancelled" }
  /** The application's handler threw. The exception itself goes to the worker's log. */
  | { readonly kind: "handler-failed"; readonly detail: string }
  /** Something broke inside the mesh. Closed, never open. */
  | { readonly kind: "internal"; readonly detail: string };

/** The checks of an identity, in the order in which they are made. */
export type IdentityStep =
  | "missing"
  | "malformed"
  | "token"
  | "trust-domain"
  | "session"
  | "proof"
  | "audience"
  | "clock"
  | "replay"
  | "digest"
  | "evidence"
  | "revoked";

export type RefusalKind = Refusal["kind"];
