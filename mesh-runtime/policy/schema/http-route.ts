import type * as v from "valibot";
import { routeDefaults } from "../defaults.ts";
import {
  about,
  checked,
  defaulted,
  type Fault,
  integer,
  list,
  optional,
  repeated,
  type Schema,
  strict,
  unsupported,
  value,
} from "./fields.ts";
import { filter, filterFaults, replacesPrefix } from "./http-filters.ts";
import { orEmpty } from "./members.ts";
import { documentOf, gatewayVersions, subdomain, writtenStatus } from "./metadata.ts";
import { backendName } from "./mirror.ts";
import { parentRefs } from "./parent-refs.ts";
import { retry, timeouts } from "./route-limits.ts";
import { match } from "./route-match.ts";
import { sessionPersistence } from "./session-persistence.ts";

const backendFilters = checked(list(filter, 0, 16), (filters) => filterFaults(filters, []));

const backendRef = strict({
  ...backendName,
  weight: about(
    defaulted(integer(0, 1_000_000), routeDefaults.weight),
    "Share of requests: weight over the sum of weights.",
  ),
  filters: about(optional(backendFilters), "What is done for this backend alone."),
});

const rule = checked(
  strict({
    name: about(optional(subdomain()), "Name of the rule, unique in the route; refusals and logs use it."),
    matches: about(
      defaulted(orEmpty(list(match, 0, 64)), [{}]),
      "Alternatives; within one, everything must hold.",
    ),
    filters: about(optional(list(filter, 0, 16)), "What is done on the way, in this order."),
    backendRefs: about(
      optional(list(backendRef, 0, 16)),
      "Where requests go. None, and no redirect: every request is answered with 500.",
    ),
    timeouts: about(optional(timeouts), "How long it may take."),
    retry: about(optional(retry), "What is tried again."),
    sessionPersistence: about(
      optional(sessionPersistence),
      "Requests of one session go to one backend, and to one endpoint of it, whatever the weights.",
    ),
  }),
  function* ({ matches, filters = [], backendRefs = [] }): Generator<Fault> {
    yield* filterFaults(filters, ["filters"]);
    const redirects = filters.some(({ type }) => type === "RequestRedirect");
    if (redirects && backendRefs.length > 0) {
      yield {
        path: ["backendRefs"],
        expected: "no backendRefs beside RequestRedirect",
        found: `${backendRefs.length}`,
        message: "a request that is redirected reaches no backend; remove backendRefs or the redirect",
      };
    }
    const onePrefix = matches.length === 1 && matches[0]?.path.type === "PathPrefix";
    const everywhere = [
      ...filters.map((given, index) => ({ given, path: ["filters", index] })),
      ...backendRefs.flatMap(({ filters: own = [] }, backend) =>
        own.map((given, index) => ({ given, path: ["backendRefs", backend, "filters", index] })),
      ),
    ];
    for (const { given, path } of everywhere) {
      if (!replacesPrefix(given) || onePrefix) continue;
      yield {
        path,
        expected: "exactly one match, of type PathPrefix",
        found: `${matches.length} matches, the first of type ${matches[0]?.path.type}`,
        message:
          "ReplacePrefixMatch needs exactly one PathPrefix match in its rule; split the rule or use ReplaceFullPath",
      };
    }
  },
);

/** Grammar of Gateway API `Hostname`: a host name that may begin with `*.`; no address, no port. */
export const hostname = (): Schema<string> =>
  value<string>(
    "a host name such as shop.example.com or *.example.com, without port",
    (input) =>
      typeof input === "string" &&
      input.length <= 253 &&
      !/^[\d.]+$/.test(input) &&
      /^(?:\*\.)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/.test(
        input,
      ),
  );

const spec = checked(
  strict({
    parentRefs: about(
      defaulted(parentRefs, []),
      "What the route is attached to: Services (inside the mesh) and Gateways (from outside). None: it takes no requests, and a warning says so.",
    ),
    hostnames: about(
      optional(orEmpty(list(hostname(), 0, 16))),
      "Hosts that it is for at a Gateway; a Service does not look at them.",
    ),
    rules: about(
      defaulted(list(rule, 1, 16), [{}]),
      "The rules; the most specific match of all rules decides, not the first.",
    ),
    useDefaultGateways: unsupported("not supported; name the Gateway in parentRefs"),
  }),
  function* ({ rules }): Generator<Fault> {
    yield* repeated(rules, ({ name }) => name, "rule name", ["rules"]);
    const total = rules.reduce((sum, { matches }) => sum + matches.length, 0);
    if (total <= 128) return;
    yield {
      path: ["rules"],
      expected: "at most 128 matches in one route",
      found: `${total}`,
      message: "a route has at most 128 matches over all its rules; split it into two routes",
    };
  },
);

export const httpRoute = documentOf(gatewayVersions, "HTTPRoute", spec, subdomain(), writtenStatus);
export type HTTPRoute = v.InferOutput<typeof httpRoute>;
