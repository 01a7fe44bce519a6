import { parseDuration } from "../../foundation/duration.ts";
import { about, checked, duration, type Fault, integer, list, optional, strict } from "./fields.ts";

/** `HTTPRouteTimeouts`. */
export const timeouts = checked(
  strict({
    request: about(optional(duration()), "For the request with all its attempts; `0s`: none."),
    backendRequest: about(optional(duration()), "For one attempt; `0s`: none."),
  }),
  function* ({ request, backendRequest }): Generator<Fault> {
    const [whole, attempt] = [milliseconds(request), milliseconds(backendRequest)];
    if (whole === 0 || attempt <= whole) return;
    yield {
      path: ["backendRequest"],
      expected: `at most ${request}, the whole request's`,
      found: JSON.stringify(backendRequest),
      message: "one attempt cannot take longer than the request; lower backendRequest or raise request",
    };
  },
);

function milliseconds(written: string | undefined): number {
  const parsed = written === undefined ? undefined : parseDuration(written);
  return parsed?.ok ? parsed.value : 0;
}

/** `HTTPRouteRetry`. */
export const retry = strict({
  codes: about(
    optional(list(integer(400, 599), 1, 64)),
    "Statuses that are tried again; connection failures are in any case.",
  ),
  attempts: about(optional(integer(1, 100)), "Attempts beyond the first."),
  backoff: about(optional(duration()), "Base of the time between attempts."),
});
