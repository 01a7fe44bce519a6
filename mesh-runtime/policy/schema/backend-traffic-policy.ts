import type * as v from "valibot";
import { parseDuration } from "../../foundation/duration.ts";
import { retryBudget, retryFloor } from "../defaults.ts";
import { about, defaulted, integer, optional, strict, value } from "./fields.ts";
import { documentOf, experimentalVersions, subdomain, writtenStatus } from "./metadata.ts";
import { sessionPersistence } from "./session-persistence.ts";
import { policyTargetRefs } from "./target-refs.ts";

const hour = 3_600_000;

/** A duration within bounds, milliseconds, both included. */
const durationFrom = (expects: string, leastMs: number) =>
  value<string>(expects, (input) => {
    const parsed = typeof input === "string" ? parseDuration(input) : undefined;
    return parsed?.ok === true && parsed.value >= leastMs && parsed.value <= hour;
  });

/** `RetryConstraint.budget`. */
const budget = strict({
  percent: about(
    defaulted(integer(0, 100), retryBudget.percent),
    "Share of the requests within the interval that may be retries, in percent; the retries are among the requests.",
  ),
  interval: about(
    defaulted(durationFrom('a duration from 1s to 1h, such as "10s"', 1_000), retryBudget.interval),
    "How long a request counts.",
  ),
});

/** `RetryConstraint.minRetryRate`; upstream calls it a `RequestRate`. */
const minRetryRate = strict({
  count: about(
    defaulted(integer(1, 1_000_000), retryFloor.count),
    "So many retries within the interval are let through whatever their share …",
  ),
  interval: about(
    defaulted(durationFrom('a duration above 0s and of at most 1h, such as "1s"', 1), retryFloor.interval),
    "… of this length. Each isolate of each caller counts for itself.",
  ),
});

/** `RetryConstraint`. */
const retryConstraint = strict({
  budget: about(defaulted(budget, retryBudget), "How much of the traffic may be retries."),
  minRetryRate: about(defaulted(minRetryRate, retryFloor), "How many may be in any case."),
});

const spec = strict({
  targetRefs: about(policyTargetRefs, "The backends that it is for, whichever routes lead to them."),
  retryConstraint: about(
    optional(retryConstraint),
    "Takes the place of TrafficPolicy's `budgetRatio` for these backends. A further retry is answered with 503.",
  ),
  sessionPersistence: about(
    optional(sessionPersistence),
    "Requests of one session go to one endpoint, unless a route says otherwise itself.",
  ),
});

/** Gateway API's experimental policy of a backend (GEP-3388, GEP-1619), under the name that its CRD has. */
export const backendTrafficPolicy = documentOf(
  experimentalVersions,
  "XBackendTrafficPolicy",
  spec,
  subdomain(),
  writtenStatus,
);
export type XBackendTrafficPolicy = v.InferOutput<typeof backendTrafficPolicy>;
