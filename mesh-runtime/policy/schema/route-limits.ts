import { parseDuration } from "../../foundation/duration.ts";
import { routeDefaults } from "../defaults.ts";
import {
  about,
  checked,
  defaulted,
  duration,
  type Fault,
  integer,
  list,
  optional,
  repeated,
  strict,
} from "./fields.ts";
import { orEmpty } from "./members.ts";

/** `HTTPRouteTimeouts`. */
export const timeouts = checked(
  strict({
    request: about(
      optional(duration()),
      "For the request with all its attempts, to the end of the response; `0s`: none. Answers 504.",
    ),
    backendRequest: about(
      optional(duration()),
      "For one attempt, to the end of its response; `0s`: none. Such an attempt is tried again where `retry` stands.",
    ),
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

/** `HTTPRouteRetry.codes`: a set. */
const codes = checked(orEmpty(list(integer(400, 599), 0, 200)), function* (listed): Generator<Fault> {
  yield* repeated(listed, String, "code");
});

/** `HTTPRouteRetry`. */
export const retry = strict({
  codes: about(
    optional(codes),
    "Statuses that are tried again, of requests that are safe to repeat; none listed: none. Connections that could not be made and attempts that took longer than `backendRequest` are tried again in any case.",
  ),
  attempts: about(defaulted(integer(1, 100), routeDefaults.retryAttempts), "Attempts beyond the first."),
  backoff: about(
    optional(duration()),
    "Base of the time between attempts: the n-th further one waits a random time of at most `backoff * (2^n - 1)` and ten times `backoff`.",
  ),
});
