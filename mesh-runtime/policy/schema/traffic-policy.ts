import type * as v from "valibot";
import { parseDuration } from "../../foundation/duration.ts";
import {
  about,
  checked,
  duration,
  type Fault,
  flag,
  integer,
  list,
  optional,
  ratio,
  strict,
  unsupported,
  value,
} from "./fields.ts";
import { loadBalancing } from "./load-balancing.ts";
import { documentOf, meshVersions } from "./metadata.ts";
import { targetRefs } from "./target-refs.ts";

const later = "not supported yet; remove it";

/** A duration that must not be 0: a window or penalty of no time means nothing. */
const span = () =>
  value<string>('a duration above 0, such as "250ms" or "10s"', (input) => {
    const parsed = typeof input === "string" ? parseDuration(input) : undefined;
    return parsed?.ok === true && parsed.value > 0;
  });

const retry = strict({
  attempts: about(optional(integer(0, 10)), "Attempts beyond the first; 0: none."),
  codes: about(optional(list(integer(400, 599), 1, 64)), "Statuses that are tried again."),
  perTryTimeout: about(optional(duration()), "For one attempt; `0s`: only the request's own timeout."),
  backoffBase: about(optional(duration()), "Upper bound of the first wait; it doubles, with full jitter."),
  backoffMax: about(optional(duration()), "Upper bound of every wait."),
  budgetRatio: about(optional(ratio()), "Share of requests that may be retries."),
  maxReplayBytes: about(
    optional(integer(0, 16 * 1024 * 1024)),
    "Bodies up to this are kept for another attempt.",
  ),
  nonIdempotent: about(
    optional(flag()),
    "Also retry methods that are not idempotent, though they may have been processed: they may then happen twice.",
  ),
});

const circuit = checked(
  strict({
    enabled: about(optional(flag()), "Whether failures of this destination open a circuit."),
    consecutiveFailures: about(optional(integer(1, 1_000)), "Opens after so many failures in a row …"),
    minimumSpan: about(optional(duration()), "… over at least so long,"),
    failureRatio: about(optional(ratio()), "or at this share of failures …"),
    minimumOutcomes: about(optional(integer(1, 1_000_000)), "… among at least so many outcomes …"),
    window: about(optional(span()), "… within so long."),
    baseOpen: about(optional(span()), "How long it stays open the first time; doubles."),
    maxOpen: about(optional(span()), "How long it stays open at most."),
    permit: about(optional(span()), "How long a probe may take before another may go."),
    successesToClose: about(optional(integer(1, 100)), "Probes that must succeed before it closes."),
  }),
  function* ({ failureRatio }): Generator<Fault> {
    if (failureRatio !== 0) return;
    yield {
      path: ["failureRatio"],
      expected: "a share above 0",
      found: "0",
      message: "at a share of 0 every success would open the circuit; raise it, or write enabled: false",
    };
  },
);

const spec = strict({
  targetRefs: about(
    targetRefs,
    "The destinations that it is for, whoever calls them, by name or by a route.",
  ),
  timeout: about(
    optional(duration()),
    "For a request with all its attempts; `0s`: none. A route's own timeout comes first, then that of the Service that was called.",
  ),
  retry: about(
    optional(retry),
    "What is tried again. A route's own retry comes first, then that of the Service that was called.",
  ),
  circuit: about(optional(circuit), "When the destination is left alone."),
  maxInFlight: about(
    optional(integer(1, 1_000_000)),
    "Requests under way from one isolate to the destination, by name and by every route; above it they are refused.",
  ),
  loadBalancing: about(
    optional(loadBalancing),
    "How requests are balanced among the endpoints of a destination that has several.",
  ),
  loadBalancer: unsupported("called loadBalancing here"),
  outlierDetection: unsupported(
    "not supported: endpoints that cannot be reached are left out in any case, and circuit judges the rest",
  ),
  rateLimit: unsupported(later),
  fault: unsupported(later),
  connectionPool: unsupported("not supported: connections are the platform's; use maxInFlight"),
});

export const trafficPolicy = documentOf(meshVersions, "TrafficPolicy", spec);
export type TrafficPolicy = v.InferOutput<typeof trafficPolicy>;
