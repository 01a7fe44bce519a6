import { usable } from "../resilience/purse.ts";
import type { Backend, Rule, ServiceKey } from "../routing/words.ts";
import type { Catalog } from "./catalog.ts";
import { filtersOf, type Refer } from "./compile-filter.ts";
import { matchOf } from "./compile-match.ts";
import { sessionOf, sessionOfBackends } from "./compile-session.ts";
import { statedOf } from "./compile-settings.ts";
import { type DocumentOf, nameOf } from "./documents.ts";
import { millisecondsOf } from "./milliseconds.ts";
import { type BackendRef, backendOf, type ParentRef } from "./references.ts";
import { replayAnnotation } from "./schema/metadata.ts";

type HTTPRoute = DocumentOf<"HTTPRoute">;
type WrittenRule = HTTPRoute["spec"]["rules"][number];

/**
 * The rules of a route, as they hold where it is attached to a parent of this kind.
 * @param parentBounds whether the parent has a timeout of its own that somebody wrote down
 */
export function rulesOf(
  catalog: Catalog,
  route: HTTPRoute,
  parent: ParentRef["kind"],
  parentBounds = false,
): readonly Rule[] {
  const refer: Refer = (ref) => backendOf(catalog, route, ref, parent);
  const replay = route.metadata.annotations?.[replayAnnotation] === "strict" ? strict : {};
  const refused = catalog.refused.get(nameOf(route))?.route?.rules;
  return route.spec.rules.flatMap((rule, index): Rule[] => {
    const name = `${nameOf(route)}/${rule.name ?? index}`;
    if (refused?.has(index) === true) return refusedRule(name, rule);
    const backends = (rule.backendRefs ?? []).map((ref) => backend(ref, refer));
    const compiled = {
      name,
      matches: rule.matches.map(matchOf),
      filters: filtersOf(rule.filters, refer),
      backends,
      ...timeoutsOf(rule, () => parentBounds || timeoutsStated(catalog, backends)),
      ...retryOf(rule),
      ...(rule.sessionPersistence === undefined
        ? sessionOfBackends(catalog, name, backends)
        : { session: sessionOf(rule.sessionPersistence, name) }),
      ...replay,
    };
    return [compiled];
  });
}

/**
 * A rule that is refused answers 500 to what it matches, so that no wider rule gets it; of one whose matches cannot
 * be read nothing is left.
 */
const refusedRule = (name: string, { matches }: WrittenRule): Rule[] =>
  matches.length === 0
    ? []
    : [{ name, matches: matches.map(matchOf), filters: [], backends: [refusedBackend] }];

const refusedBackend: Backend = {
  service: "-",
  weight: 1,
  filters: [],
  unusable: "the rule is refused (UnsupportedValue)",
};

const strict = { replay: "strict" } as const;

function backend(ref: BackendRef, refer: Refer): Backend {
  const { key, unusable } = refer(ref);
  return {
    service: key,
    weight: ref.weight,
    filters: filtersOf(ref.filters, refer),
    ...(unusable === undefined ? {} : { unusable }),
  };
}

/** Whether somebody has written down how long a request to a Service may take. */
export function timeoutStated(catalog: Catalog, key: ServiceKey): boolean {
  const service = catalog.services.get(key);
  return service !== undefined && statedOf(catalog, service).includes("timeout");
}

/** The same of every backend that requests are split among. */
function timeoutsStated(catalog: Catalog, backends: readonly Backend[]): boolean {
  const used = backends.filter(usable);
  return used.length > 0 && used.every(({ service }) => timeoutStated(catalog, service));
}

/**
 * A rule that bounds each attempt and not the request has bounded the request as well: by its attempts. The timeout
 * that every destination has without being asked would cut the last of them short.
 */
function timeoutsOf(
  { timeouts }: WrittenRule,
  timeoutStands: () => boolean,
): Pick<Rule, "requestTimeoutMs" | "backendTimeoutMs"> {
  const request = timeouts?.request === undefined ? undefined : millisecondsOf(timeouts.request);
  const attempt =
    timeouts?.backendRequest === undefined ? undefined : millisecondsOf(timeouts.backendRequest);
  const bounded = attempt !== undefined && attempt > 0 && request === undefined && !timeoutStands();
  return {
    ...(request === undefined ? (bounded ? { requestTimeoutMs: 0 } : {}) : { requestTimeoutMs: request }),
    ...(attempt === undefined ? {} : { backendTimeoutMs: attempt }),
  };
}

function retryOf({ retry }: WrittenRule): Pick<Rule, "retry"> {
  if (retry === undefined) return {};
  const { codes = [], attempts, backoff } = retry;
  return {
    retry: { codes, attempts, ...(backoff === undefined ? {} : { backoffMs: millisecondsOf(backoff) }) },
  };
}
