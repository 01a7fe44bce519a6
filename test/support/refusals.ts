import type { Refusal, RefusalKind } from "../../mesh-runtime/foundation/refusal.ts";

/** Stands in every field that is for operators only: an answer to a caller that contains it has said too much. */
export const innerDetail = "inner-detail-of-the-mesh";

/** One refusal of each kind; the compiler demands a member for a new kind. */
export const refusals: { readonly [Kind in RefusalKind]: Extract<Refusal, { readonly kind: Kind }> } = {
  "mesh-not-ready": { kind: "mesh-not-ready", detail: innerDetail, retryAfterMs: 1_000 },
  misconfigured: { kind: "misconfigured", detail: "add [[services]] MESH" },
  unidentified: { kind: "unidentified", step: "proof", detail: innerDetail },
  "replay-undecided": { kind: "replay-undecided", detail: innerDetail, retryAfterMs: 1_000 },
  "answer-unsigned": { kind: "answer-unsigned", detail: innerDetail },
  "answer-unverified": { kind: "answer-unverified", step: "proof", detail: innerDetail },
  denied: { kind: "denied", rule: innerDetail, principal: innerDetail },
  "invalid-token": { kind: "invalid-token", error: "invalid_token", detail: innerDetail },
  "keys-unavailable": { kind: "keys-unavailable", detail: innerDetail, retryAfterMs: 1_000 },
  "no-route": { kind: "no-route", destination: innerDetail },
  "too-long-to-match": { kind: "too-long-to-match", destination: innerDetail, part: "url" },
  "no-backend": { kind: "no-backend", destination: innerDetail, rule: innerDetail, detail: innerDetail },
  "deadline-exceeded": { kind: "deadline-exceeded", destination: innerDetail, budgetMs: 250 },
  "circuit-open": { kind: "circuit-open", circuit: innerDetail, retryAfterMs: 2_500 },
  overloaded: { kind: "overloaded", limit: innerDetail, retryAfterMs: 1 },
  "too-many-hops": { kind: "too-many-hops", hops: 33 },
  unreachable: { kind: "unreachable", destination: innerDetail, delivered: false, detail: innerDetail },
  "body-too-large": { kind: "body-too-large", limitBytes: 65_536 },
  "headers-too-large": { kind: "headers-too-large", limitBytes: 16_384 },
  cancelled: { kind: "cancelled" },
  "handler-failed": { kind: "handler-failed", detail: innerDetail },
  internal: { kind: "internal", detail: innerDetail },
};
