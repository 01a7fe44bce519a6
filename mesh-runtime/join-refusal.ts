import type { Refusal } from "./foundation/refusal.ts";
import type { Declined } from "./workload-contract.ts";

/** How long a failed join is remembered, so that a flood of requests does not become a flood of joins, milliseconds. */
export const rejoinAfterMs = 1_000;

/** Told once for each join that failed, not once for each request that it fails. */
export function notJoined(refusal: Refusal, now: number): string {
  const reason = "detail" in refusal ? refusal.detail : refusal.kind;
  return JSON.stringify({ time: new Date(now).toISOString(), event: refusal.kind, reason });
}

/** The mesh may be ready in a moment. */
export const notReady = (detail: string): Refusal => ({
  kind: "mesh-not-ready",
  detail,
  retryAfterMs: rejoinAfterMs,
});

/** What control declined, as the refusal of the request that wanted to join. */
export function declined(answer: Declined): Refusal {
  if (answer.reason === "not-ready") return notReady(answer.detail);
  return { kind: "misconfigured", detail: `${answer.detail} ${answer.remedy}` };
}
