import { parseDuration } from "../foundation/duration.ts";
import type { Backend, Rule } from "../routing/words.ts";
import type { Catalog } from "./catalog.ts";
import { filterOf } from "./compile-filter.ts";
import { matchOf } from "./compile-match.ts";
import { type DocumentOf, nameOf } from "./documents.ts";
import { type BackendRef, backendOf, type ParentRef } from "./references.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;
type WrittenRule = HTTPRoute["spec"]["rules"][number];

/** Gateway API `HTTPRouteRetry.attempts`. */
const retryAttempts = 1;

/** The rules of a route, as they hold where it is attached to a parent of this kind. */
export function rulesOf(catalog: Catalog, route: HTTPRoute, parent: ParentRef["kind"]): readonly Rule[] {
  return route.spec.rules.map((rule, index) => ({
    name: `${nameOf(route)}/${rule.name ?? index}`,
    matches: rule.matches.map(matchOf),
    filters: (rule.filters ?? []).flatMap(filterOf),
    backends: (rule.backendRefs ?? []).map((ref) => backend(catalog, route, ref, parent)),
    ...timeoutsOf(rule),
    ...retryOf(rule),
  }));
}

/** Milliseconds of a duration that the schema has let through. */
export function millisecondsOf(written: string): number {
  const parsed = parseDuration(written);
  if (!parsed.ok) throw new TypeError(`Cannot compile a duration: it must be ${parsed.reason}`);
  return parsed.value;
}

function backend(catalog: Catalog, route: HTTPRoute, ref: BackendRef, parent: ParentRef["kind"]): Backend {
  const { key, unusable } = backendOf(catalog, route, ref, parent);
  return {
    service: key,
    weight: ref.weight,
    filters: (ref.filters ?? []).flatMap(filterOf),
    ...(unusable === undefined ? {} : { unusable }),
  };
}

function timeoutsOf({ timeouts }: WrittenRule): Pick<Rule, "requestTimeoutMs" | "backendTimeoutMs"> {
  const { request, backendRequest } = timeouts ?? {};
  return {
    ...(request === undefined ? {} : { requestTimeoutMs: millisecondsOf(request) }),
    ...(backendRequest === undefined ? {} : { backendTimeoutMs: millisecondsOf(backendRequest) }),
  };
}

function retryOf({ retry }: WrittenRule): Pick<Rule, "retry"> {
  if (retry === undefined) return {};
  const { codes = [], attempts = retryAttempts, backoff } = retry;
  return {
    retry: { codes, attempts, ...(backoff === undefined ? {} : { backoffMs: millisecondsOf(backoff) }) },
  };
}
