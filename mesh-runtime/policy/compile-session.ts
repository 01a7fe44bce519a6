import { hashOf } from "../routing/balancing/hash.ts";
import type { Backend, Rule, ServiceKey, SessionSettings } from "../routing/words.ts";
import type { Catalog } from "./catalog.ts";
import { millisecondsOf } from "./milliseconds.ts";
import type { SessionPersistence } from "./schema/session-persistence.ts";

/**
 * Sessions as a document says it.
 * @param rule whose sessions they are: rules share none, so that a name that nobody wrote is the rule's own (GEP-1619)
 */
export function sessionOf(written: SessionPersistence, rule: string): SessionSettings {
  const { type, absoluteTimeout, cookie, header, sessionName, cookieConfig } = written;
  return {
    type,
    name: header?.name ?? cookie?.name ?? sessionName ?? `session-${hashOf(rule).toString(36)}`,
    ...(absoluteTimeout === undefined ? {} : { absoluteTimeoutMs: millisecondsOf(absoluteTimeout) }),
    lifetime: (cookie ?? cookieConfig)?.lifetimeType ?? "Session",
    ...(cookie === undefined || cookie.path === "/" ? {} : { path: cookie.path }),
  };
}

/**
 * The sessions of a rule that says nothing of them itself: what the first of its backends has a document about, for
 * all of them alike, so that no session draws all traffic to the one backend that has it (GEP-1619, the first of
 * its three ways).
 */
export function sessionOfBackends(
  catalog: Catalog,
  rule: string,
  backends: readonly Pick<Backend, "service" | "unusable">[],
): Pick<Rule, "session"> {
  for (const { service, unusable } of backends) {
    const written = unusable === undefined ? writtenFor(catalog, service) : undefined;
    if (written !== undefined) return { session: sessionOf(written, rule) };
  }
  return {};
}

/** The rule of a Service that has sessions and no routes: everything goes to itself. */
export function defaultRule(catalog: Catalog, service: ServiceKey): Rule | undefined {
  const { session } = sessionOfBackends(catalog, `default/${service}`, [{ service }]);
  return (
    session && {
      name: "default",
      matches: [{ path: { type: "PathPrefix", value: "/" }, headers: [], query: [] }],
      filters: [],
      backends: [{ service, weight: 1, filters: [] }],
      session,
    }
  );
}

/** What the document that holds for a Service says of sessions. */
export function writtenFor(catalog: Catalog, key: ServiceKey): SessionPersistence | undefined {
  const service = catalog.services.get(key);
  return service && catalog.about(service).backendTraffic[0]?.spec.sessionPersistence;
}
